"""Signals: passed on to the program that runs, or turned into an exception so that everything is cleaned up."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import subprocess
import sys
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
_AGAIN_SECONDS = 0.01
"""How long after a signal that was lost it is sent again: the callback that it came in has returned by then."""

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
    """Turn SIGINT, SIGTERM and SIGHUP into an exception, so that everything is cleaned up on the way out.

    Python drops what a handler raises in a callback, such as that of an import lock (importlib/_bootstrap.py,
    `_get_module_lock`): the signal is sent again then.

    Raises:
        Interrupted: a signal came.
    """
    again: list[threading.Timer] = []
    before_hook = sys.unraisablehook

    def end(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

    def hook(dropped: sys.UnraisableHookArgs) -> None:
        if not isinstance(dropped.exc_value, Interrupted):
            before_hook(dropped)
            return
        timer = threading.Timer(_AGAIN_SECONDS, _send_to_main_thread, (dropped.exc_value.number,))
        timer.daemon = True
        again.append(timer)
        timer.start()

    before = {number: signal.signal(number, end) for number in _SIGNALS}
    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before_hook
        for timer in again:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _send_to_main_thread(number: int) -> None:
    if hasattr(signal, "pthread_kill"):
        # It also ends a call that waits.
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        _thread.interrupt_main(signal.Signals(number))


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
