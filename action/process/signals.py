"""Signals: forwarded to the program that runs, or turned into an exception so that everything is cleaned up.

A watchdog ends the program if this process is killed: SIGKILL cannot be forwarded, and the build would go on.
"""

from __future__ import annotations

import _thread
import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

CANCEL_SECONDS = 6.0
"""Seconds that buildx has to cancel a build.

GitHub sends a cancelled step SIGINT, SIGTERM 7.5 s later, and kills it 2.5 s after that (actions/runner,
ProcessInvoker.cs): what a step still has to do after its build must fit into the rest.
"""

_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)  # Windows has no SIGHUP
)
_RESEND_SECONDS = 0.01
"""Seconds after which a lost signal is sent again: the callback that it interrupted has returned by then."""

_WAIT_SECONDS = 0.2
"""Longest single wait of `wait_for` in seconds, and so the longest delay of a signal that does not end the wait."""

_MAX_SIGNALS = 3
"""Number of signals after which the program is killed; the docker command has the same (docker/cli 28,
cmd/docker/docker.go, forceExitAfter3TerminationSignals).
"""


def wait_for(event: threading.Event, seconds: float = math.inf) -> bool:
    """Wait in the main thread until an event is set, and handle the signals that arrive meanwhile.

    Args:
        event: is set by another thread.
        seconds: the time limit.

    Returns:
        Whether it is set.
    """
    end = time.monotonic() + seconds
    # Not one wait without a time limit. CPython handles a signal between two instructions of the main thread: one that
    # arrives while this thread waits for the interpreter's lock, which an import in another thread can hold, does not
    # end the system call that comes next (CPython 3.11, Python/ceval.c, `eval_frame_handle_pending`: signals are
    # handled before the lock is given to other threads).
    while not event.wait(max(0.0, min(_WAIT_SECONDS, end - time.monotonic()))):
        if time.monotonic() >= end:
            return False
    return True


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and its children.

    Args:
        process: the program, the first of a process group of its own.
    """
    _send(process, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)


@contextlib.contextmanager
def stop_on_exception(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop a program if an exception ends the block: by SIGTERM, and after CANCEL_SECONDS by SIGKILL.

    Args:
        process: the program, the first of a process group of its own.
    """
    try:
        yield
    except BaseException:
        _send(process, signal.SIGTERM)
        try:
            process.wait(CANCEL_SECONDS)
        except BaseException:  # noqa: BLE001  # the time is up, or a second Ctrl-C; the first exception is raised
            kill(process)
            process.wait()
        raise


def _send(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


class SignalForwarder:
    """Forwards signals to a program, and kills the program if it does not end.

    Attributes:
        received: the first signal, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._count = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline: threading.Timer | None = None

    def forward_to(self, process: subprocess.Popen[bytes]) -> None:
        """Forward signals to a program, with the one that came while the program was being started."""
        self._process = process
        # A signal between this line and the line above has been forwarded by `handle`, and `_count` is not 0.
        if self.received is not None and not self._count:
            self._forward(process, self.received)

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal; to be passed to `signal.signal`."""
        self.received = self.received or number
        if self._process is not None:
            self._forward(self._process, number)

    def _forward(self, process: subprocess.Popen[bytes], number: int) -> None:
        self._count += 1
        if self._count >= _MAX_SIGNALS:
            kill(process)
            return
        # buildx cancels a build on SIGINT and SIGTERM; SIGHUP would end it at once.
        _send(process, number if number == signal.SIGINT else signal.SIGTERM)
        if self._deadline is None:
            self._deadline = threading.Timer(CANCEL_SECONDS, kill, (process,))
            self._deadline.daemon = True
            self._deadline.start()

    def stop(self) -> None:
        """Cancel the deadline, once the program has ended."""
        if self._deadline is not None:
            self._deadline.cancel()


@contextlib.contextmanager
def forward_signals() -> Iterator[SignalForwarder]:
    """Forward the signals that this process receives to a program, as long as the block runs.

    Example: `with forward_signals() as forwarder: forwarder.forward_to(subprocess.Popen(...))`.
    """
    forwarder = SignalForwarder()
    before = {number: signal.signal(number, forwarder.handle) for number in _SIGNALS}
    try:
        yield forwarder
    finally:
        forwarder.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interrupt_on_signals() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into an exception while the block runs, so that every `finally` is reached.

    Raises:
        Interrupted: a signal came.
    """
    resending: list[threading.Timer] = []
    before_hook = sys.unraisablehook

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

    # Python drops what a signal handler raises in a destructor or in the callback of a weak reference, such as that of
    # an import lock (importlib/_bootstrap.py, `_get_module_lock`), and reports it to this hook only.
    def hook(dropped: sys.UnraisableHookArgs) -> None:
        if not isinstance(dropped.exc_value, Interrupted):
            before_hook(dropped)
            return
        timer = threading.Timer(_RESEND_SECONDS, send_to_main_thread, (dropped.exc_value.number,))
        timer.daemon = True
        resending.append(timer)
        timer.start()

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before_hook
        for timer in resending:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def send_to_main_thread(number: int) -> None:
    """Send a signal to this process; the main thread handles it, even while it waits for a program."""
    if hasattr(signal, "pthread_kill"):
        # Unlike `_thread.interrupt_main`, it also ends a system call that waits.
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        _thread.interrupt_main(signal.Signals(number))


class Interrupted(BaseException):
    """Signal that ends this process.

    Its base is BaseException, as with KeyboardInterrupt, so that no `except Exception` stops it.

    Args:
        number: the signal's number.
    """

    def __init__(self, number: int) -> None:
        """Make the message from the signal's name."""
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


def end_by_signal(number: int) -> None:
    """End this process with a signal instead of an exit code.

    A shell stops its script after Ctrl-C only if the command was ended by the signal
    (https://www.cons.org/cracauer/sigint.html).

    Args:
        number: the signal that this process received.
    """
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # The signal may arrive after `os.kill` has returned; nothing may run until then.
    time.sleep(1)


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
