"""A metadata file, read and judged: the whole of this room.

Only faults in places that a digest is derived from can fail a step. Other deviations from the schema are reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from action.documents.pointer import pointer
from action.documents.strict_json import MAX_WHOLE_BYTES, ParsedDocument, parse_bytes, read_file
from action.errors import DocumentError, PackagesError
from action.evidence.metadata_long import read_known, read_known_bake
from action.evidence.metadata_places import WARNINGS, Judged, is_valid, judge
from action.evidence.responses import Metadata, read_responses
from action.packages.sets import SCHEMAS, provide

MAX_TEXT_BYTES = 16 * 1024 * 1024
"""Longest metadata that is handed on as text, in bytes; GitHub itself takes 1 MB as the output of a job."""

_MAX_SHOWN = 5


@dataclass(frozen=True)
class MetadataFile:
    """A metadata file that was read, or the part of a bake's that is one target's.

    Attributes:
        text: its text; None if it is none, is longer than MAX_TEXT_BYTES, or is one target's.
        metadata: what can be used of it.
        fault: why nothing can be used of it, or None.
        response_fault: why what it says of images cannot be used, or None; its reference can.
        too_long: why its text is not handed on, or None.
        deviations: JSON pointers to places that are not as the schema says, and that no digest is derived from.
    """

    text: str | None
    metadata: Metadata
    fault: DocumentError | None = None
    response_fault: DocumentError | None = None
    too_long: str | None = None
    deviations: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[DocumentError, ...]:
        """Its faults."""
        return tuple(fault for fault in (self.fault, self.response_fault) if fault)


@dataclass(frozen=True)
class BakeMetadataFile:
    """A bake's metadata file that was read.

    Attributes:
        text: its text; None if it is none, or is longer than MAX_TEXT_BYTES.
        targets: target name to what it says of that target.
        fault: why nothing can be used of it, or None.
        too_long: why its text is not handed on, or None.
        deviations: JSON pointers to places that are not as the schema says, and that no digest is derived from.
    """

    text: str | None
    targets: Mapping[str, MetadataFile]
    fault: DocumentError | None = None
    too_long: str | None = None
    deviations: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[DocumentError, ...]:
        """Its faults, and those of its targets."""
        own = (self.fault,) if self.fault else ()
        return (*own, *(fault for target in self.targets.values() for fault in target.faults))


def read_bake_metadata_file(path: Path, *, written: bool = True) -> BakeMetadataFile:
    """Read a bake's metadata file. A fault in one target does not affect the others.

    Args:
        path: the file.
        written: whether buildx wrote it; else it is as good as none.
    """
    try:
        data = _read(path, written=written)
    except DocumentError as fault:
        return BakeMetadataFile(None, {}, fault)
    known = read_known_bake(data)
    if known is not None:
        targets = {name: MetadataFile(None, read_responses(value)) for name, value in known.document.items()}
        return BakeMetadataFile(_text(data), targets, None, _too_long(data), known.deviations)
    document = _whole(data, path)
    text, too_long, value = _kept(document), _too_long(data), document.value
    if document.fault is None and not isinstance(value, dict):
        return BakeMetadataFile(text, {}, _described(document, "bake", ""), too_long)
    if not isinstance(value, dict):
        return BakeMetadataFile(text, {}, document.fault, too_long)
    judged = {name: judge(member, (name,)) for name, member in value.items() if name != WARNINGS}
    distrusted = [name for name, each in judged.items() if each.distrusted]
    described = _described_targets(document, distrusted)
    targets = {name: _part(each, described.get(name)) for name, each in judged.items()}
    deviations = [place for each in judged.values() for place in each.deviations]
    if not is_valid(WARNINGS, value.get(WARNINGS)):
        deviations.append(pointer([WARNINGS]))
    return BakeMetadataFile(text, targets, None, too_long, tuple(deviations))


def read_metadata_file(path: Path, *, written: bool = True) -> MetadataFile:
    """Read a metadata file.

    Args:
        path: the file.
        written: whether buildx wrote it; else it is as good as none.
    """
    try:
        data = _read(path, written=written)
    except DocumentError as fault:
        return MetadataFile(None, Metadata(), fault)
    known = read_known(data)
    if known is not None:
        metadata = read_responses(known.document)
        return MetadataFile(_text(data), metadata, too_long=_too_long(data), deviations=known.deviations)
    document = _whole(data, path)
    text, too_long = _kept(document), _too_long(data)
    if document.fault:
        return MetadataFile(text, Metadata(), document.fault, too_long=too_long)
    judged = judge(document.value)
    part = _part(judged, _described(document, "metadata", "") if judged.distrusted else None)
    return MetadataFile(text, part.metadata, part.fault, part.response_fault, too_long, part.deviations)


def _part(judged: Judged, fault: DocumentError | None) -> MetadataFile:
    if judged.document is None:
        return MetadataFile(None, Metadata(), fault, deviations=judged.deviations)
    metadata = replace(read_responses(judged.document), distrusted=judged.distrusted)
    return MetadataFile(None, metadata, response_fault=fault, deviations=judged.deviations)


def _read(path: Path, *, written: bool) -> bytes:
    if not written:
        problem = "expected the metadata of this build, but buildx wrote none: update buildx"
        raise DocumentError(str(path), "", problem)
    return read_file(path)


def _whole(data: bytes, path: Path) -> ParsedDocument:
    document = parse_bytes(data, str(path))
    if len(data) > MAX_WHOLE_BYTES:
        problem = f"expected each known key once and in its form; of a file of {len(data)} bytes nothing else is read"
        return ParsedDocument(document.source, None, None, DocumentError(str(path), "", problem))
    return document


def _described(document: ParsedDocument, schema: str, place: str) -> DocumentError:
    """Say what is wrong with a document that has a fault in a place that a digest is derived from."""
    return _first_faults(_faults(document, schema), document.source, place)


def _described_targets(document: ParsedDocument, names: Sequence[str]) -> dict[str, DocumentError]:
    if not names:
        return {}
    found = _faults(document, "bake")
    described = {}
    for name in names:
        place = pointer([name])
        own = [fault for fault in found if f"{fault.pointer}/".startswith(f"{place}/")]
        described[name] = _first_faults(own, document.source, place)
    return described


def _faults(document: ParsedDocument, schema: str) -> list[DocumentError]:
    """The faults that the schema finds; none if what looks for them cannot be installed."""
    try:
        provide(SCHEMAS)
    except PackagesError:
        return []
    # Only a faulty file needs it; it draws in a lot.
    from action.documents.schema import faults  # noqa: PLC0415

    return list(faults(document.value, schema, document.source))


def _first_faults(found: Sequence[DocumentError], source: str, place: str) -> DocumentError:
    if not found:
        problem = "expected metadata as the schema says, found a fault: build-digests validate names it"
        return DocumentError(source, place, problem)
    shown = [f"at {fault.pointer or 'the top'}: {fault.problem}" for fault in found[1:_MAX_SHOWN]]
    more = [f"and {len(found) - _MAX_SHOWN} more"] if len(found) > _MAX_SHOWN else []
    return DocumentError(found[0].source, found[0].pointer, "; ".join([found[0].problem, *shown, *more]))


def _kept(document: ParsedDocument) -> str | None:
    text = document.text
    return text if text is not None and len(text.encode("utf-8", "replace")) <= MAX_TEXT_BYTES else None


def _text(data: bytes) -> str | None:
    return data.decode().strip() if len(data) <= MAX_TEXT_BYTES else None


def _too_long(data: bytes) -> str | None:
    if len(data) <= MAX_TEXT_BYTES:
        return None
    return f"the metadata file has {len(data)} bytes, and as an output at most {MAX_TEXT_BYTES}: metadata is not set"
