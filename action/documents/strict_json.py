"""Strict reading of JSON documents: the one JSON reader for files that users and other programs write.

Python's `json` accepts what other readers refuse or read differently. A document is refused here if it is not UTF-8, is
not JSON (`NaN` is not), has a key twice in one object, is nested deeper than MAX_DEPTH, or is too large.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from action.dataclass import dataclass
from action.documents.pointer import first_beyond, pointer, pointer_at
from action.errors import DocumentError

MAX_DEPTH = 200
"""Maximum nesting, in levels: a real build's provenance stays under 20, and Python's decoder can read far more."""

MAX_BYTES = 128 * 1024 * 1024
"""Maximum size of a file, in bytes."""

MAX_WHOLE_BYTES = 32 * 1024 * 1024
"""Maximum size of a document that is parsed as a whole, in bytes: the results of a bake of 1,000 targets have 5 MB."""

MAX_VALUES = 1_000_000
"""Maximum number of values of a document that is parsed as a whole: each may take a few hundred bytes of memory."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATES = re.compile(
    r"(?P<before>(?<!\\)(?:\\\\)*)\\u"
    r"(?:(?P<pair>[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""An escaped surrogate pair, or half of one, after an even number of backslashes, which escape each other."""


@dataclass(frozen=True)
class ParsedDocument:
    """JSON document that was read, valid or not.

    Attributes:
        source: the path of the file, or another name for the document.
        text: the document's text without the white space around it; None if it could not be read as text.
        value: the parsed value: a dict, list, str, int, float, bool or None.
        fault: why the document was refused, or None; with a fault, `value` is None.
    """

    source: str
    text: str | None
    value: object
    fault: DocumentError | None = None


def read_document(path: Path) -> ParsedDocument:
    """Read and parse a JSON file. Never raises: a fault is part of what is returned.

    Args:
        path: the file.
    """
    try:
        data = read_file(path)
    except DocumentError as fault:
        return ParsedDocument(str(path), None, None, fault)
    return parse_bytes(data, str(path))


def read_file(path: Path) -> bytes:
    """Read a file.

    Args:
        path: the file.

    Raises:
        DocumentError: the file cannot be read, or has more than MAX_BYTES.
    """
    source = str(path)
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else None
    except OSError as error:
        reasons = {FileNotFoundError: "there is no such file", IsADirectoryError: "this is a folder; name a file in it"}
        reason = reasons.get(type(error)) or error.strerror or str(error)
        raise DocumentError(source, "", f"expected a JSON file, but {reason}") from None
    if data is None:
        raise DocumentError(source, "", f"expected at most {MAX_BYTES} bytes, found {size}")
    return data


def parse_bytes(data: bytes, source: str) -> ParsedDocument:
    """Parse a JSON document. Never raises: a fault is part of what is returned.

    Args:
        data: the document, at most MAX_WHOLE_BYTES.
        source: the document's name in messages.
    """
    if len(data) > MAX_WHOLE_BYTES:
        problem = f"expected at most {MAX_WHOLE_BYTES} bytes, found {len(data)}"
        return ParsedDocument(source, None, None, DocumentError(source, "", problem))
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = pointer_at(data[: error.start].decode("utf-8"))
        problem = f"expected UTF-8, found the byte 0x{data[error.start]:02x} at offset {error.start}"
        line = data.count(b"\n", 0, error.start) + 1
        return ParsedDocument(source, None, None, DocumentError(source, place, problem, line))
    text = whole.strip()
    first_line = whole.count("\n", 0, len(whole) - len(whole.lstrip())) + 1
    try:
        return ParsedDocument(source, text, parse_document(text, source, first_line))
    except DocumentError as fault:
        return ParsedDocument(source, text, None, fault)


def parse_document(text: str, source: str, first_line: int = 1) -> object:
    """Parse a JSON text and return its value.

    Args:
        text: the text.
        source: the document's name in messages.
        first_line: the number of its first line in its file.

    Raises:
        DocumentError: the text is empty, is cut off, is not JSON, is nested too deep, or has too many values or a key
            twice.
    """
    _check_bounds(text, source)
    if _SURROGATE.search(text):
        # Python's decoder keeps half a surrogate pair, which no stream can write. Go's encoding/json, which BuildKit
        # and buildx use, replaces it by U+FFFD.
        text = _SURROGATES.sub(_replaced_surrogate, text)
    duplicates: list[tuple[dict[str, object], str]] = []

    def collect_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        members = dict(pairs)
        if len(members) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            duplicates.append((members, next(key for key, count in counts.items() if count > 1)))
        return members

    try:
        value = json.loads(text, object_pairs_hook=collect_members, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        line = error.lineno + first_line - 1
        problem = f"expected JSON: {error.msg} (line {line}, column {error.colno})"
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
            ends = f"expected the rest of a JSON document, which is cut off here (line {line})"
            problem = f"{ends}; check whether the program that writes it has succeeded"
        raise DocumentError(source, pointer_at(text[: error.pos]), problem, line) from None
    except ValueError as error:
        # Python refuses an integer of more than 4,300 digits (CVE-2020-10735).
        raise DocumentError(source, "", f"expected JSON: {error}") from None
    if duplicates:
        # Not the first: it may be inside a member that a later key of the same name replaced. An outer object ends
        # after its inner ones, so the last one is still in the document.
        owner, key = duplicates[-1]
        path = _path_to(value, owner)
        raise DocumentError(source, pointer([*path, key]), f"expected each key once, found {key!r} twice")
    return value


def _check_bounds(text: str, source: str) -> None:
    if not text.strip():
        raise DocumentError(source, "", "expected a JSON document, found nothing")
    # Counted before parsing, since the parsed values could fill the memory. Symbols in strings are counted too, so the
    # count can be too high.
    if sum(map(text.count, "[{,")) > MAX_VALUES:
        raise DocumentError(source, "", f"expected at most {MAX_VALUES} values, found more")
    if text.count("[") + text.count("{") > MAX_DEPTH and (place := first_beyond(text, MAX_DEPTH)) is not None:
        raise DocumentError(source, place, f"expected at most {MAX_DEPTH} levels of nesting, found more")


def _replaced_surrogate(match: re.Match[str]) -> str:
    return match[0] if match["pair"] else f"{match['before']}\\ufffd"


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _path_to(value: object, wanted: dict[str, object]) -> list[str | int]:
    """Return the path to an object of a document, found by identity."""
    pending: list[tuple[list[str | int], object]] = [([], value)]
    while pending:
        path, item = pending.pop()
        if item is wanted:
            return path
        if isinstance(item, dict):
            pending += [([*path, key], member) for key, member in item.items()]
        elif isinstance(item, list):
            pending += [([*path, index], member) for index, member in enumerate(item)]
    return []
