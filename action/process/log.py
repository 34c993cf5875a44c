"""The log of a run: buildx's output, and lines that this package adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True)
class Log:
    """The log of a run.

    Attributes:
        captured: True if buildx's output passes through this process, which makes its last error line known. False if
            buildx writes to the terminal itself, which lets it draw its progress.
        stream: the stream that buildx's standard error is copied to if it is captured.
        write_line: adds a line to the log, such as the reason of a failed attempt before the next one.
        output: the stream that buildx's standard output is copied to if it is captured; None for this process's own.
        forwards_signals: whether signals to this process are forwarded to buildx. A library must leave the handlers of
            its caller alone; it stops buildx if the wait for it is interrupted by an exception.
    """

    captured: bool
    stream: BinaryIO
    write_line: Callable[[str], None]
    output: BinaryIO | None = None
    forwards_signals: bool = True
