"""Runs programs: the only module that does.

A program is given its arguments as a list; no shell is between. It runs in a session of its own, so that a signal to
this process is passed on exactly once, to the program and everything that it started.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from action.errors import ProgramError, SlowProgramError
from action.process.search import docker_folder, find_program, safe_environment
from action.process.signals import kill, passing_signals_on
from action.process.watchdog import with_watchdog

_TAIL_BYTES = 64 * 1024
_MOST_ANSWER_BYTES = 64 * 1024 * 1024
_PUMP_SECONDS = 5.0
_PLUGIN_FOLDERS = tuple(
    Path(root, "docker", "cli-plugins") for root in ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
)


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes:
        code: its exit code; negative where a signal ended it.
        stdout: the first 64 KiB of its standard output, empty where that was not captured.
        stderr: the last 64 KiB of its standard error, empty where that was not captured.
        signal: the signal that this process received meanwhile and passed on, or None.
    """

    code: int
    stdout: str = ""
    stderr: str = ""
    signal: int | None = None


def find_buildx(path: str | None = None) -> tuple[str, ...]:
    """The command that runs buildx: `docker buildx`, or `buildx` by itself where there is no docker command.

    Args:
        path: the search path, PATH where None.

    Raises:
        ProgramError: neither is there.
    """
    if docker := find_program("docker", path):
        return (docker, "buildx")
    for name in ("buildx", "docker-buildx"):
        if buildx := find_program(name, path):
            return (buildx,)
    message = (
        "neither docker nor buildx is on the PATH: install Docker with its buildx plugin "
        "(https://docs.docker.com/engine/install), or run docker/setup-buildx-action before this step; "
        "programs in the workspace do not count"
    )
    raise ProgramError(message)


def find_plugin(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The command that runs buildx without docker before it, which takes half as long to start; empty if not found.

    The folders are those in which docker looks for it, in its order (docker/cli 28, cli-plugins/manager/manager.go). A
    docker that is a script may do more than docker does: then there is no way around it.

    Args:
        environment: DOCKER_CONFIG is read.
    """
    docker = find_program("docker", environment.get("PATH"))
    if docker is None or _is_script(docker):
        return ()
    config = docker_folder(environment)
    try:
        extra = json.loads((config / "config.json").read_text(encoding="utf-8")).get("cliPluginsExtraDirs") or []
    except (OSError, ValueError, AttributeError, RecursionError):
        extra = []
    for folder in (*extra, config / "cli-plugins", *_PLUGIN_FOLDERS):
        if found := find_program("docker-buildx", str(folder)):
            return (found,)
    return ()


def _is_script(program: str) -> bool:
    try:
        with Path(program).open("rb") as opened:
            return opened.read(2) == b"#!"
    except OSError:
        return True


def run(  # noqa: PLR0913  # a program, and where what it prints goes
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    capture: bool,
    folder: str = ".",
    log: BinaryIO | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> Ended:
    """Run a program to its end, its output going to ours as it comes, byte for byte.

    SIGINT and SIGTERM are passed on, SIGHUP as SIGTERM; the program then has CANCEL_SECONDS to end by itself. Must be
    called from the main thread.

    Args:
        command: the program and its arguments.
        environment: its whole environment.
        capture: whether to keep what it prints. Where not, it writes to the terminal itself.
        folder: the folder that it runs in.
        log: where its standard error goes if it is captured; to ours where None.
        meanwhile: is called once the program runs, and must return at once.

    Raises:
        ProgramError: the program cannot be started.
    """
    pipe = subprocess.PIPE if capture else None
    with passing_signals_on() as passing:
        process = _start(command, environment, stdout=pipe, stderr=pipe, folder=folder)
        passing.to(process)
        stdout = _Pump(process.stdout, sys.stdout.buffer, keep_first=True)
        stderr = _Pump(process.stderr, log or sys.stderr.buffer, keep_first=False)
        with with_watchdog(process):
            if meanwhile is not None:
                meanwhile()
            code = process.wait()
        stdout.finish()
        stderr.finish()
    return Ended(code, stdout.text(), stderr.text(), passing.received)


class Programs:
    """Programs that run at once, in threads of their own, and can all be ended together.

    Attributes:
        ended: set when they have been ended; none starts any more.
    """

    def __init__(self) -> None:
        self.ended = threading.Event()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def end(self) -> None:
        """Kill those that run, and each that is about to start."""
        with self._lock:
            self.ended.set()
            for process in self._running:
                kill(process)

    @contextlib.contextmanager
    def holding(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Have a program among them while the block runs."""
        with self._lock:
            self._running.add(process)
            if self.ended.is_set():
                kill(process)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(process)


def ask(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    seconds: float,
    folder: str = ".",
    programs: Programs | None = None,
) -> Ended:
    """Run a program that answers a question, within a time limit.

    Args:
        command: the program and its arguments.
        environment: its whole environment.
        seconds: how long it may take; then it is killed, with all that it started.
        folder: the folder that it runs in.
        programs: those that it is ended with, or None.

    Raises:
        SlowProgramError: it does not end in time.
        ProgramError: it cannot be started.
    """
    # Files, not pipes: a grandchild that outlives the program would keep a pipe open and this process waiting.
    with _temporary_file() as stdout, _temporary_file() as stderr:
        process = _start(command, environment, stdout=stdout, stderr=stderr, folder=folder)
        try:
            with with_watchdog(process), (programs or Programs()).holding(process):
                code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            message = f"{_shown(command)} did not end within {seconds:.3g} s"
            raise SlowProgramError(message) from None
        finally:
            if process.poll() is None:
                kill(process)
                process.wait()
        return Ended(code, _read(stdout, _MOST_ANSWER_BYTES), _read(stderr, _TAIL_BYTES))


def _temporary_file() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        message = f"no temporary file can be made ({error.strerror}): set TMPDIR to a folder for them"
        raise ProgramError(message) from None


def _start(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdout: int | IO[bytes] | None,
    stderr: int | IO[bytes] | None,
    folder: str,
) -> subprocess.Popen[bytes]:
    stdin = None if stdout in {None, subprocess.PIPE} else subprocess.DEVNULL
    try:
        return subprocess.Popen(  # noqa: S603
            list(command),
            cwd=folder,
            env=safe_environment(environment),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"{_shown(command)} cannot be started: {reason}"
        if isinstance(error, OSError) and error.errno == errno.E2BIG:
            message += "; an argument or a secret is too long for the system: pass long secrets by secret-files"
        raise ProgramError(message) from None


def _shown(command: Sequence[str]) -> str:
    return " ".join(command[:3])


def _read(file: IO[bytes], most: int) -> str:
    file.seek(0)
    return file.read(most).decode("utf-8", "replace")


class _Pump:
    """Copies a pipe to one of our streams as data comes, and keeps the first or the last of it."""

    def __init__(self, source: IO[bytes] | None, target: BinaryIO, *, keep_first: bool) -> None:
        self._source = source
        self._target = target
        self._keep_first = keep_first
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._copy, daemon=True)
        if source is not None:
            self._thread.start()

    def _copy(self) -> None:
        assert self._source is not None  # noqa: S101
        with self._source:
            while chunk := os.read(self._source.fileno(), 65536):
                if self._keep_first:
                    self._kept += chunk[: _TAIL_BYTES - len(self._kept)]
                else:
                    self._kept += chunk
                    del self._kept[:-_TAIL_BYTES]
                with contextlib.suppress(OSError, ValueError):
                    # A log that nobody reads any more is no reason to stop the build.
                    self._target.write(chunk)
                    self._target.flush()

    def finish(self) -> None:
        """Wait for the end of the pipe, not for ever: a process left behind may hold it open."""
        if self._source is not None:
            self._thread.join(_PUMP_SECONDS)

    def text(self) -> str:
        return bytes(self._kept).decode("utf-8", "replace")
