"""The model of a fuzz target, and helpers for targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from action.errors import BuildDigestsError

SEPARATOR = b"\n%%\n"
"""The separator between the parts of an input."""


@dataclass(frozen=True)
class Reader:
    """A reader of outside bytes, and how it is fuzzed.

    Attributes:
        name: its name on the command line.
        attempt: passes bytes to the reader; raises only if the reader breaks a promise.
        seeds: the first inputs.
        words: texts that have a meaning for the reader; libFuzzer inserts them into inputs.
    """

    name: str
    attempt: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[str, ...] = ()


def parts(data: bytes, number: int) -> list[bytes]:
    """Split an input into a number of parts; missing parts are empty."""
    found = data.split(SEPARATOR, number - 1)
    return found + [b""] * (number - len(found))


def texts(data: bytes, number: int) -> list[str]:
    """Split an input into a number of parts, decoded as UTF-8; invalid bytes become U+FFFD."""
    return [part.decode("utf-8", "replace") for part in parts(data, number)]


def input_of(*pieces: bytes | str) -> bytes:
    """Return an input made of parts."""
    return SEPARATOR.join(piece.encode() if isinstance(piece, str) else piece for piece in pieces)


@contextmanager
def allowing_errors() -> Iterator[None]:
    """Accept an error of this project as a valid answer, if its message can be printed."""
    try:
        yield
    except BuildDigestsError as error:
        printable(str(error))


def printable(text: str) -> None:
    """Raise if a text contains a lone surrogate, which no encoding can write."""
    text.encode()


_folders: list[TemporaryDirectory[str]] = []


def folder() -> Path:
    """Return a folder of this process, in memory if possible, because each attempt writes a file."""
    if not _folders:
        memory = Path("/dev/shm")  # noqa: S108  # a folder in it is made by TemporaryDirectory
        _folders.append(TemporaryDirectory(dir=memory if memory.is_dir() else None))
    return Path(_folders[0].name)
