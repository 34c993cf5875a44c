"""What a piece of Python takes, in a process of its own.

Each process is forked from one that has the imports already: they take longer than most of what is measured.
"""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# It ends with its input, which ends with this process.
_SERVER = """
import contextlib, io, json, os, sys, time, traceback
from action.errors import BuildDigestsError

def answer(code):
    printed, fault = io.StringIO(), ""
    begun = time.process_time()
    with contextlib.redirect_stdout(printed):
        try:
            exec(code, globals())
        except BuildDigestsError as error:
            print(error)
        except BaseException:
            fault = traceback.format_exc()
    seconds = time.process_time() - begun
    status = open("/proc/self/status").read()
    return printed.getvalue(), seconds, int(status.partition("VmHWM:")[2].split()[0]) / 1024, fault

for line in sys.stdin:
    reading, writing = os.pipe()
    if not os.fork():
        with open(writing, "w") as answers:
            json.dump(answer(json.loads(line)), answers)
        os._exit(0)
    os.close(writing)
    with open(reading) as answers:
        text = answers.read()
    status = os.wait()[1]
    print(text or json.dumps(("", 0, 0, f"it ended with status {status}")), flush=True)
"""


@dataclass(frozen=True)
class Measured:
    """What it printed, the seconds of processor time it took, and the most memory that it had, in MiB.

    The memory includes what the imports take.
    """

    said: str
    seconds: float
    memory: float


def measured(imports: str, code: str) -> Measured:
    """Run a line of Python; an error of this project's is printed.

    Args:
        imports: what it imports, which is not counted in its time.
        code: the line.
    """
    server = _server(imports)
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(code) + "\n")
    server.stdin.flush()
    said, seconds, memory, fault = json.loads(server.stdout.readline())
    assert not fault, fault
    return Measured(said.removesuffix("\n"), seconds, memory)


@functools.cache
def _server(imports: str) -> subprocess.Popen[str]:
    """Start a process that has some imports and measures each line of its input in a fork of itself."""
    command = [sys.executable, "-c", f"{imports}\n{_SERVER}"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    atexit.register(server.communicate)
    return server
