"""A metadata file, read and held against its schema: the whole of this room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from action.errors import DocumentError
from action.metadata.document import Document, read_document
from action.metadata.position import pointer
from action.metadata.responses import Metadata, read_responses
from action.metadata.schema import faults

WARNINGS = "buildx.build.warnings"
"""The key beside the targets in a bake's metadata file."""

_MOST_SHOWN = 5


@dataclass(frozen=True)
class MetadataFile:
    """A metadata file that was read.

    Attributes:
        text: its text, or None where it is none.
        metadata: what it says; nothing where it has a fault.
        fault: what is wrong with it, or None.
    """

    text: str | None
    metadata: Metadata
    fault: DocumentError | None


@dataclass(frozen=True)
class BakeMetadataFile:
    """A bake's metadata file that was read.

    Attributes:
        text: its text, or None where it is none.
        targets: target name to what it says of that target; one with a fault is left out.
        faults: what is wrong with it.
    """

    text: str | None
    targets: Mapping[str, Metadata]
    faults: tuple[DocumentError, ...]


def read_bake_metadata_file(path: Path, *, written: bool = True) -> BakeMetadataFile:
    """Read a bake's metadata file and hold it against its schema. A fault in one target costs no other. Never raises.

    Args:
        path: the file.
        written: whether buildx wrote it; else it is as good as none.
    """
    if not written:
        return BakeMetadataFile(None, {}, (_not_written(path),))
    document = read_document(path)
    if document.fault:
        return BakeMetadataFile(document.text, {}, (document.fault,))
    found = tuple(faults(document.value, "bake", document.source))
    if not isinstance(document.value, dict):
        return BakeMetadataFile(document.text, {}, found)
    faulty = {fault.pointer for fault in found}
    targets = {
        name: read_responses(value)
        for name, value in document.value.items()
        if name != WARNINGS and not any(f"{each}/".startswith(f"{pointer([name])}/") for each in faulty)
    }
    return BakeMetadataFile(document.text, targets, found)


def read_metadata_file(path: Path, *, written: bool = True) -> MetadataFile:
    """Read a metadata file and hold it against its schema. Never raises.

    Args:
        path: the file.
        written: whether buildx wrote it; else it is as good as none.
    """
    if not written:
        return MetadataFile(None, Metadata(), _not_written(path))
    document = read_document(path)
    fault = document.fault or _schema_fault(document)
    metadata = Metadata() if fault else read_responses(document.value)
    return MetadataFile(document.text, metadata, fault)


def _not_written(path: Path) -> DocumentError:
    problem = "expected the metadata of this build, but buildx wrote none: update buildx"
    return DocumentError(str(path), "", problem)


def _schema_fault(document: Document) -> DocumentError | None:
    found = list(faults(document.value, "metadata", document.source))
    if not found:
        return None
    shown = [f"at {fault.pointer or 'the top'}: {fault.problem}" for fault in found[1:_MOST_SHOWN]]
    more = [f"and {len(found) - _MOST_SHOWN} more"] if len(found) > _MOST_SHOWN else []
    return DocumentError(document.source, found[0].pointer, "; ".join([found[0].problem, *shown, *more]))
