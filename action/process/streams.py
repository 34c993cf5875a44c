"""Standard streams that may be closed, or full. Written for an old Python too, since `start.py` uses it before all."""

import io
import os
import sys


def open_closed_streams() -> None:
    """Open what is closed of standard input, output and error on the null device.

    Otherwise the next file that is opened takes the place of standard output, and programs write into it.
    """
    for number in range(3):
        if not _is_open(number):
            # The system gives the lowest free number, which is this one.
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)  # noqa: FBT003  # it takes no keyword
    # Python sets a stream to None if it was closed when Python started; its types do not say so.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


class _Lossy(io.FileIO):
    """A stream that drops what cannot be written."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError:
            return len(data)


def drop_what_cannot_be_written() -> None:
    """Have standard output drop what cannot be written: a log that nobody can read is no reason to end a step."""
    before = sys.__stdout__
    if before is not None and sys.stdout is before:
        stream = io.BufferedWriter(_Lossy(1, "w", closefd=False))  # type: ignore[type-var]
        sys.stdout = io.TextIOWrapper(stream, encoding=before.encoding, errors=before.errors)


def close_output() -> None:
    """Send what is still to be written to the null device, so that Python's own end does not fail on it."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
