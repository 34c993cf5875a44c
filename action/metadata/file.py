"""A metadata file, read and held against its schema: the whole of this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from action.errors import DocumentError
from action.metadata.document import MAX_WHOLE_BYTES, Document, document_of, read_file
from action.metadata.known import WARNINGS, read_known, read_known_bake
from action.metadata.position import pointer
from action.metadata.responses import Metadata, read_responses
from action.packages import SCHEMAS, provide

MAX_TEXT_BYTES = 16 * 1024 * 1024
"""Longest metadata that is handed on as text, in bytes; GitHub itself takes 1 MB as the output of a job."""

_MOST_SHOWN = 5


@dataclass(frozen=True)
class MetadataFile:
    """A metadata file that was read.

    Attributes:
        text: its text; None where it is none, or is longer than MAX_TEXT_BYTES.
        metadata: what it says; nothing where it has a fault.
        fault: what is wrong with it, or None.
        too_long: why its text is not handed on, or None.
    """

    text: str | None
    metadata: Metadata
    fault: DocumentError | None
    too_long: str | None = None


@dataclass(frozen=True)
class BakeMetadataFile:
    """A bake's metadata file that was read.

    Attributes:
        text: its text; None where it is none, or is longer than MAX_TEXT_BYTES.
        targets: target name to what it says of that target; one with a fault is left out.
        faults: what is wrong with it.
        too_long: why its text is not handed on, or None.
    """

    text: str | None
    targets: Mapping[str, Metadata]
    faults: tuple[DocumentError, ...]
    too_long: str | None = None


def read_bake_metadata_file(path: Path, *, written: bool = True) -> BakeMetadataFile:
    """Read a bake's metadata file and hold it against its schema. A fault in one target costs no other.

    Args:
        path: the file.
        written: whether buildx wrote it; else it is as good as none.

    Raises:
        PackagesError: the file is not known at once, and what holds it against its schema cannot be installed.
    """
    try:
        data = _read(path, written=written)
    except DocumentError as fault:
        return BakeMetadataFile(None, {}, (fault,))
    known = read_known_bake(data)
    if known is not None:
        targets = {name: read_responses(value) for name, value in known.items()}
        return BakeMetadataFile(_text(data), targets, (), _too_long(data))
    document = _whole(data, path)
    text, too_long = _kept(document), _too_long(data)
    if document.fault:
        return BakeMetadataFile(text, {}, (document.fault,), too_long)
    found = _faults(document, "bake")
    if not isinstance(document.value, dict) or _may_be_more(found):
        return BakeMetadataFile(text, {}, found, too_long)
    faulty = {fault.pointer for fault in found}
    targets = {
        name: read_responses(value)
        for name, value in document.value.items()
        if name != WARNINGS and not any(f"{each}/".startswith(f"{pointer([name])}/") for each in faulty)
    }
    return BakeMetadataFile(text, targets, found, too_long)


def read_metadata_file(path: Path, *, written: bool = True) -> MetadataFile:
    """Read a metadata file and hold it against its schema.

    Args:
        path: the file.
        written: whether buildx wrote it; else it is as good as none.

    Raises:
        PackagesError: the file is not known at once, and what holds it against its schema cannot be installed.
    """
    try:
        data = _read(path, written=written)
    except DocumentError as fault:
        return MetadataFile(None, Metadata(), fault)
    known = read_known(data)
    if known is not None:
        return MetadataFile(_text(data), read_responses(known), None, _too_long(data))
    document = _whole(data, path)
    found = document.fault or _first_faults(_faults(document, "metadata"))
    metadata = Metadata() if found else read_responses(document.value)
    return MetadataFile(_kept(document), metadata, found, _too_long(data))


def _read(path: Path, *, written: bool) -> bytes:
    if not written:
        problem = "expected the metadata of this build, but buildx wrote none: update buildx"
        raise DocumentError(str(path), "", problem)
    return read_file(path)


def _whole(data: bytes, path: Path) -> Document:
    document = document_of(data, str(path))
    if len(data) > MAX_WHOLE_BYTES:
        problem = f"expected each known key once and in its form; of a file of {len(data)} bytes nothing else is read"
        return Document(document.source, None, None, DocumentError(str(path), "", problem))
    return document


def _faults(document: Document, schema: str) -> tuple[DocumentError, ...]:
    # A file that is known needs no schema; this draws in a lot.
    provide(SCHEMAS)
    from action.metadata.schema import faults  # noqa: PLC0415

    return tuple(faults(document.value, schema, document.source))


def _may_be_more(found: Sequence[DocumentError]) -> bool:
    """Whether there may be faults that were not told: then no part of the document is known to be good."""
    from action.metadata.schema import MOST_FAULTS  # noqa: PLC0415  # the same

    return len(found) >= MOST_FAULTS


def _first_faults(found: Sequence[DocumentError]) -> DocumentError | None:
    if not found:
        return None
    shown = [f"at {fault.pointer or 'the top'}: {fault.problem}" for fault in found[1:_MOST_SHOWN]]
    more = [f"and {len(found) - _MOST_SHOWN} more"] if len(found) > _MOST_SHOWN else []
    return DocumentError(found[0].source, found[0].pointer, "; ".join([found[0].problem, *shown, *more]))


def _kept(document: Document) -> str | None:
    text = document.text
    return text if text is not None and len(text.encode("utf-8", "replace")) <= MAX_TEXT_BYTES else None


def _text(data: bytes) -> str | None:
    return data.decode().strip() if len(data) <= MAX_TEXT_BYTES else None


def _too_long(data: bytes) -> str | None:
    if len(data) <= MAX_TEXT_BYTES:
        return None
    return f"the metadata file has {len(data)} bytes, and as an output at most {MAX_TEXT_BYTES}: metadata is not set"
