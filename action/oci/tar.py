"""Where the plain files of a tar are: its headers, read in one pass that takes no longer than they are.

https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html, and GNU tar's manual for what its own tar does. Of
Python's tarfile only the newest release reads hostile headers in bounded time: the numbers in a pax header, and its
records, make it search the same bytes again and again, and a sparse file's map is read however long it is. Where two
headers say different things of one file, readers take one or the other; such a tar is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

MAX_HEADER_BYTES = 16 * 1024 * 1024
"""Most bytes of long headers (names, attributes) that are read of one tar: those of real ones are a few hundred."""

_BLOCK = 512
_BASE_256 = 0x80
"""The first byte of a number that is not in octal digits but in bytes (GNU tar, tar.h)."""

_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
"""A number in a header. What comes after a NUL is part of it to some readers, so nothing may."""

_DECIMAL = re.compile(rb"[0-9]{1,18}")
_PLAIN = frozenset((b"0", b"\0", b"7"))
_WITHOUT_DATA = frozenset((b"1", b"2", b"3", b"4", b"5", b"6"))
"""Links, devices, folders and FIFOs: whatever their size says, no data follows."""

_ATTRIBUTES = frozenset((b"x", b"X"))
_GLOBAL_ATTRIBUTES = b"g"
_LONG_NAME = b"L"
_LONG_LINK = b"K"
_LONG_HEADERS = frozenset((*_ATTRIBUTES, _GLOBAL_ATTRIBUTES, _LONG_NAME, _LONG_LINK))
_SPARSE = b"S"
_SPARSE_GOES_ON, _SPARSE_GOES_ON_AGAIN = 482, 504


@dataclass(frozen=True)
class PlainFile:
    """A plain file in a tar: its name as the tar has it, where its bytes begin, and how many they are."""

    name: str
    offset: int
    size: int


@dataclass
class _Next:
    """What long headers say of the next member: its name, its size, and whether it is sparse."""

    name: bytes | None = None
    size: int | None = None
    sparse: bool = False
    attributed: bool = False


def plain_files(file: IO[bytes], most: int) -> Iterator[PlainFile]:
    """Every plain file of a tar, in its order; one with holes is left out.

    Args:
        file: the tar.
        most: the most headers that it may have.

    Raises:
        ValueError: it is no tar, is cut off, or has too many headers or too long ones.
    """
    length = file.seek(0, os.SEEK_END)
    left = MAX_HEADER_BYTES
    place = headers = 0
    coming = _Next()
    while header := _header(file, place):
        headers += 1
        if headers > most:
            raise ValueError(f"it has more than {most} members")
        place += _BLOCK
        kind, size = _kind(header), _number(header[124:136])
        if kind in _LONG_HEADERS:
            left -= size
            if left < 0:
                raise ValueError(f"its headers have more than {MAX_HEADER_BYTES} bytes")
            _take(coming, kind, _exactly(file, size))
            place += _blocks(size)
            continue
        place = _after_map(file, header, place)
        size = size if coming.size is None else coming.size
        stored = 0 if kind in _WITHOUT_DATA else size
        if place + stored > length:
            raise ValueError("it is cut off")
        if kind in _PLAIN and not coming.sparse:
            name = _name(header) if coming.name is None else coming.name
            yield PlainFile(name.decode("utf-8", "surrogateescape"), place, size)
        place += _blocks(stored)
        coming = _Next()
    if not headers or coming != _Next():
        raise ValueError("a long header belongs to no member" if headers else "it is empty")


def _header(file: IO[bytes], place: int) -> bytes | None:
    """The header at a place; None at the tar's end."""
    file.seek(place)
    header = file.read(_BLOCK)
    if not header.strip(b"\0"):
        return None
    if len(header) < _BLOCK:
        raise ValueError("it is cut off")
    said = _OCTAL.fullmatch(header[148:156])
    if said is None or int(said[1] or b"0", 8) != sum(header[:148]) + 8 * 32 + sum(header[156:]):
        raise ValueError("a header has another checksum than it says")
    return header


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise ValueError("it is cut off")
    return data


def _take(coming: _Next, kind: bytes, data: bytes) -> None:
    """Take what a long header says of the next member."""
    if kind == _LONG_NAME:
        name, end, _ = data.partition(b"\0")
        if not end:
            raise ValueError("a long name has no end")
        _set_name(coming, name)
    elif kind in _ATTRIBUTES:
        if coming.attributed:
            raise ValueError("a member has its attributes twice")
        coming.attributed = True
        _take_attributes(coming, data)
    elif kind == _GLOBAL_ATTRIBUTES:
        everybody = _Next()
        _take_attributes(everybody, data)
        if everybody != _Next():
            raise ValueError("it says a name or a size of all members at once")


def _take_attributes(coming: _Next, data: bytes) -> None:
    for key, value in _attributes(data):
        if key == b"path":
            _set_name(coming, value)
        elif key == b"size":
            if coming.size is not None or not _DECIMAL.fullmatch(value):
                raise ValueError("a member has no size, or two")
            coming.size = int(value)
        elif key.startswith(b"GNU.sparse."):
            coming.sparse = True


def _set_name(coming: _Next, name: bytes) -> None:
    if coming.name is not None:
        raise ValueError("a member has two names")
    coming.name = name


def _attributes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The records of a pax header: a length, a space, a key, `=`, a value, a newline."""
    place = 0
    while place < len(data):
        space = data.find(b" ", place, place + 20)
        digits = data[place : max(space, place)]
        end = place + int(digits) if _DECIMAL.fullmatch(digits) else 0
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not space < end <= len(data) or data[end - 1 : end] != b"\n" or not equals:
            raise ValueError("an attribute of a member cannot be read")
        yield key, value
        place = end


def _after_map(file: IO[bytes], header: bytes, place: int) -> int:
    """The place after a header: the map of a sparse file may go on in blocks of its own."""
    goes_on = header[156:157] == _SPARSE and header[_SPARSE_GOES_ON]
    while goes_on:
        goes_on = _exactly(file, _BLOCK)[_SPARSE_GOES_ON_AGAIN]
        place += _BLOCK
    return place


def _kind(header: bytes) -> bytes:
    kind = header[156:157]
    # Before there were kinds, a folder was told by the end of its name.
    return b"5" if kind == b"\0" and _name(header).endswith(b"/") else kind


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    # GNU tar's own form, whose magic ends in spaces, has other things in the place of the prefix.
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _number(field: bytes) -> int:
    """A number in a header: octal digits, or bytes after a bit that says so."""
    if field[0] == _BASE_256:
        return int.from_bytes(field[1:], "big")
    said = _OCTAL.fullmatch(field)
    if said is None:
        raise ValueError("a header has a size that is no number, or is less than nothing")
    return int(said[1] or b"0", 8)


def _blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
