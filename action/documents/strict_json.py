"""Reads a JSON document strictly, and says where one is broken.

A file is refused that is not UTF-8, not JSON, has a key twice in one object, or nests deeper than any real one does.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from action.documents.pointer import first_beyond, pointer, pointer_at
from action.errors import DocumentError

MAX_DEPTH = 200
"""Deepest nesting that is read: a real build's provenance stays under 20, and Python's decoder can do far more."""

MAX_BYTES = 128 * 1024 * 1024
"""Longest file that is read at all, in bytes."""

MAX_WHOLE_BYTES = 32 * 1024 * 1024
"""Longest document that is read whole, in bytes: the results of a bake of 1,000 targets have 5 MB."""

MAX_VALUES = 1_000_000
"""Most values of a document that is read whole: each may take a few hundred bytes of memory."""


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATES = re.compile(
    r"(?P<before>(?<!\\)(?:\\\\)*)\\u"
    r"(?:(?P<pair>[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""An escaped half of a character, or both halves: no escaped backslash stands right before."""


@dataclass(frozen=True)
class ParsedDocument:
    """A JSON document.

    Attributes:
        source: the file it comes from.
        text: the file's text, without the white space around it; None where it is no text.
        value: what it holds.
        fault: what is wrong with it; then `value` is None.
    """

    source: str
    text: str | None
    value: object
    fault: DocumentError | None = None


def read_document(path: Path) -> ParsedDocument:
    """Read a JSON file. Never raises: a fault is part of what is returned, beside the text that was read."""
    try:
        data = read_file(path)
    except DocumentError as fault:
        return ParsedDocument(str(path), None, None, fault)
    return parse_bytes(data, str(path))


def read_file(path: Path) -> bytes:
    """Read a file.

    Raises:
        DocumentError: it cannot be read, or is longer than MAX_BYTES.
    """
    source = str(path)
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else None
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
        raise DocumentError(source, "", f"expected a JSON file, but {reason}") from None
    if data is None:
        raise DocumentError(source, "", f"expected at most {MAX_BYTES} bytes, found {size}")
    return data


def parse_bytes(data: bytes, source: str) -> ParsedDocument:
    """Read a JSON document out of bytes. Never raises.

    Args:
        data: the bytes.
        source: what to call them in errors.
    """
    if len(data) > MAX_WHOLE_BYTES:
        problem = f"expected at most {MAX_WHOLE_BYTES} bytes, found {len(data)}"
        return ParsedDocument(source, None, None, DocumentError(source, "", problem))
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        place = pointer_at(data[: error.start].decode("utf-8"))
        problem = f"expected UTF-8, found the byte 0x{data[error.start]:02x} at offset {error.start}"
        return ParsedDocument(source, None, None, DocumentError(source, place, problem))
    try:
        return ParsedDocument(source, text, parse_document(text, source))
    except DocumentError as fault:
        return ParsedDocument(source, text, None, fault)


def parse_document(text: str, source: str) -> object:
    """Parse a JSON text.

    Args:
        text: the text.
        source: what to call it in errors.

    Raises:
        DocumentError: it is empty, cut off, nested too deep, has too many values or a key twice, or is no JSON.
    """
    _check_bounds(text, source)
    if _SURROGATE.search(text):
        # Half a character can be written nowhere. It is read as Go's decoder reads it.
        text = _SURROGATES.sub(_whole_character, text)
    duplicates: list[tuple[dict[str, object], str]] = []

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            duplicates.append((found, next(key for key, count in counts.items() if count > 1)))
        return found

    try:
        value = json.loads(text, object_pairs_hook=members, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        problem = f"expected JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
            problem = f"expected the rest of a JSON document that ends here, cut off (line {error.lineno})"
        raise DocumentError(source, pointer_at(text[: error.pos]), problem) from None
    except ValueError as error:
        raise DocumentError(source, "", f"expected JSON: {error}") from None
    if duplicates:
        # The last one: whatever held it has no key twice itself, so that it is still in the document.
        owner, key = duplicates[-1]
        path = _path_to(value, owner)
        raise DocumentError(source, pointer([*path, key]), f"expected each key once, found {key!r} twice")
    return value


def _check_bounds(text: str, source: str) -> None:
    if not text.strip():
        raise DocumentError(source, "", "expected a JSON document, found nothing")
    if sum(map(text.count, "[{,")) > MAX_VALUES:
        raise DocumentError(source, "", f"expected at most {MAX_VALUES} values, found more")
    if text.count("[") + text.count("{") > MAX_DEPTH and (place := first_beyond(text, MAX_DEPTH)) is not None:
        raise DocumentError(source, place, f"expected at most {MAX_DEPTH} levels of nesting, found more")


def _whole_character(match: re.Match[str]) -> str:
    return match[0] if match["pair"] else f"{match['before']}\\ufffd"


def _no_constant(name: str) -> object:
    message = f"{name} is no JSON number"
    raise ValueError(message)


def _path_to(value: object, wanted: dict[str, object]) -> list[str | int]:
    """The path to an object of the document."""
    pending: list[tuple[list[str | int], object]] = [([], value)]
    while pending:
        path, item = pending.pop()
        if item is wanted:
            return path
        if isinstance(item, dict):
            pending += [([*path, key], member) for key, member in item.items()]
        elif isinstance(item, list):
            pending += [([*path, place], member) for place, member in enumerate(item)]
    return []
