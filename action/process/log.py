"""The log of a run: buildx's output, and lines that this package adds."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable
from typing import BinaryIO, TextIO, cast

from action.dataclass import dataclass


@dataclass(frozen=True)
class Log:
    """The log of a run.

    Attributes:
        captured: True if buildx's output passes through this process, so that the last error in it is known. False if
            buildx writes to the terminal itself, so that it can draw its progress.
        stream: the stream that buildx's standard error is copied to if it is captured.
        write_line: adds a line to the log, such as the reason of a failed attempt before the next one.
        output: the stream that buildx's standard output is copied to if it is captured; None for this process's own.
        forwards_signals: whether signals to this process are forwarded to buildx. A library must leave the handlers of
            its caller alone; it stops buildx if the wait for it is interrupted by an exception.
        passes_stdin: whether buildx reads this process's standard input. On a terminal a bake that needs more
            privileges waits there for an answer (docker/buildx 0.36, bake/entitlements.go); a question that is not
            shown would never be answered.
    """

    captured: bool
    stream: BinaryIO
    write_line: Callable[[str], None]
    output: BinaryIO | None = None
    forwards_signals: bool = True
    passes_stdin: bool = True


class CallersStream(io.BytesIO):
    """Stream of a caller of the library: a binary stream, a text stream, or None to drop everything."""

    def __init__(self, target: BinaryIO | TextIO | None) -> None:
        """Keep the stream, which stays open."""
        super().__init__()
        self._target = target
        self._decoder: codecs.IncrementalDecoder | None = None

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # the copy of a pipe writes bytes only
        """Write data to the stream; what it does not take is dropped."""
        try:
            self._write(data)
        except Exception:  # noqa: BLE001  # of any error the thread that copies the log would die, and then buildx
            self._target = None
        return len(data)

    def _write(self, data: bytes) -> None:
        if self._target is None:
            return
        if self._decoder is None:
            try:
                cast("BinaryIO", self._target).write(data)
            except TypeError:
                # A text stream. Neither its class nor a `buffer` shows that: pytest and Jupyter replace sys.stderr.
                self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        if self._decoder is not None:
            cast("TextIO", self._target).write(self._decoder.decode(data))
        self._target.flush()
