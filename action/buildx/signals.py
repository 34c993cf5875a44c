"""Signals: passed on to the program that runs, or turned into an exception so that everything is cleaned up."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from types import FrameType

CANCEL_SECONDS = 6.0
"""How long buildx gets to cancel a build: GitHub kills a cancelled step 10 s after its first signal."""

_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)  # Windows has no SIGHUP
)
_PATIENCE = 3
"""Signals after which the program is killed at once, as the docker command does itself."""


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and all that it started."""
    _send(process, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)


def _send(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


class Passing:
    """Passes signals on to a program, and kills it where it does not end.

    Attributes:
        received: the first signal, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._count = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline: threading.Timer | None = None

    def to(self, process: subprocess.Popen[bytes]) -> None:
        """Pass signals on to this program, one that came before it was there too."""
        self._process = process
        # One that comes between these two lines was passed on already.
        if self.received is not None and not self._count:
            self._pass(self.received)

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal: Python's handler."""
        self.received = self.received or number
        if self._process is not None:
            self._pass(number)

    def _pass(self, number: int) -> None:
        process = self._process
        assert process is not None  # noqa: S101
        self._count += 1
        if self._count >= _PATIENCE:
            kill(process)
            return
        # buildx cancels a build on SIGINT and SIGTERM; SIGHUP would end it at once.
        _send(process, number if number == signal.SIGINT else signal.SIGTERM)
        if self._deadline is None:
            self._deadline = threading.Timer(CANCEL_SECONDS, kill, (process,))
            self._deadline.daemon = True
            self._deadline.start()

    def stop(self) -> None:
        """Forget the deadline: the program has ended."""
        if self._deadline is not None:
            self._deadline.cancel()


@contextlib.contextmanager
def passing_signals_on() -> Iterator[Passing]:
    """Pass the signals that this process receives on to a program, for as long as the block runs."""
    passing = Passing()
    before = {number: signal.signal(number, passing.handle) for number in _SIGNALS}
    try:
        yield passing
    finally:
        passing.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def ending_on_signals() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into an exception, so that everything is cleaned up on the way out."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

    before = {number: signal.signal(number, end) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interrupted(BaseException):
    """This process received a signal that ends it.

    Args:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        """Keep the signal."""
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


def end_by_signal(number: int) -> None:
    """End this process by a signal, as whoever sent it expects."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    time.sleep(1)
