"""A metadata file, read and held against its schema: the whole of this room."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from action.errors import DocumentError
from action.metadata.document import Document, read_document
from action.metadata.responses import Metadata, read_responses
from action.metadata.schema import faults

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


def read_metadata_file(path: Path, *, written: bool = True) -> MetadataFile:
    """Read a metadata file and hold it against its schema. Never raises.

    Args:
        path: the file.
        written: whether buildx wrote it; else it is as good as none.
    """
    if not written:
        problem = "expected the metadata of this build, but buildx wrote none: update buildx"
        return MetadataFile(None, Metadata(), DocumentError(str(path), "", problem))
    document = read_document(path)
    fault = document.fault or _schema_fault(document)
    metadata = Metadata() if fault else read_responses(document.value)
    return MetadataFile(document.text, metadata, fault)


def _schema_fault(document: Document) -> DocumentError | None:
    found = list(faults(document.value, "metadata", document.source))
    if not found:
        return None
    shown = [f"at {fault.pointer or 'the top'}: {fault.problem}" for fault in found[1:_MOST_SHOWN]]
    more = [f"and {len(found) - _MOST_SHOWN} more"] if len(found) > _MOST_SHOWN else []
    return DocumentError(document.source, found[0].pointer, "; ".join([found[0].problem, *shown, *more]))
