"""Ends a program whose parent is killed: SIGKILL leaves nobody to pass a signal on, and a build would go on unseen."""

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
"""Waits for a line, which says that all is over, or for the end of the pipe, which says that its writer is gone.

It gets two numbers, the program's process group and the seconds it has to end, and nothing else.
"""


@contextlib.contextmanager
def with_watchdog(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Have a program, and all that it started, end with this process, however this process ends.

    For as long as the block runs. Where there are no process groups (Windows), or no shell, nothing guards it.

    Args:
        process: the program, the first of a process group of its own.
    """
    guard = _start(process.pid) if hasattr(os, "killpg") else None
    try:
        yield
    finally:
        if guard is not None:
            with contextlib.suppress(OSError):
                guard.communicate(b"over\n")


def _start(group: int) -> subprocess.Popen[bytes] | None:
    try:
        return subprocess.Popen(  # noqa: S603
            [_SHELL, "-c", _SCRIPT, "guard", str(group), str(round(CANCEL_SECONDS))],
            env={"PATH": os.defpath},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
