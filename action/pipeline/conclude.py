"""The result of a run that has ended: the digests of each build, errors, warnings and notices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from action.buildx.local_state import build_id
from action.buildx.request import Request
from action.dataclass import dataclass, replace
from action.errors import BuildDigestsError, DisagreementError, EvidenceError, MissingDigestError
from action.evidence.metadata_file import MetadataFile, TargetMetadata
from action.evidence.record import StatusLog
from action.evidence.responses import Metadata
from action.exporters.attributed import AttributedBuild, first_image_exporter
from action.exporters.attribution import Attribution, attribute
from action.exporters.build_evidence import makes_image, needs_record, uses_response, with_reported_names
from action.exporters.caches import CacheEvidence, attribute_caches, missing_caches, needs_status_log
from action.exporters.requested import Requested
from action.pipeline.collect import RecordOf, Sources, collect, is_multi_node, records_of, shared_files
from action.pipeline.oci_folders import holds, misleading_caches, misleading_folders
from action.pipeline.run_result import RunResult

_NOTHING_EXPORTED = (
    "nothing was exported: this builder keeps a build only in its cache if no output is set; set push, load "
    "or outputs (such as outputs: type=image,name=…,push=true)"
)

_MAX_SHOWN = 5


@dataclass(frozen=True)
class _TargetResult:
    """The result of one target's build; `build` is None if two sources disagree."""

    build: AttributedBuild | None
    errors: tuple[BuildDigestsError, ...] = ()
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def conclude(
    request: Request,
    failed: BuildDigestsError | None,
    read: MetadataFile,
    sources: Sources,
    *,
    require_digests: bool,
) -> RunResult:
    """Return the result of a run with the digest of each exporter.

    A failed build has no digests, only its reference. A failed bake has the digests of the targets that were exported.

    Args:
        request: the request that was run.
        failed: why buildx failed, or None if it did not.
        read: the metadata file.
        sources: the sources of other evidence.
        require_digests: whether an exporter that makes an image and has no digest is an error.
    """
    # With `call` the frontend writes a target's metadata, and may write anything (docker/buildx 0.36, build/build.go):
    # none of it is used.
    exporting = {name: requested for name, requested in request.targets.items() if requested.exports}
    sources = replace(sources, shared=shared_files(exporting, sources.folder))
    files = {name: file for name, file in read.targets.items() if name in exporting}
    if failed and not request.bake:
        return _failed_build(failed, read, files.get(""))
    if failed:
        return _failed_bake(request, failed, read, files, sources)
    # Records that only the summary needs are read later: a busy engine takes time for each, and the step outputs must
    # not wait for that.
    refs = [
        file.metadata.ref
        for name, file in files.items()
        if file.metadata.ref is not None and needs_record(exporting[name], file.metadata)
    ]
    record_of = records_of(refs, sources)
    return _conclude_targets(request, read, files, sources, record_of, require_digests=require_digests)


def deviation_warnings(deviations: Sequence[str]) -> list[str]:
    """Return a warning that names the places where a metadata file deviates from its schema; none if it does not."""
    if not deviations:
        return []
    more = f" and {len(deviations) - _MAX_SHOWN} more" if len(deviations) > _MAX_SHOWN else ""
    places = ", ".join(deviations[:_MAX_SHOWN])
    expected = "these places are ignored, and build-digests validate says what is expected there"
    return [f"the metadata file is not as its schema says at {places}{more}; {expected}"]


def missing_digests(attribution: Attribution) -> list[str]:
    """Return a warning for each exporter that makes an image and has no digest."""
    first = first_image_exporter(attribution.exporters)
    return [
        f"exporter {key} has no digest: {why}"
        + (
            f"; so the build's `digest` is empty: it is that of exporter {key}, the first that makes an image"
            if first is not None and key == first.key
            else ""
        )
        for key, why in attribution.unknown.items()
    ]


def _failed_build(failed: BuildDigestsError, read: MetadataFile, file: TargetMetadata | None) -> RunResult:
    """Return the result of a failed build: its reference, if buildx wrote it to the metadata file."""
    if read.text is None:
        return RunResult(None, None, (failed,))
    # No source lists which exporters had finished before the build failed, so none is reported.
    ref = file.metadata.ref if file is not None else None
    return RunResult({"": AttributedBuild(ref)}, read.text, (failed, *read.faults))


def _failed_bake(
    request: Request,
    failed: BuildDigestsError,
    read: MetadataFile,
    files: Mapping[str, TargetMetadata],
    sources: Sources,
) -> RunResult:
    """Return the result of a failed bake: the targets that were exported although another target failed."""
    refs = {file.metadata.ref for file in files.values() if file.metadata.ref}
    record_of = records_of(tuple(sorted(refs | set(sources.begun.values()))), sources)
    succeeded = {
        name: ref for name, ref in sources.begun.items() if name not in files and _has_succeeded(ref, record_of)
    }
    files = {**files, **{name: TargetMetadata(Metadata(ref)) for name, ref in succeeded.items()}}
    exported = {name: requested for name, requested in request.targets.items() if name in files}
    if not exported:
        return RunResult(None, read.text, (failed,), bake=True)
    result = _conclude_targets(
        replace(request, targets=exported), replace(read, fault=None), files, sources, record_of, require_digests=False
    )
    rest = ", ".join(name for name in request.targets if name not in files)
    warning = f"the bake failed; exported: {', '.join(exported)}; not exported: {rest or 'nothing else'}"
    return replace(result, errors=(failed, *result.errors), warnings=(warning, *result.warnings))


def _conclude_targets(
    request: Request,
    read: MetadataFile,
    files: Mapping[str, TargetMetadata],
    sources: Sources,
    record_of: RecordOf,
    *,
    require_digests: bool,
) -> RunResult:
    errors: list[BuildDigestsError] = []
    builds: dict[str, AttributedBuild] = {}
    notices: list[str] = []
    warnings = deviation_warnings(read.deviations) + ([read.too_long] if read.too_long else [])
    status_logs = _status_logs(request, files, sources)
    for name, requested in request.targets.items():
        file = files.get(name, TargetMetadata(Metadata(), read.fault))
        status_log = status_logs.get(build_id(file.metadata.ref or ""))
        result = _conclude_target(requested, file, record_of, sources, status_log, require_digests=require_digests)
        # The fault of the whole file is the same for each target.
        errors += [_of_target(name, error) for error in result.errors if error is not read.fault]
        if read.fault in result.errors and read.fault not in errors:
            errors.append(read.fault)
        prefix = f"target {name}: " if name else ""
        warnings += [prefix + warning for warning in result.warnings]
        notices += [prefix + notice for notice in result.notices]
        if result.build is not None:
            builds[name] = result.build
    known = builds if builds or request.bake else None
    return RunResult(known, read.text, tuple(errors), tuple(warnings), tuple(notices), bake=request.bake)


def _status_logs(request: Request, files: Mapping[str, TargetMetadata], sources: Sources) -> dict[str, StatusLog]:
    """Return the status logs that tell the caches of builds apart, by the last part of `builder/node/ref`."""
    refs = [
        file.metadata.ref
        for name, file in files.items()
        if file.metadata.ref and needs_status_log(request.targets[name].caches) and not is_multi_node(file.metadata)
    ]
    return {status_log.ref: status_log for status_log in sources.status_logs(refs)} if refs else {}


def _conclude_target(
    requested: Requested,
    file: TargetMetadata,
    record_of: RecordOf,
    sources: Sources,
    status_log: StatusLog | None,
    *,
    require_digests: bool,
) -> _TargetResult:
    requested = with_reported_names(requested, file.metadata)
    evidence = collect(requested, file.metadata, record_of, sources)
    try:
        attribution = attribute(requested, evidence)
    except DisagreementError as error:
        return _TargetResult(None, (*file.faults, error), evidence.missing)
    by_record = evidence.record is not None and not attribution.unknown
    errors, warnings = _faults(requested, file, by_record=by_record)
    several = CacheEvidence(status_log, partial(holds, sources.folder))
    caches = attribute_caches(requested.caches, evidence, several)
    build = AttributedBuild(file.metadata.ref, attribution.exporters, caches)
    warnings += missing_digests(attribution)
    warnings += [each for each in evidence.missing if not any(each in warning for warning in warnings)]
    warnings += misleading_folders(attribution.exporters, sources)
    warnings += missing_caches(requested.caches, evidence, several)
    warnings += misleading_caches(requested.caches, sources.folder)
    if require_digests and attribution.unknown:
        errors.append(_missing(attribution))
    nothing = requested.may_default and not build.exporters and not errors
    return _TargetResult(build, tuple(errors), tuple(warnings), (_NOTHING_EXPORTED,) if nothing else ())


def _faults(
    requested: Requested, file: TargetMetadata, *, by_record: bool
) -> tuple[list[BuildDigestsError], list[str]]:
    """Split the faults of a target's metadata into errors and warnings; it is an error if a digest depends on it."""
    errors: list[BuildDigestsError] = []
    warnings: list[str] = []
    uses = uses_response(requested) and not by_record
    for fault, matters in ((file.fault, makes_image(requested)), (file.response_fault, uses)):
        if fault and matters:
            errors.append(fault)
        elif fault:
            warnings.append(f"{fault}; no digest depends on that")
    return errors, warnings


def _missing(attribution: Attribution) -> MissingDigestError:
    keys = ", ".join(attribution.unknown)
    message = f"require-digests is set, and these exporters have no digest: {keys}; the warnings say why"
    return MissingDigestError(message)


def _has_succeeded(ref: str, record_of: RecordOf) -> bool:
    try:
        return record_of(ref).succeeded
    except EvidenceError:
        return False


def _of_target(name: str, error: BuildDigestsError) -> BuildDigestsError:
    """Return the error with its target in the message. It keeps its type, which users of the Python API catch."""
    if name:
        error.args = (f"target {name}: {error}",)
    return error
