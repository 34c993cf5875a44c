"""The evidence of a build that has ended: its record, the tars that it wrote, and facts of its engine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from action.buildx.local_state import build_id, node_count, state_folder, uses_docker_driver
from action.dataclass import dataclass, field, replace
from action.errors import EvidenceError, NoRecordsError
from action.evidence.record import Record, StatusLog, is_pipe_or_device
from action.evidence.responses import Metadata
from action.exporters.build_evidence import BuildEvidence, needs_record, resolved_by_tag
from action.exporters.output import ARTIFACT_TYPES, STDOUT
from action.exporters.requested import Requested, RequestedExporter
from action.oci.image import Image
from action.oci.reference import repositories_of

RecordOf = Callable[[str], Record]
"""Returns the record of the build with a `builder/node/ref`, or raises an EvidenceError."""

Prove = Callable[[str | None, Image, frozenset[str]], frozenset[str]]
"""Returns `repository@digest` of each repository that is proved to contain this build's image under that digest.

Arguments: the build's `builder/node/ref`; the image with the digest that a registry returned for a tag, and with its
config's digest; the repositories.
"""

Live = Callable[[Sequence[str]], Mapping[str, "Record | EvidenceError"]]
"""Reads records from BuildKit's API: `builder/node/ref` of each build to its record, or to the error that explains why
there is none. After a NoRecordsError an export would find none either.
"""

Export = Callable[[Sequence[str]], Iterable[Path]]
"""Exports the records of builds, named by `builder/node/ref`, and yields the path of each file; some may be missing."""


StatusLogs = Callable[[Sequence[str]], Iterable[StatusLog]]
"""Reads the status logs of builds, named by `builder/node/ref`; some may be missing."""


SharedFiles = Mapping[Path, str]
"""The real path of each file that several outputs write, to the names of their exporters."""


def _no_status_logs(_: object) -> tuple[StatusLog, ...]:
    return ()


@dataclass(frozen=True)
class Readers:
    """The readers of evidence that need packages.

    Attributes:
        records: reads the records in a file.
        artifact: reads the image of a tar.
        folder: reads the digests that the `index.json` of a folder names.
        status_logs: reads the status logs of the builds whose records are in a file.
    """

    records: Callable[[Path], Iterable[Record]]
    artifact: Callable[[Path], Image]
    folder: Callable[[Path], frozenset[str]]
    status_logs: Callable[[Path], Iterable[StatusLog]] = _no_status_logs


def package_readers() -> Readers:
    """Return the readers; their packages must be there."""
    from action.evidence import artifact_file, record_file, status_log  # noqa: PLC0415  # they import pydantic

    return Readers(
        record_file.read_records,
        artifact_file.read_artifact,
        artifact_file.digests_in_folder,
        status_log.read_status_log,
    )


def _no_answers(_: Sequence[str]) -> dict[str, Record | EvidenceError]:
    return {}


@dataclass(frozen=True)
class Sources:
    """The sources of evidence besides the metadata file.

    Attributes:
        export: exports records.
        prove: proves the digest that buildx resolved by tag.
        readers: read records and artifacts.
        folder: the folder that paths in outputs are relative to.
        begun: the builds that a failed bake began: target name to `builder/node/ref`.
        live: reads records from BuildKit's API; those that it cannot read are exported.
        status_logs: reads the status logs of builds, for the digests of several caches.
        shared: the files that several outputs of the run write, from `shared_files`.
    """

    export: Export
    prove: Prove
    readers: Readers
    folder: Path
    begun: Mapping[str, str] = field(default_factory=dict)
    live: Live = _no_answers
    status_logs: StatusLogs = _no_status_logs
    shared: SharedFiles = field(default_factory=dict)


def records_of(refs: Sequence[str], sources: Sources) -> RecordOf:
    """Return a function that returns the record of each build.

    A record is read from BuildKit's API, and exported if that fails. Several records are exported together, which takes
    less time than one by one. A record that is missing from that export is exported alone when it is needed.

    Args:
        refs: `builder/node/ref` of each build whose record is needed.
        sources: read and export records.
    """
    answers = dict(sources.live(refs)) if refs else {}
    exports = _Exports([ref for ref in refs if not _is_final(answers.get(ref))], sources)

    def record_of(ref: str) -> Record:
        if ref not in answers:
            answers.update(sources.live([ref]))
        answer = answers.get(ref)
        if isinstance(answer, Record):
            return answer
        if isinstance(answer, NoRecordsError):
            raise answer
        try:
            return exports.record(ref)
        except EvidenceError as error:
            if answer is None:
                raise
            raise type(error)(f"{error}; BuildKit's own API did not give it either: {answer}") from None

    return record_of


def _is_final(answer: Record | EvidenceError | None) -> bool:
    return isinstance(answer, (Record, NoRecordsError))


class _Exports:
    """Records that are exported: first together, and then one by one if some are missing."""

    def __init__(self, refs: Sequence[str], sources: Sources) -> None:
        self._sources = sources
        self._known: dict[str, Record] = {}
        self._error: EvidenceError | None = None
        try:
            for file in sources.export(refs) if len(refs) > 1 else ():
                with contextlib.suppress(EvidenceError):
                    self._add(file)
        except EvidenceError as error:
            # Not tried one by one: that would take even longer.
            self._error = error

    def record(self, ref: str) -> Record:
        """Return the record of a build, or raise an EvidenceError."""
        identifier = build_id(ref)
        if identifier not in self._known:
            if self._error is not None:
                raise self._error
            for file in self._sources.export([ref]):
                self._add(file)
        if identifier not in self._known:
            message = f"the record of build {ref} is not in what buildx exported"
            raise EvidenceError(message)
        return self._known[identifier]

    def _add(self, file: Path) -> None:
        self._known |= {record.ref: record for record in self._sources.readers.records(file)}


def collect(requested: Requested, metadata: Metadata, record_of: RecordOf, sources: Sources) -> BuildEvidence:
    """Return the evidence of a build; missing evidence is named in it and is not an error.

    Args:
        requested: the requested exporters.
        metadata: the responses in the metadata file.
        record_of: returns the build's record. It is called only if the record is needed.
        sources: the other evidence. It proves a digest only if buildx resolved the merged digest by tag.
    """
    missing: list[str] = []
    record = None
    multi_node = is_multi_node(metadata)
    if not multi_node and needs_record(requested, metadata):
        try:
            record = _record(metadata.ref, record_of)
        except EvidenceError as error:
            missing.append(f"the build record is missing: {error}")
    artifacts, unreadable = collect_artifacts(requested, sources.folder, sources.readers, sources.shared)
    evidence = BuildEvidence(metadata, record, artifacts, (*missing, *unreadable), multi_node)
    return with_engine_facts(evidence, requested, sources.prove)


def with_engine_facts(evidence: BuildEvidence, requested: Requested, prove: Prove) -> BuildEvidence:
    """Add the facts that depend on the engine: whether it keeps images, and whether a digest from a tag is proved.

    Args:
        evidence: the evidence without these facts.
        requested: the requested exporters.
        prove: proves the merged digest. It is called only if buildx resolved that by tag.
    """
    metadata = evidence.metadata
    docker = uses_docker_driver(state_folder(os.environ), metadata.ref) if metadata.ref else None
    if docker is False or not resolved_by_tag(metadata):
        return replace(evidence, docker=bool(docker))
    names = [name for exporter in requested.exporters if exporter.push for name in exporter.names]
    repositories = repositories_of((*names, *(requested.tags if requested.push else ())))
    proved = prove(metadata.ref, metadata.merged.image, repositories) if repositories else frozenset()
    return replace(evidence, docker=bool(docker), resolved_by_tag=True, proved=proved)


def is_multi_node(metadata: Metadata) -> bool:
    """Return whether several nodes ran the build, and the metadata file describes the image of only one of them."""
    # buildx merges the images of the nodes if they are pushed. Its response then names no build.
    return metadata.ref is not None and node_count(state_folder(os.environ), metadata.ref) > 1


def shared_files(targets: Mapping[str, Requested], folder: Path) -> dict[Path, str]:
    """Return the tars that several outputs write; neither buildx nor BuildKit refuses that.

    Args:
        targets: target name, empty for a build that is not of a bake, to its requested exporters.
        folder: the folder that paths in outputs are relative to.
    """
    writers: dict[Path, list[str]] = {}
    for name, requested in targets.items():
        for exporter, file in _tars(requested, folder):
            writers.setdefault(_real(file), []).append(f"{name} {exporter.key}".lstrip())
    return {file: ", ".join(names) for file, names in writers.items() if len(names) > 1}


def collect_artifacts(
    requested: Requested, folder: Path, readers: Readers, shared: SharedFiles
) -> tuple[dict[int, Image], list[str]]:
    """Read the tars that outputs wrote.

    Args:
        requested: the requested exporters.
        folder: the folder that paths in outputs are relative to.
        readers: read artifacts.
        shared: the files that several outputs of the run write. They are evidence of nothing: what is in them is of the
            output that ended last.

    Returns:
        An output's index to the image in its tar; and for each tar that cannot be used, why.
    """
    artifacts: dict[int, Image] = {}
    missing: list[str] = []
    for exporter, file in _tars(requested, folder):
        if (writers := shared.get(_real(file)) if shared else None) is not None:
            missing.append(f"exporters {writers} all write {exporter.dest}: give each output a dest of its own")
            continue
        try:
            artifacts[exporter.index] = readers.artifact(file)
        except EvidenceError as error:
            missing.append(f"the artifact of exporter {exporter.key} cannot be used: {error}")
    return artifacts, list(dict.fromkeys(missing))


def _tars(requested: Requested, folder: Path) -> Iterator[tuple[RequestedExporter, Path]]:
    """Yield each exporter that writes a tar to a file, and the file."""
    for exporter in requested.exporters:
        if exporter.type in ARTIFACT_TYPES and exporter.dest is not None and exporter.dest != STDOUT:
            file = folder / exporter.dest
            if not file.is_dir() and not is_pipe_or_device(file):
                yield exporter, file


def _real(file: Path) -> Path:
    # Not Path.resolve(): before Python 3.13 it raises a RuntimeError if links lead in a circle.
    return Path(os.path.realpath(file))


def _record(ref: str | None, record_of: RecordOf) -> Record:
    if ref is None:
        message = (
            "the metadata file names no build (buildx.build.ref), as after a build on several nodes, and before buildx "
            "0.13"
        )
        raise EvidenceError(message)
    return record_of(ref)
