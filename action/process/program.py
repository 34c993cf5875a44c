"""Runs programs to their end.

A program gets its arguments as a list, without a shell in between. It runs in a session of its own, so that a signal to
this process reaches the program and its children exactly once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, BinaryIO

from action.dataclass import dataclass
from action.errors import ProgramError, SlowProgramError
from action.lazy import tempfile
from action.process.docker import plugin_variables
from action.process.log import Log
from action.process.search import safe_environment
from action.process.signals import SignalForwarder, forward_signals, kill, stop_on_exception, wait_for, with_watchdog

# Enough for the last error, and the excerpt of the log before it.
_TAIL_BYTES = 64 * 1024
# The definition of a bake with thousands of targets has megabytes.
_MAX_OUTPUT_BYTES = 64 * 1024 * 1024
_COPY_SECONDS = 5.0
# The lowest priority of Unix, as a nice value.
_LOWEST_PRIORITY = 19


@dataclass(frozen=True)
class CompletedProgram:
    """A program that has ended.

    Attributes:
        code: its exit code, or minus the number of the signal that ended it.
        stdout: its standard output if it was captured, otherwise empty.
        stderr: the last 64 KiB of its standard error if it was captured, otherwise empty.
        signal: the first signal that this process received and forwarded to the program, or None.
    """

    code: int
    stdout: str = ""
    stderr: str = ""
    signal: int | None = None


def run_program(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: str = ".",
    private: Mapping[str, str] | None = None,
    log: Log | None = None,
    on_start: Callable[[], None] | None = None,
) -> CompletedProgram:
    """Run a program to its end and show its output as it comes, byte for byte.

    SIGINT and SIGTERM are forwarded to the program, SIGHUP as SIGTERM; the program then has CANCEL_SECONDS to end by
    itself. Python handles signals only in the main thread, so call it there if signals are forwarded. If an exception
    such as KeyboardInterrupt ends the wait, the program is stopped in the same way.

    Args:
        command: the program and its arguments.
        environment: the program's environment; the variables of GitHub's cache service in it are left out.
        folder: the folder that the program runs in.
        private: environment variables that only this program gets, such as secrets.
        log: the destination of its output. If the output is captured, the first 64 KiB of standard output and the last
            64 KiB of standard error are returned. None lets the program write to the terminal itself.
        on_start: is called once the program runs, and must return at once.

    Raises:
        ProgramError: the program cannot be started.
    """
    pipe = subprocess.PIPE if log is not None and log.captured else None
    output = log.output if log is not None and log.output is not None else sys.stdout.buffer
    with (
        forward_signals()
        if log is None or log.forwards_signals
        else contextlib.nullcontext(SignalForwarder()) as forwarder
    ):
        passes_stdin = log is None or log.passes_stdin
        whole = {**safe_environment(environment), **(private or {})}
        process = _start(command, whole, folder, (pipe, pipe), passes_stdin=passes_stdin)
        # Entered at once, before other threads start: an exception such as KeyboardInterrupt can be raised at any line.
        with stop_on_exception(process):
            forwarder.forward_to(process)
            stdout = _Copy(process.stdout, output, keep_first=True)
            stderr = _Copy(process.stderr, log.stream if log is not None else sys.stderr.buffer, keep_first=False)
            with with_watchdog(process):
                if on_start is not None:
                    on_start()
                code = _wait(process)
        stdout.finish()
        stderr.finish()
    return CompletedProgram(code, stdout.text(), stderr.text(), forwarder.received)


class ProgramGroup:
    """Programs that run at the same time, in threads of their own, and can be killed together.

    Attributes:
        killed: an event that is set once the group has been killed; no program starts after that.
    """

    def __init__(self) -> None:
        self.killed = threading.Event()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def kill_all(self) -> None:
        """Kill the running programs, and refuse to start others."""
        with self._lock:
            self.killed.set()
            for process in self._running:
                kill(process)

    @contextlib.contextmanager
    def running(self, start: Callable[[], subprocess.Popen[bytes]]) -> Iterator[subprocess.Popen[bytes]]:
        """Start a program, and keep it in the group while the block runs.

        Args:
            start: starts the program.

        Raises:
            ProgramError: the group has been killed.
        """
        # Started under the lock: this process may end right after `kill_all`, which must not miss a program that is
        # being started.
        with self._lock:
            if self.killed.is_set():
                raise ProgramError("it was not started, since all programs of its kind have been stopped")
            process = start()
            self._running.add(process)
        try:
            yield process
        finally:
            with self._lock:
                self._running.discard(process)


def capture_output(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    seconds: float,
    folder: str = ".",
    programs: ProgramGroup | None = None,
    idle: bool = False,
) -> CompletedProgram:
    """Run a program without input and return up to 64 MiB of its output, within a time limit.

    Example: `capture_output(("docker", "version"), os.environ, seconds=10).stdout`.

    Args:
        command: the program and its arguments.
        environment: the program's environment; the variables of GitHub's cache service in it are left out.
        seconds: the time limit; the program and its children are killed after it.
        folder: the folder that the program runs in.
        programs: the group that the program belongs to, or None.
        idle: whether the program gets only the processor time that no other program wants; ignored on Windows.

    Raises:
        SlowProgramError: the program does not end within the time limit.
        ProgramError: the program cannot be started.
    """
    # Files, not pipes: this process would wait for the end of a pipe, which a grandchild that outlives the program can
    # keep open.
    with _temporary_file() as stdout, _temporary_file() as stderr:

        def start() -> subprocess.Popen[bytes]:
            return _start(command, safe_environment(environment), folder, (stdout, stderr), passes_stdin=False)

        with (programs or ProgramGroup()).running(start) as process:
            if idle:
                _yield_processor(process)
            try:
                with with_watchdog(process):
                    code = process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                raise SlowProgramError(f"{_shown(command)} did not end within {seconds:.3g} s") from None
            finally:
                if process.poll() is None:
                    kill(process)
                    process.wait()
        return CompletedProgram(code, _start_of(stdout, _MAX_OUTPUT_BYTES), _start_of(stderr, _TAIL_BYTES))


def _yield_processor(process: subprocess.Popen[bytes]) -> None:
    """Give a program and its children the lowest priority."""
    # The whole group: Go programs start threads at once, and Linux keeps a priority for each thread.
    with contextlib.suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PGRP, process.pid, _LOWEST_PRIORITY)
    # Where Linux groups processes by session, a priority counts only within the group, and each program that is started
    # here has a session of its own (sched(7), "The autogroup feature").
    with contextlib.suppress(OSError):
        Path(f"/proc/{process.pid}/autogroup").write_text(f"{_LOWEST_PRIORITY}", encoding="ascii")


def _temporary_file() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise ProgramError(
            f"no temporary file can be made ({error.strerror}): set TMPDIR to a folder for them"
        ) from None


def _start(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: str,
    outputs: tuple[int | IO[bytes] | None, int | IO[bytes] | None],
    *,
    passes_stdin: bool,
) -> subprocess.Popen[bytes]:
    # A build may read its context or definition from standard input; a program that is only queried may not.
    stdin = None if passes_stdin else subprocess.DEVNULL
    try:
        return subprocess.Popen(  # noqa: S603  # a list of arguments, and no shell
            list(command),
            cwd=folder,
            env={**environment, **plugin_variables(command, environment)},
            stdin=stdin,
            stdout=outputs[0],
            stderr=outputs[1],
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"{_shown(command)} cannot be started: {reason}"
        if isinstance(error, OSError) and error.errno == errno.E2BIG:
            message += "; an argument or a secret is too long for the system: pass long secrets by secret-files"
        raise ProgramError(message) from None


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a program, while this thread handles signals, and return the exit code."""
    ended = threading.Event()

    def wait() -> None:
        process.wait()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    wait_for(ended)
    return process.wait()


def _shown(command: Sequence[str]) -> str:
    # Not the other arguments: they may contain secrets.
    return " ".join(command[:3])


def _start_of(file: IO[bytes], max_bytes: int) -> str:
    file.seek(0)
    return file.read(max_bytes).decode("utf-8", "replace")


class _Copy:
    """A thread that copies a pipe to a stream as data comes, and keeps the first or the last 64 KiB."""

    def __init__(self, source: IO[bytes] | None, target: BinaryIO, *, keep_first: bool) -> None:
        self._target = target
        self._keep_first = keep_first
        self._kept = bytearray()
        self._thread: threading.Thread | None = None
        if source is not None:
            self._thread = threading.Thread(target=self._copy, args=(source,), daemon=True)
            self._thread.start()

    def _copy(self, source: IO[bytes]) -> None:
        with source:
            while chunk := os.read(source.fileno(), 65536):
                if self._keep_first:
                    self._kept += chunk[: _TAIL_BYTES - len(self._kept)]
                else:
                    self._kept += chunk
                    del self._kept[:-_TAIL_BYTES]
                with contextlib.suppress(OSError, ValueError):
                    # A log whose reader is gone must not stop the build.
                    self._target.write(chunk)
                    self._target.flush()

    def finish(self) -> None:
        """Wait for the end of the pipe, at most 5 s: a process that outlives the program may keep it open."""
        if self._thread is not None:
            self._thread.join(_COPY_SECONDS)

    def text(self) -> str:
        """Return the kept bytes as text, with U+FFFD for what is not UTF-8."""
        return bytes(self._kept).decode("utf-8", "replace")
