"""From a bake that has ended to its outcome: each target is a build of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from action.errors import BuildDigestsError, EvidenceError
from action.evidence.metadata_file import BakeMetadataFile, MetadataFile
from action.evidence.record_file import Record, read_records
from action.evidence.responses import Metadata
from action.exporters.attribution import needs_record
from action.exporters.requested import Requested
from action.pipeline.collect import Prove, RecordOf
from action.pipeline.conclude import conclude, deviation_warnings
from action.pipeline.run_result import RunResult
from action.results import BakeResults

ExportMany = Callable[[Sequence[str]], Iterable[Path]]
"""Writes the records of builds, by their `builder/node/ref`, to files, and yields each; a missing record is in none."""


def conclude_bake(  # noqa: PLR0913  # what a bake was asked for, what became of it, and where its evidence is
    targets: Mapping[str, Requested],
    failed: BuildDigestsError | None,
    read: BakeMetadataFile,
    export: ExportMany,
    folder: Path,
    *,
    prove: Prove,
    require_digests: bool,
    begun: Mapping[str, str] | None = None,
) -> RunResult[BakeResults]:
    """Say what each exporter of each target made; of a bake that failed, of each target that was exported.

    Args:
        targets: target name to the exporters asked for.
        failed: why the bake failed, or None where it did not.
        read: the metadata file.
        export: writes records.
        folder: where paths in outputs start from.
        prove: proves what a registry answered when buildx asked it by tag.
        require_digests: whether an exporter that makes an image and has no digest is an error.
        begun: the builds of a bake that failed: target name to `builder/node/ref`.
    """
    # A target that is only called has no reference of its own: what a file says of it, its frontend wrote.
    files = {name: file for name, file in read.targets.items() if name in targets and targets[name].exports}
    if failed:
        return _conclude_failed(targets, failed, read, files, export, folder, begun or {}, prove)
    # No others: each takes time on a busy engine, and a digest must not wait for what only a summary wants.
    wanted = [
        file.metadata.ref
        for name, file in files.items()
        if file.metadata.ref is not None and needs_record(targets[name], file.metadata)
    ]
    record_of = _records(wanted, export)
    return _conclude_each(targets, read, files, record_of, folder, prove=prove, require_digests=require_digests)


def _conclude_each(  # noqa: PLR0913  # the same
    targets: Mapping[str, Requested],
    read: BakeMetadataFile,
    files: Mapping[str, MetadataFile],
    record_of: RecordOf,
    folder: Path,
    *,
    prove: Prove,
    require_digests: bool,
) -> RunResult[BakeResults]:
    errors: list[BuildDigestsError] = []
    results, notices = {}, []
    warnings = deviation_warnings(read.deviations) + ([read.too_long] if read.too_long else [])
    for name, requested in targets.items():
        # The file's own fault is the same for each target, and its deviations are reported once.
        file = replace(files.get(name, MetadataFile(None, Metadata(), read.fault)), deviations=())
        outcome = conclude(requested, None, file, record_of, folder, prove=prove, require_digests=require_digests)
        errors += [_of_target(name, error) for error in outcome.errors if error is not read.fault]
        if read.fault in outcome.errors and read.fault not in errors:
            errors.append(read.fault)
        warnings += [f"target {name}: {warning}" for warning in outcome.warnings]
        notices += [f"target {name}: {notice}" for notice in outcome.notices]
        if outcome.results is not None:
            results[name] = outcome.results
    return RunResult(BakeResults(targets=results), read.text, tuple(errors), tuple(warnings), tuple(notices))


def _conclude_failed(  # noqa: PLR0913, PLR0917  # the same
    targets: Mapping[str, Requested],
    failed: BuildDigestsError,
    read: BakeMetadataFile,
    files: Mapping[str, MetadataFile],
    export: ExportMany,
    folder: Path,
    begun: Mapping[str, str],
    prove: Prove,
) -> RunResult[BakeResults]:
    """Say what the targets made that were exported before the bake failed, or beside one that failed."""
    refs = {file.metadata.ref for file in files.values() if file.metadata.ref}
    record_of = _records(tuple(sorted(refs | set(begun.values()))), export)
    succeeded = {name: ref for name, ref in begun.items() if name not in files and _has_succeeded(ref, record_of)}
    files = {**files, **{name: MetadataFile(None, Metadata(ref)) for name, ref in succeeded.items()}}
    exported = {name: targets[name] for name in targets if name in files}
    if not exported:
        return RunResult(None, read.text, (failed,))
    outcome = _conclude_each(
        exported, replace(read, fault=None), files, record_of, folder, prove=prove, require_digests=False
    )
    rest = ", ".join(name for name in targets if name not in files)
    warnings = [f"the bake failed; exported: {', '.join(exported)}; not exported: {rest or 'nothing else'}"]
    return replace(outcome, errors=(failed, *outcome.errors), warnings=(*warnings, *outcome.warnings))


def _has_succeeded(ref: str, record_of: RecordOf) -> bool:
    try:
        return record_of(ref).succeeded
    except EvidenceError:
        return False


def _records(refs: Sequence[str], export: ExportMany) -> RecordOf:
    """Get all records, several in a call; if one is missing, it is asked for by itself once more."""
    known: dict[str, Record] = {}
    given_up: EvidenceError | None = None
    try:
        for file in export(refs):
            with contextlib.suppress(EvidenceError):
                known |= {record.ref: record for record in read_records(file)}
    except EvidenceError as error:
        # Each by itself would take longer still.
        given_up = error

    def record_of(ref: str) -> Record:
        if _id(ref) not in known:
            if given_up is not None:
                raise given_up
            for file in export([ref]):
                known.update({record.ref: record for record in read_records(file)})
        if _id(ref) not in known:
            raise EvidenceError(f"the record of build {ref} is not in what buildx exported")
        return known[_id(ref)]

    return record_of


def _id(ref: str) -> str:
    return ref.rpartition("/")[2]


def _of_target(name: str, error: BuildDigestsError) -> BuildDigestsError:
    return BuildDigestsError(f"target {name}: {error}")
