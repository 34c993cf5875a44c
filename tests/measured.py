"""What a piece of Python takes, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_MEASURE = """
import time
begun = time.process_time()
try:
    {code}
except BuildDigestsError as error:
    print(error)
seconds = time.process_time() - begun
status = open("/proc/self/status").read()
print(seconds, int(status.partition("VmHWM:")[2].split()[0]) / 1024)
"""


@dataclass(frozen=True)
class Measured:
    """What it printed, the seconds of processor time it took, and the most memory that it had, in MiB.

    That is of the process after it began: what `getrusage` says holds what the parent had before.
    """

    said: str
    seconds: float
    memory: float


def measured(imports: str, code: str) -> Measured:
    """Run a line of Python; an error of this project's is printed."""
    program = f"{imports}\nfrom action.errors import BuildDigestsError\n{_MEASURE.format(code=code)}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *said, figures = done.stdout.splitlines()
    seconds, memory = map(float, figures.split())
    return Measured("\n".join(said), seconds, memory)
