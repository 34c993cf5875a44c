"""The start of a step by the launcher: its inputs come through a pipe, and the end of the pipe ends the step.

`launcher/main.js` writes one line of JSON to the step's standard input and keeps the pipe open while the step runs. The
inputs are not in the environment: every program inherits that, other processes of the user can read it in
`/proc/PID/environ`, and on Linux a variable has at most 128 KiB (MAX_ARG_STRLEN, execve(2)).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Mapping, MutableMapping

from action.dataclass import dataclass, field
from action.process.search import CACHE_SERVICE, cache_service_variables
from action.process.signals import send_to_main_thread

_CHUNK = 65536


@dataclass(frozen=True)
class Launch:
    """What a step is started with.

    Attributes:
        inputs: a JSON object of input names and texts, or empty.
        cache_service: variables of GitHub's cache service, for buildx alone: `{"ACTIONS_RUNTIME_TOKEN": "…"}`.
        by_runner: whether the launcher started the step. The runner has then warned of undeclared inputs, and any
            variable of the job that is named INPUT_… counts as one.
    """

    inputs: str = field(default="", repr=False)
    cache_service: Mapping[str, str] = field(default_factory=dict, repr=False)
    by_runner: bool = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """The token of the cache service, if there is one."""
        token = self.cache_service.get("ACTIONS_RUNTIME_TOKEN", "")
        return (token,) if token else ()


def launch_from_environment(environment: MutableMapping[str, str]) -> Launch:
    """Take the inputs and the variables of the cache service out of an environment, so that no program inherits them.

    Args:
        environment: environment variables, such as `os.environ`; the variable INPUTS holds the inputs.
    """
    variables = cache_service_variables(environment)
    for name in variables:
        del environment[name]
    return Launch(environment.pop("INPUTS", ""), variables)


def launch_from_launcher() -> Launch:
    """Read the launcher's line from standard input, and end this process by SIGTERM if the launcher ends before it.

    Standard input is the null device afterwards, as on a runner.

    Raises:
        EOFError: the launcher ended before it had written its line.
    """
    # Programs do not inherit the new file descriptor (PEP 446), so none of them reads the pipe or keeps it open.
    pipe = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    message = json.loads(_first_line(pipe))
    threading.Thread(target=_end_with_launcher, args=(pipe,), daemon=True).start()
    variables = {name: value for name, value in message["variables"].items() if name.startswith(CACHE_SERVICE)}
    return Launch(json.dumps(message["inputs"]), variables, by_runner=True)


def _first_line(pipe: int) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        # libuv makes pipes from sockets, which can report an error instead of the end.
        with contextlib.suppress(ConnectionError):
            if chunk := os.read(pipe, _CHUNK):
                received += chunk
                continue
        raise EOFError
    return bytes(received)


def _end_with_launcher(pipe: int) -> None:
    """Wait for the end of the pipe, which means that the launcher was killed, and then cancel the build."""
    with contextlib.suppress(OSError):
        while os.read(pipe, _CHUNK):
            pass
    send_to_main_thread(signal.SIGTERM)
