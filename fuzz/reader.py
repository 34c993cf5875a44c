"""What a reader of outside bytes is to the fuzzer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from action.errors import BuildDigestsError

SEPARATOR = b"\n%%\n"
"""What stands between the parts of an input."""


@dataclass(frozen=True)
class Reader:
    """A reader, and how it is tried.

    Attributes:
        name: what it is called on the command line.
        attempt: gives it bytes; raises anything but an error of this project's only where a promise is broken.
        seeds: inputs to begin with.
        words: texts that mean something to it.
    """

    name: str
    attempt: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[str, ...] = ()


def parts(data: bytes, number: int) -> list[bytes]:
    """The first parts of an input; those that it does not have are empty."""
    found = data.split(SEPARATOR, number - 1)
    return found + [b""] * (number - len(found))


def texts(data: bytes, number: int) -> list[str]:
    """The first parts of an input as texts, of any characters but halves of them."""
    return [part.decode("utf-8", "replace") for part in parts(data, number)]


def joined(*pieces: bytes | str) -> bytes:
    """An input of parts."""
    return SEPARATOR.join(piece.encode() if isinstance(piece, str) else piece for piece in pieces)


@contextmanager
def refusing() -> Iterator[None]:
    """An error of this project's is an answer; its message can be printed."""
    try:
        yield
    except BuildDigestsError as error:
        printable(str(error))


def printable(text: str) -> None:
    """Raise where a text is none that can be written anywhere: it holds half a character."""
    text.encode()


_folders: list[TemporaryDirectory[str]] = []


def folder() -> Path:
    """A folder of this process, in memory where the machine has such a place."""
    if not _folders:
        memory = Path("/dev/shm")  # noqa: S108  # a folder in it is made by TemporaryDirectory
        _folders.append(TemporaryDirectory(dir=memory if memory.is_dir() else None))
    return Path(_folders[0].name)
