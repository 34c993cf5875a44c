"""Programs: running one to its end, and servers, which are started, waited for and stopped by their process ID."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine import EngineError

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.1
_LOG_LINES = 15


def free_port() -> int:
    """Return a port on loopback that no program listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def checked(
    command: Sequence[str | Path], environment: Mapping[str, str], seconds: float, *, folder: Path | None = None
) -> str:
    """Run a program to its end and return its standard output.

    Args:
        command: the program and its arguments.
        environment: its whole environment.
        seconds: the time limit.
        folder: the folder that it runs in; None for the current one.

    Raises:
        EngineError: the program failed or took too long; the message has the end of its standard error.
    """
    shown = " ".join(map(str, command))
    try:
        done = subprocess.run(
            command, cwd=folder, env=dict(environment), capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        message = f"{shown} took longer than {seconds:g} s"
        raise EngineError(message) from None
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-_LOG_LINES:])
        message = f"{shown} failed:\n{tail}"
        raise EngineError(message)
    return done.stdout


@contextmanager
def serving(
    command: Sequence[str | Path], environment: Mapping[str, str], log: Path, answers: Callable[[], bool]
) -> Iterator[None]:
    """Run a server during a `with` block.

    Args:
        command: the program and its arguments.
        environment: its whole environment.
        log: the file that it writes to.
        answers: returns whether the server answers yet.

    Raises:
        EngineError: the server ended, or did not answer in time; the message has the end of its log.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        _wait(process, log, answers)
        yield
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], log: Path, answers: Callable[[], bool]) -> None:
    end = time.monotonic() + _START_SECONDS
    while not answers():
        if process.poll() is not None or time.monotonic() > end:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
            how = "ended" if process.poll() is not None else f"did not answer within {_START_SECONDS:g} s"
            message = f"{process.args!r} {how}; the end of its log:\n{tail}"
            raise EngineError(message)
        time.sleep(_POLL_SECONDS)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
