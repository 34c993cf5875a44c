"""Connections to programs and sockets, which this process exchanges bytes with, each within a time limit."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import IO, TypeVar

from action.errors import EvidenceError, SlowEvidenceError
from action.lazy import tempfile
from action.process.docker import plugin_variables
from action.process.search import safe_environment
from action.process.signals import kill

_T = TypeVar("_T")

_CHUNK = 65536
# The end of standard error: the reason is in its last lines.
_MESSAGE_BYTES = 4096
_ENDED = "the connection to BuildKit's API ended"

_WAIT_SECONDS = 0.2
"""Longest wait of one system call in seconds, and so the longest delay of a signal that arrives just before it."""

_END_SECONDS = 1.0
"""Seconds that the program has to end by itself after the end of its input."""


class Connection:
    """A socket of this process whose operations have time limits.

    Args:
        connected: the socket; whoever closes the connection closes it.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def send(self, data: bytes, deadline: float) -> None:
        """Send bytes to the other end.

        Args:
            data: the bytes.
            deadline: the time of `time.monotonic` after which the other end is too slow.

        Raises:
            SlowEvidenceError: the other end does not read them in time.
            EvidenceError: the connection has ended.
        """
        rest = memoryview(data)
        while rest:
            rest = rest[self._wait_for(partial(self._socket.send, rest), deadline) :]

    def receive(self, deadline: float) -> bytes:
        """Return the next bytes that the other end writes, at most 64 KiB.

        Args:
            deadline: the time of `time.monotonic` after which the other end is too slow.

        Raises:
            SlowEvidenceError: none come in time.
            EvidenceError: the connection has ended.
        """
        data = self._wait_for(partial(self._socket.recv, _CHUNK), deadline)
        if not data:
            raise EvidenceError(self._why_it_ended())
        return data

    def _wait_for(self, call: Callable[[], _T], deadline: float) -> _T:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise SlowEvidenceError("BuildKit's API did not answer in time")
            self._socket.settimeout(min(left, _WAIT_SECONDS))
            try:
                return call()
            except TimeoutError:
                continue
            except OSError:
                raise EvidenceError(self._why_it_ended()) from None

    def _why_it_ended(self) -> str:
        """Return why the connection ended, for the error."""
        return _ENDED

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


class ConnectedProgram(Connection):
    """A running program whose standard input and output are one end of a socket; the other end is in this process.

    It has no watchdog: if this process is killed, its input ends, and it must end then.

    Args:
        command: the program and its arguments.
        environment: the program's environment; the variables of GitHub's cache service in it are left out.

    Raises:
        EvidenceError: the program cannot be started, or this system cannot connect it (Windows).
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        with contextlib.ExitStack() as stack:
            try:
                self._errors = stack.enter_context(_temporary_file())
                # A socket and not two pipes: its operations have time limits; a write to a full pipe blocks for ever.
                ours, theirs = map(stack.enter_context, socket.socketpair())
                self._process = subprocess.Popen(  # noqa: S603  # a list of arguments, and no shell
                    list(command),
                    env={**safe_environment(environment), **plugin_variables(command, environment)},
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=self._errors,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise EvidenceError(f"{' '.join(command[:3])} cannot be started: {error}") from None
            stack.pop_all()
        super().__init__(ours)
        theirs.close()

    def _why_it_ended(self) -> str:
        """Return the last error, or else the last line, that the program wrote to standard error."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _MESSAGE_BYTES))
        lines = self._errors.read(_MESSAGE_BYTES).decode("utf-8", "replace").strip().splitlines()
        errors = [line for line in lines if line.startswith("ERROR:")]
        return (errors or lines or [_ENDED])[-1]

    def close(self) -> None:
        """End the program."""
        super().close()
        # The process ID of a program that has ended may belong to another process by now.
        if self._process.poll() is None:
            kill(self._process)
            self._process.wait()
        self._errors.close()


def _temporary_file() -> IO[bytes]:
    return tempfile.TemporaryFile()
