"""Reads a metadata file and decides which parts of it can be used.

Only faults in places that a digest is derived from can fail a step. Other deviations from the schema are reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from action.dataclass import dataclass, replace
from action.documents.pointer import pointer
from action.documents.strict_json import MAX_WHOLE_BYTES, ParsedDocument, parse_bytes, read_file
from action.errors import DocumentError, PackagesError
from action.evidence.metadata_places import WARNINGS, Judged, Known, is_valid, judge
from action.evidence.responses import Metadata, read_responses
from action.packages.sets import SCHEMAS, provide

MAX_TEXT_BYTES = 16 * 1024 * 1024
"""Longest metadata that becomes a step output, in bytes; the output of a GitHub job can have 1 MB."""

# Faults in one message.
_MAX_SHOWN = 5


@dataclass(frozen=True)
class TargetMetadata:
    """What a metadata file contains about one target.

    Attributes:
        metadata: the part that can be used.
        fault: why nothing can be used, or None.
        response_fault: why its responses cannot be used, or None; its reference can still be used.
    """

    metadata: Metadata
    fault: DocumentError | None = None
    response_fault: DocumentError | None = None

    @property
    def faults(self) -> tuple[DocumentError, ...]:
        """Its faults."""
        return tuple(fault for fault in (self.fault, self.response_fault) if fault)


@dataclass(frozen=True)
class MetadataFile:
    """A metadata file that was read.

    Attributes:
        text: its text; None if there is none, or it is longer than MAX_TEXT_BYTES.
        targets: target name to what the file contains about it; the name is empty for the file of a build.
        fault: why nothing can be used of the file, or None.
        too_long: why its text is not reported, or None.
        deviations: JSON pointers to places that deviate from the schema, and that no digest is derived from.
    """

    text: str | None
    targets: Mapping[str, TargetMetadata]
    fault: DocumentError | None = None
    too_long: str | None = None
    deviations: tuple[str, ...] = ()

    @property
    def build(self) -> TargetMetadata:
        """What the file of a build contains."""
        return self.targets.get("", TargetMetadata(Metadata()))

    @property
    def faults(self) -> tuple[DocumentError, ...]:
        """The file's own fault, and those of its targets."""
        own = (self.fault,) if self.fault else ()
        return (*own, *(fault for target in self.targets.values() for fault in target.faults))


def read_metadata_file(path: Path, *, bake: bool = False, written: bool = True) -> MetadataFile:
    """Read a metadata file. A fault in one target does not affect the others.

    Args:
        path: the file.
        bake: whether it is a bake's, which has an object for each target.
        written: whether buildx wrote it in this run; otherwise it counts as missing.
    """
    try:
        data = _read(path, written=written)
    except DocumentError as fault:
        return MetadataFile(None, {}, fault)
    known = _read_known(data, bake=bake)
    if known is not None:
        documents = known.document if bake else {"": known.document}
        targets = {name: TargetMetadata(read_responses(value)) for name, value in documents.items()}
        return MetadataFile(_text(data), targets, None, _too_long(data), known.deviations)
    document = _whole(data, path)
    if document.fault is not None:
        return MetadataFile(_kept(document), {}, document.fault, _too_long(data))
    read = _read_bake(document) if bake else _read_build(document)
    return replace(read, text=_kept(document), too_long=_too_long(data))


def _read_known(data: bytes, *, bake: bool) -> Known | None:
    """Read the known keys fast; None if the file is too unusual for that, or the package for it is missing."""
    try:
        from action.evidence.metadata_long import read_known, read_known_bake  # noqa: PLC0415  # msgspec may be missing
    except ModuleNotFoundError:
        return None
    return read_known_bake(data) if bake else read_known(data)


def _read_build(document: ParsedDocument) -> MetadataFile:
    judged = judge(document.value)
    fault = _described(document, "metadata", "") if judged.distrusted else None
    if judged.document is None:
        return MetadataFile(None, {}, fault, deviations=judged.deviations)
    return MetadataFile(None, {"": _target(judged, fault)}, deviations=judged.deviations)


def _read_bake(document: ParsedDocument) -> MetadataFile:
    value = document.value
    if not isinstance(value, dict):
        return MetadataFile(None, {}, _described(document, "bake", ""))
    judged = {name: judge(member, (name,)) for name, member in value.items() if name != WARNINGS}
    described = _described_targets(document, [name for name, each in judged.items() if each.distrusted])
    targets = {name: _target(each, described.get(name)) for name, each in judged.items()}
    deviations = [place for each in judged.values() for place in each.deviations]
    if not is_valid(WARNINGS, value.get(WARNINGS)):
        deviations.append(pointer([WARNINGS]))
    return MetadataFile(None, targets, deviations=tuple(deviations))


def _target(judged: Judged, fault: DocumentError | None) -> TargetMetadata:
    if judged.document is None:
        return TargetMetadata(Metadata(), fault)
    metadata = replace(read_responses(judged.document), distrusted=judged.distrusted)
    return TargetMetadata(metadata, response_fault=fault)


def _read(path: Path, *, written: bool) -> bytes:
    if not written:
        problem = "expected the metadata of this build, but buildx wrote none: update buildx"
        raise DocumentError(str(path), "", problem)
    return read_file(path)


def _whole(data: bytes, path: Path) -> ParsedDocument:
    document = parse_bytes(data, str(path))
    if len(data) > MAX_WHOLE_BYTES:
        problem = f"expected each known key once and valid; of a file of {len(data)} bytes only these keys are read"
        return ParsedDocument(document.source, None, None, DocumentError(str(path), "", problem))
    return document


def _described(document: ParsedDocument, schema: str, place: str) -> DocumentError:
    """Return an error that describes the faults of a document from which no digest can be derived."""
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
    """Return the faults that the schema finds; none if jsonschema cannot be installed."""
    try:
        provide(SCHEMAS)
    except PackagesError:
        return []
    from action.documents.schema import faults  # noqa: PLC0415  # 0.1 s, and only a faulty file needs it

    return list(faults(document.value, schema, document.source))


def _first_faults(found: Sequence[DocumentError], source: str, place: str) -> DocumentError:
    if not found:
        problem = "expected metadata that follows the schema, found a fault: run build-digests validate to see it"
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
    return f"the metadata file has {len(data)} bytes, and an output can have {MAX_TEXT_BYTES}: metadata is not set"
