"""Standard streams that are closed or cannot be written.

`start.py` imports this module on any Python from 3.6: no syntax or annotation here may need a newer one.
"""

import io
import os
import sys


def open_closed_streams() -> None:
    """Open closed standard streams on the null device.

    Otherwise the next file that is opened gets the number of standard output, and programs write into it.
    """
    for number in range(3):
        if not _is_open(number):
            # The system gives the lowest free number, which is this one.
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)  # noqa: FBT003  # it takes no keyword
    # Python sets a stream to None if it was closed when Python started; its type hints do not show that.
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


class _LossyFile(io.FileIO):
    """A file that drops what cannot be written."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError:
            return len(data)


def ignore_write_errors() -> None:
    """Make standard output drop what cannot be written: a log that is closed or full must not end a step."""
    before = sys.__stdout__
    # A stream that has replaced standard output, such as a test's, is kept.
    if before is not None and sys.stdout is before:
        stream = io.BufferedWriter(_LossyFile(1, "w", closefd=False))  # type: ignore[type-var]
        sys.stdout = io.TextIOWrapper(stream, encoding=before.encoding, errors=before.errors)


def discard_output() -> None:
    """Redirect standard output and error to the null device.

    Python flushes both when it ends, and would report a second error if the reader is gone
    (https://docs.python.org/3/library/signal.html#note-on-sigpipe).
    """
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
