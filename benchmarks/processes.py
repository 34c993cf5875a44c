"""Run a program, and measure its time and memory from outside."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.004
_WITHOUT_PACKAGES = b"the action's packages cannot be installed"


@dataclass(frozen=True)
class Measured:
    """The measurements of one run of a program.

    Attributes:
        seconds: the time from start to end.
        first: the seconds until buildx's first line, or None if there was no such line.
        memory: the peak memory in MiB of the program's own process and of the Python that it starts, without other
            child processes.
    """

    seconds: float
    first: float | None
    memory: float


def measured(command: Sequence[str], folder: Path, environment: Mapping[str, str], first: bytes) -> Measured:
    """Run a program and measure it.

    Args:
        command: the program and its arguments.
        folder: the working directory.
        environment: its whole environment.
        first: the beginning of the line whose time is measured.

    Raises:
        SystemExit: the program failed, or a step went on without its packages; the message contains everything that it
            printed.
    """
    came: list[float] = []
    printed: list[bytes] = []
    started = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:

        def read() -> None:
            for line in process.stdout or ():
                if not came and line.startswith(first):
                    came.append(time.perf_counter() - started)
                printed.append(line)

        reader = threading.Thread(target=read)
        reader.start()
        peaks: dict[str, float] = {}
        while process.poll() is None:
            for each in (str(process.pid), *_pythons(process.pid)):
                peaks[each] = max(peaks.get(each, 0.0), _peak(each))
            time.sleep(_POLL_SECONDS)
        seconds = time.perf_counter() - started
        reader.join()
    if process.returncode or any(_WITHOUT_PACKAGES in line for line in printed):
        sys.exit(f"{command[0]} failed:\n{b''.join(printed).decode(errors='replace')}")
    return Measured(seconds, came[0] if came else None, sum(peaks.values()))


def _pythons(process: int) -> list[str]:
    """Return the process IDs of the Pythons among the children of a process, such as that of the launcher."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8").split()
        return [each for each in children if Path(f"/proc/{each}/comm").read_text(encoding="utf-8")[:6] == "python"]
    except OSError:
        return []


def _peak(process: str) -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(sizes[0]) / 1024 if sizes else 0.0
