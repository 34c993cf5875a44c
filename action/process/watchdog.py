"""A watchdog that ends a program if this process is killed: SIGKILL cannot be forwarded, and the build would go on."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

from action.process.signals import CANCEL_SECONDS

_SHELL = "/bin/sh"
_SCRIPT = """
read -r _ && exit
kill -TERM "-$1" 2> /dev/null || exit
left=$2
while [ "$left" -gt 0 ] && kill -0 "-$1" 2> /dev/null; do sleep 1; left=$((left - 1)); done
kill -KILL "-$1" 2> /dev/null
"""
"""Waits for a line, which means that the program has ended, or for the end of the pipe, which means that this process
was killed.

Arguments: the program's process group, and the seconds that it has to end after SIGTERM. The script reads nothing else,
so no text of a user reaches the shell.
"""


@contextlib.contextmanager
def with_watchdog(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a program and its children when this process ends, even by SIGKILL, while the block runs.

    Without process groups (Windows) or without a shell there is no watchdog.

    Args:
        process: the program, the first of a process group of its own.
    """
    # Not PR_SET_PDEATHSIG: only Linux has it, it needs code between fork and exec, and it reaches no grandchildren.
    watchdog = _start(process.pid) if hasattr(os, "killpg") else None
    try:
        yield
    finally:
        if watchdog is not None:
            with contextlib.suppress(OSError):
                watchdog.communicate(b"over\n")


def _start(group: int) -> subprocess.Popen[bytes] | None:
    try:
        return subprocess.Popen(  # noqa: S603  # a fixed script and two numbers
            [_SHELL, "-c", _SCRIPT, "watchdog", str(group), str(round(CANCEL_SECONDS))],
            env={"PATH": os.defpath},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # A signal to the process group of this process must not end the watchdog too.
            start_new_session=True,
        )
    except OSError:
        return None
