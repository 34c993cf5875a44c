"""Finds the plain files of a tar by its headers, in one pass whose time is proportional to the headers' length.

https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html, and GNU tar's manual for the forms of GNU tar.

Python's tarfile is not used: only its newest release reads hostile headers in bounded time. In older ones the
numbers and the records of a pax header make it search the same bytes repeatedly, and it reads the map of a sparse file
of any length. If two headers contradict each other about a file, tar programs differ in which one they follow; such a
tar is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import IO

from action.dataclass import dataclass

MAX_HEADER_BYTES = 16 * 1024 * 1024
"""Maximum number of bytes of long headers (names, attributes) in one tar: real tars have a few hundred."""

# Each header is one block, and data is padded to whole ones.
_BLOCK = 512
_BASE_256 = 0x80
"""The first byte of a number that is not in octal digits but in bytes (GNU tar, tar.h)."""

_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
"""A number in a header. Some programs read on after a NUL, so nothing may follow it."""

_DECIMAL = re.compile(rb"[0-9]{1,18}")
_PLAIN = frozenset((b"0", b"\0", b"7"))
_WITHOUT_DATA = frozenset((b"1", b"2", b"3", b"4", b"5", b"6"))
"""Links, devices, folders and FIFOs: no data follows, whatever their size is."""

_ATTRIBUTES = frozenset((b"x", b"X"))
_GLOBAL_ATTRIBUTES = b"g"
_LONG_NAME = b"L"
_LONG_LINK = b"K"
_LONG_HEADERS = frozenset((*_ATTRIBUTES, _GLOBAL_ATTRIBUTES, _LONG_NAME, _LONG_LINK))
_SPARSE = b"S"
_SPARSE_GOES_ON, _SPARSE_GOES_ON_AGAIN = 482, 504


@dataclass(frozen=True)
class PlainFile:
    """A plain file in a tar: its name in the tar, the offset of its bytes and their number."""

    name: str
    offset: int
    size: int


@dataclass
class _Next:
    """The properties of the next member from long headers: its name, its size, and whether it is sparse."""

    name: bytes | None = None
    size: int | None = None
    sparse: bool = False
    attributed: bool = False


def plain_files(file: IO[bytes], max_headers: int) -> Iterator[PlainFile]:
    """Yield every plain file of a tar in its order, without sparse files.

    Args:
        file: the tar.
        max_headers: the maximum number of headers.

    Raises:
        ValueError: the file is not a tar, is cut off, or has too many or too long headers.
    """
    # Seeking beyond the end of a file does not fail, so each size is compared with the length.
    length = file.seek(0, os.SEEK_END)
    left = MAX_HEADER_BYTES
    place = headers = 0
    coming = _Next()
    while header := _header(file, place):
        headers += 1
        if headers > max_headers:
            raise ValueError(f"it has more than {max_headers} members")
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
    """Read the header at an offset; None at the end of the tar."""
    file.seek(place)
    header = file.read(_BLOCK)
    # An empty block ends a tar. Some programs write none, so the end of the file counts as well.
    if not header.strip(b"\0"):
        return None
    if len(header) < _BLOCK:
        raise ValueError("it is cut off")
    # The checksum is computed with spaces in its own field.
    checksum = _OCTAL.fullmatch(header[148:156])
    if checksum is None or int(checksum[1] or b"0", 8) != sum(header[:148]) + 8 * 32 + sum(header[156:]):
        raise ValueError("the checksum of a header is wrong")
    return header


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise ValueError("it is cut off")
    return data


def _take(coming: _Next, kind: bytes, data: bytes) -> None:
    """Store the properties of the next member from a long header."""
    # The long target of a link (`K`) is skipped: links are never read.
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
        of_all = _Next()
        _take_attributes(of_all, data)
        if of_all != _Next():
            raise ValueError("a global header sets the name or the size of all members")


def _take_attributes(coming: _Next, data: bytes) -> None:
    for key, value in _attributes(data):
        if key == b"path":
            _set_name(coming, value)
        elif key == b"size":
            if coming.size is not None or not _DECIMAL.fullmatch(value):
                raise ValueError("the size of a member is malformed, or is given twice")
            coming.size = int(value)
        elif key.startswith(b"GNU.sparse."):
            coming.sparse = True


def _set_name(coming: _Next, name: bytes) -> None:
    if coming.name is not None:
        raise ValueError("a member has two names")
    coming.name = name


def _attributes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of each record of a pax header: a length, a space, the key, `=`, the value, a line break."""
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
    """Return the offset after a header and the blocks that continue the map of a sparse file."""
    goes_on = header[156:157] == _SPARSE and header[_SPARSE_GOES_ON]
    while goes_on:
        goes_on = _exactly(file, _BLOCK)[_SPARSE_GOES_ON_AGAIN]
        place += _BLOCK
    return place


def _kind(header: bytes) -> bytes:
    kind = header[156:157]
    # Before tars had kinds, a folder was recognized by the end of its name.
    return b"5" if kind == b"\0" and _name(header).endswith(b"/") else kind


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    # GNU tar's own form, whose magic ends with spaces, has other fields in the place of the prefix.
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _number(field: bytes) -> int:
    """Return a number of a header: octal digits, or bytes if the first bit is set."""
    if field[0] == _BASE_256:
        return int.from_bytes(field[1:], "big")
    number = _OCTAL.fullmatch(field)
    if number is None:
        raise ValueError("the size in a header is not a number, or is negative")
    return int(number[1] or b"0", 8)


def _blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
