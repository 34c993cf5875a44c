"""Collects the evidence of a build that has ended: its record, the artifacts that it wrote, and facts of its engine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from action.buildx.local_state import node_count, state_folder, uses_docker_driver
from action.buildx.refs import build_id
from action.errors import EvidenceError
from action.evidence.artifact_file import ARTIFACT_TYPES, digests_in_folder, is_passed_on, read_artifact
from action.evidence.record import Record
from action.evidence.record_file import read_records
from action.evidence.responses import Metadata
from action.exporters.attributed import AttributedExporter
from action.exporters.build_evidence import BuildEvidence, needs_record, resolved_by_tag
from action.exporters.output import STDOUT
from action.exporters.requested import Requested
from action.oci.image import Image
from action.oci.reference import repositories_of

RecordOf = Callable[[str], Record]
"""Gives the record of the build with a given `builder/node/ref`, or raises an EvidenceError."""

Prove = Callable[[str | None, Image, frozenset[str]], frozenset[str]]
"""Gives `repository@digest` of each repository that surely holds an image by the digest that a registry gave for a tag.

Its arguments: the build's `builder/node/ref`, the image with that digest and its own config, the repositories.
"""

Export = Callable[[Sequence[str]], Iterable[Path]]
"""Writes the records of builds, by their `builder/node/ref`, to files, and yields each; a missing record is in none."""


@dataclass(frozen=True)
class Sources:
    """The evidence of a run besides its metadata file.

    Attributes:
        export: writes records.
        prove: proves a registry's answer, if buildx asked the registry by tag.
        folder: the folder that paths in outputs start from.
        begun: the builds that a failed bake began: target name to `builder/node/ref`.
    """

    export: Export
    prove: Prove
    folder: Path
    begun: Mapping[str, str] = field(default_factory=dict)


def records_of(refs: Sequence[str], export: Export) -> RecordOf:
    """Return a function that gives the record of each build.

    All records are exported at once, several in a call; a missing one is exported alone when it is asked for.

    Args:
        refs: `builder/node/ref` of each build whose record is needed.
        export: writes records.
    """
    known: dict[str, Record] = {}
    given_up: EvidenceError | None = None
    try:
        for file in export(refs) if len(refs) > 1 else ():
            with contextlib.suppress(EvidenceError):
                known |= {record.ref: record for record in read_records(file)}
    except EvidenceError as error:
        # Each record alone would take longer still.
        given_up = error

    def record_of(ref: str) -> Record:
        identifier = build_id(ref)
        if identifier not in known:
            if given_up is not None:
                raise given_up
            for file in export([ref]):
                known.update({record.ref: record for record in read_records(file)})
        if identifier not in known:
            message = f"the record of build {ref} is not in what buildx exported"
            raise EvidenceError(message)
        return known[identifier]

    return record_of


def collect(requested: Requested, metadata: Metadata, record_of: RecordOf, prove: Prove, folder: Path) -> BuildEvidence:
    """Collect the evidence of a build.

    Args:
        requested: the exporters asked for.
        metadata: what the metadata file says.
        record_of: gives the build's record.
        prove: proves what a registry answered; called only if it was asked by tag.
        folder: where paths in outputs start from.
    """
    missing: list[str] = []
    record = None
    spread = is_multi_node(metadata)
    if not spread and needs_record(requested, metadata):
        try:
            record = _record(metadata.ref, record_of)
        except EvidenceError as error:
            missing.append(f"the build record is missing: {error}")
    artifacts, unreadable = collect_artifacts(requested, folder)
    return with_engine_facts(
        BuildEvidence(metadata, record, artifacts, (*missing, *unreadable), spread), requested, prove
    )


def with_engine_facts(observed: BuildEvidence, requested: Requested, prove: Prove) -> BuildEvidence:
    """Add what depends on the engine: whether it keeps its images itself, and whether a registry's answer is proved.

    Args:
        observed: what was seen of the build.
        requested: the exporters asked for.
        prove: proves what a registry answered; called only if it was asked by tag.
    """
    metadata = observed.metadata
    docker = uses_docker_driver(state_folder(os.environ), metadata.ref) if metadata.ref else None
    if docker is False or not resolved_by_tag(metadata):
        return replace(observed, docker=bool(docker))
    names = [name for exporter in requested.exporters if exporter.push for name in exporter.names]
    repositories = repositories_of((*names, *(requested.tags if requested.push else ())))
    proved = prove(metadata.ref, metadata.merged.image, repositories) if repositories else frozenset()
    return replace(observed, docker=bool(docker), resolved_by_tag=True, proved=proved)


def is_multi_node(metadata: Metadata) -> bool:
    """Whether several nodes built it and the metadata are those of one: what buildx joined itself names no build."""
    return metadata.ref is not None and node_count(state_folder(os.environ), metadata.ref) > 1


def collect_artifacts(requested: Requested, folder: Path) -> tuple[dict[int, Image], list[str]]:
    """Read the tars and folders that outputs wrote.

    Returns:
        Output's index to what its artifact says, and why an artifact says nothing.
    """
    artifacts: dict[int, Image] = {}
    missing: list[str] = []
    for exporter in requested.exporters:
        if exporter.type not in ARTIFACT_TYPES or exporter.dest is None or exporter.dest == STDOUT:
            continue
        if (folder / exporter.dest).is_dir() or is_passed_on(folder / exporter.dest):
            continue
        try:
            artifacts[exporter.index] = read_artifact(folder / exporter.dest)
        except EvidenceError as error:
            missing.append(f"the artifact of exporter {exporter.key} says nothing: {error}")
    return artifacts, missing


def misleading_folders(exporters: Iterable[AttributedExporter], start: Path) -> list[str]:
    """Warnings of image layouts in folders whose `index.json` does not name what the exporter put there."""
    warnings = []
    for exporter in exporters:
        if exporter.type != "oci" or exporter.digest is None or exporter.dest is None:
            continue
        folder = start / exporter.dest
        try:
            named = digests_in_folder(folder) if folder.is_dir() else frozenset()
        except EvidenceError:
            continue
        if named and exporter.digest not in named:
            warnings.append(
                f"{exporter.dest}/index.json names {', '.join(sorted(named))}, which is not what exporter "
                f"{exporter.key} put there: with several outputs BuildKit's client writes another's digest into it. "
                f"Use {exporter.digest}"
            )
    return warnings


def _record(ref: str | None, record_of: RecordOf) -> Record:
    if ref is None:
        message = (
            "the metadata file names no build (buildx.build.ref); a build that was spread over several nodes has none, "
            "and before buildx 0.13 none has"
        )
        raise EvidenceError(message)
    return record_of(ref)
