"""What can be seen of a build that has ended: its metadata file, its record, the artifacts that it wrote.

Imported while the build runs, for what it draws in (jsonschema above all) takes longer than what it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from action.artifacts.read import ARTIFACT_TYPES, digests_in_folder, read_artifact
from action.attribution.attribute import Observed, needs_record
from action.errors import DocumentError, EvidenceError
from action.metadata.document import Document, read_document
from action.metadata.responses import Metadata, read_responses
from action.metadata.schema import faults
from action.oci.image import Image
from action.outputs.exporters import Requested
from action.outputs.parse import STDOUT
from action.record.history import Record, read_record
from action.results.models import ExporterResult

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


def read_metadata_file(path: Path) -> MetadataFile:
    """Read a metadata file and hold it against its schema. Never raises."""
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


def observe(requested: Requested, metadata: Metadata, export: Callable[[str], Path]) -> Observed:
    """Gather the evidence of a build.

    Args:
        requested: the exporters asked for.
        metadata: what the metadata file says.
        export: writes the record of the build with a given `builder/node/ref` to a file, and names it.
    """
    missing: list[str] = []
    record = None
    if needs_record(requested, metadata):
        try:
            record = _record(metadata.ref, export)
        except EvidenceError as error:
            missing.append(f"the build record is missing: {error}")
    artifacts, unreadable = observe_artifacts(requested)
    return Observed(metadata, record, artifacts, (*missing, *unreadable))


def observe_artifacts(requested: Requested) -> tuple[dict[int, Image], list[str]]:
    """Read the tars and folders that outputs wrote.

    Returns:
        Output's index to what its artifact says, and why an artifact says nothing.
    """
    artifacts: dict[int, Image] = {}
    missing: list[str] = []
    for exporter in requested.exporters:
        if exporter.type not in ARTIFACT_TYPES or exporter.dest is None or exporter.dest == STDOUT:
            continue
        if Path(exporter.dest).is_dir():
            continue
        try:
            artifacts[exporter.index] = read_artifact(Path(exporter.dest))
        except EvidenceError as error:
            missing.append(f"the artifact of exporter {exporter.key} says nothing: {error}")
    return artifacts, missing


def misleading_folders(exporters: Iterable[ExporterResult]) -> list[str]:
    """Warnings of image layouts in folders whose `index.json` does not name what the exporter put there."""
    warnings = []
    for exporter in exporters:
        if exporter.type != "oci" or exporter.digest is None or exporter.dest is None:
            continue
        folder = Path(exporter.dest)
        try:
            named = digests_in_folder(folder) if folder.is_dir() else frozenset()
        except EvidenceError:
            continue
        if named and exporter.digest not in named:
            warnings.append(
                f"{folder}/index.json names {', '.join(sorted(named))}, which is not what exporter {exporter.key} put "
                f"there: with several outputs BuildKit's client writes another's digest into it. Use {exporter.digest}"
            )
    return warnings


def _record(ref: str | None, export: Callable[[str], Path]) -> Record:
    if ref is None:
        message = (
            "the metadata file names no build (buildx.build.ref); a build that was spread over several nodes has none, "
            "and before buildx 0.13 none has"
        )
        raise EvidenceError(message)
    return read_record(export(ref), ref.rpartition("/")[2])
