"""Validates documents against the JSON Schemas, for people and for CI."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from action.dataclass import dataclass, replace
from action.documents.pointer import lines_of
from action.documents.schema import faults, guess_schema
from action.documents.strict_json import MAX_BYTES, MAX_WHOLE_BYTES, ParsedDocument, parse_bytes, read_file
from action.errors import DocumentError
from action.evidence.metadata_long import read_known, read_known_bake

STANDARD_INPUT = "-"
"""The name of a document that is read from standard input."""

_CHUNK = 1024 * 1024
_HEAD = 1024
_MAX_SHOWN = 40
_FIRST = re.compile(rb'[{["]|-?[0-9]|true|false|null')
"""What a JSON document begins with (RFC 8259, section 3)."""

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")

_TAR_MAGIC = slice(257, 262)
"""The place of the text `ustar` in a tar (POSIX, pax, "ustar Interchange Format")."""

_GZIP = b"\x1f\x8b"
_NAME = "name a file that docker buildx or build-digests wrote"


@dataclass(frozen=True)
class CheckedDocument:
    """A document and its faults.

    Attributes:
        source: the path of its file, or another name for it.
        schema: the name of the schema that it was compared with; None if it was not.
        faults: its faults, in the order of their places; at most `MAX_FAULTS` of a document that is JSON.
        is_readable: whether there was a file to check.
    """

    source: str
    schema: str | None
    faults: tuple[DocumentError, ...] = ()
    is_readable: bool = True


def validate_file(file: Path, schema: str | None) -> tuple[DocumentError, ...]:
    """Return every fault of a file.

    Args:
        file: a JSON file.
        schema: the name of its schema; None to detect it.
    """
    return check_file(file, schema).faults


def check_file(file: Path, schema: str | None) -> CheckedDocument:
    """Check a file.

    Args:
        file: a JSON file.
        schema: the name of its schema; None to detect it.
    """
    try:
        data = read_file(file)
    except DocumentError as fault:
        advice = "" if file.exists() else "; check the path, and whether the program that writes the file has succeeded"
        fault = DocumentError(fault.source, "", f"{fault.problem}{advice}")
        return CheckedDocument(str(file), None, (fault,), is_readable=False)
    return check_bytes(data, str(file), schema)


def check_standard_input(schema: str | None) -> CheckedDocument:
    """Check the document on standard input.

    Args:
        schema: the name of its schema; None to detect it.
    """
    source = "standard input"
    data = bytearray()
    # Not read(MAX_BYTES + 1), which reserves that much memory for any document.
    while chunk := sys.stdin.buffer.read(_CHUNK):
        data += chunk
        if len(data) > MAX_BYTES:
            fault = DocumentError(source, "", f"expected at most {MAX_BYTES} bytes, found more")
            return CheckedDocument(source, None, (fault,))
    return check_bytes(bytes(data), source, schema)


def check_bytes(data: bytes, source: str, schema: str | None) -> CheckedDocument:
    """Check a document.

    Args:
        data: the document.
        source: its name in messages.
        schema: the name of its schema; None to detect it.
    """
    if len(data) > MAX_WHOLE_BYTES and schema in {None, "metadata", "bake"}:
        # A file of this length is not parsed as a whole; if its known part is valid, the file counts as valid.
        readers = {"metadata": read_known, "bake": read_known_bake}
        for kind, reader in readers.items():
            if schema in {None, kind} and (known := reader(data)) and known.is_valid:
                return CheckedDocument(source, kind)
    document = parse_bytes(data, source)
    if document.fault:
        problem = _no_document(data) or document.fault.problem
        fault = DocumentError(source, document.fault.pointer, problem, document.fault.line)
        return _with_lines(CheckedDocument(source, schema, (fault,)), data)
    name = schema or guess_schema(document.value)
    if name is None:
        return CheckedDocument(source, None, (_unknown_kind(document),))
    return _with_lines(CheckedDocument(source, name, tuple(faults(document.value, name, source))), data)


def _with_lines(checked: CheckedDocument, data: bytes) -> CheckedDocument:
    """Return the faults with the lines of their places."""
    if not checked.faults or len(data) > MAX_WHOLE_BYTES:
        return checked
    lines = lines_of(data.decode("utf-8", "replace"), {fault.pointer for fault in checked.faults if not fault.line})
    located = (
        DocumentError(fault.source, fault.pointer, fault.problem, fault.line or lines.get(fault.pointer))
        for fault in checked.faults
    )
    return replace(checked, faults=tuple(located))


def _unknown_kind(document: ParsedDocument) -> DocumentError:
    expected = "expected a metadata, bake, results or digests document"
    rule = "name the schema, for example with --schema metadata"
    if document.value == {}:
        problem = f"{expected}, found an empty object, which each of them can be; {rule}"
    else:
        problem = f"{expected}, found another; {rule}"
    return DocumentError(document.source, "", problem, 1)


def _no_document(data: bytes) -> str | None:
    """Return what a file contains instead of JSON, for the error; None if it begins like JSON."""
    head = data.lstrip()[:_HEAD]
    first = (head.splitlines() or [b""])[0].decode("utf-8", "replace")
    shown = first if len(first) <= _MAX_SHOWN else f"{first[:_MAX_SHOWN]}…"
    kinds = (
        (not head, "nothing; check whether the program that writes the file has succeeded"),
        (data[_TAR_MAGIC] == b"ustar", "a tar; if it is a build record, build-digests inspect reads it"),
        (data.startswith(_GZIP), "compressed data; if it is a build record, build-digests inspect reads it"),
        (data.startswith((b"\xff\xfe", b"\xfe\xff")), "UTF-16; write it as UTF-8"),
        (data.startswith(b"\xef\xbb\xbf"), "a byte order mark before it; write it without one"),
        (_FIRST.match(head), None),
        (_CONTROL.search(head), f"binary data; {_NAME}"),
        (True, f"a text that begins with {shown!r}; {_NAME}"),
    )
    found = next(kind for applies, kind in kinds if applies)
    return found and f"expected a JSON document, found {found}"
