"""The evaluation of a run that has ended: metadata file, evidence, digests, verification."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from action.buildx.bake_state import failed_target, refs_of_failed_bake
from action.buildx.live_connection import SECONDS
from action.buildx.local_state import build_id, state_folder
from action.buildx.pushed_digests import proved_digests
from action.buildx.request import Request
from action.dataclass import replace
from action.documents.strict_json import MAX_WHOLE_BYTES
from action.errors import EvidenceError, PackagesError, VerificationError
from action.evidence.metadata_file import read_metadata_file
from action.evidence.record import StatusLog
from action.exporters.attributed import other_pushed
from action.inputs.policy import Policy
from action.packages.preload import Preloader
from action.packages.sets import MODELS, RETRIES
from action.pipeline.collect import Readers, Sources, package_readers
from action.pipeline.conclude import conclude
from action.pipeline.execute import Executed
from action.pipeline.run_result import RunResult, Trace
from action.process.log import Log

__all__ = ["Readers", "evaluate", "package_readers"]


def evaluate(
    request: Request,
    executed: Executed,
    trace: Trace,
    policy: Policy,
    *,
    readers: Readers,
    log: Log,
    preloader: Preloader,
) -> RunResult:
    """Return the result of a run that has ended.

    Args:
        request: the request that was run.
        executed: how buildx ended.
        trace: what the run left besides its metadata file.
        policy: the rules for the run, such as `verify`.
        readers: read records and artifacts.
        log: the destination of the log.
        preloader: provides the packages that `verify` needs; without them the result has an error.

    Raises:
        Interrupted: a signal ended the verification.
    """
    if _needs_packages(executed.metadata_file):
        with contextlib.suppress(PackagesError):
            preloader.wait(MODELS)
    metadata = read_metadata_file(executed.metadata_file, bake=request.bake, written=executed.written)
    folder = Path(request.folder)
    sources = Sources(
        export=trace.records.files,
        prove=partial(proved_digests, executed.buildx, os.environ),
        readers=readers,
        folder=folder,
        begun=_begun(request, trace) if request.bake and executed.failed else {},
    )
    if trace.live is not None:
        sources = replace(sources, live=trace.live.read)
    sources = replace(sources, status_logs=partial(_status_logs, trace, readers))
    result = conclude(request, executed.failed, metadata, sources, require_digests=policy.require_digests)
    if policy.reads_images and result.builds is not None:
        result = _with_images_read(request, executed, trace, policy, result, log=log, preloader=preloader)
    build = result.builds.get("") if result.builds else None
    other = other_pushed(build) if build and not request.bake else None
    return replace(
        result,
        notices=(*executed.notices, *result.notices, *((other,) if other else ())),
        warnings=(*executed.warnings, *result.warnings),
        trace=trace,
    )


def _with_images_read(
    request: Request,
    executed: Executed,
    trace: Trace,
    policy: Policy,
    result: RunResult,
    *,
    log: Log,
    preloader: Preloader,
) -> RunResult:
    """Return the result with its digests verified, platforms read and images compared, as the user wants it."""
    folder = Path(request.folder)
    try:
        needed = policy.verify or policy.platform_subjects or policy.attestations
        (preloader.wait if needed else preloader.wait_for_report)(MODELS, RETRIES)
    except PackagesError as error:
        compare_lacks = (f"compare: nothing is compared: {error}",) if policy.compare else ()
        refs_lack = "platform-subjects: refs and checksums may lack platforms"
        none_written = (f"attestations: none is written: {error}",) if policy.attestations else ()
        lacking = (*compare_lacks, *((f"{refs_lack}: {error}",) if policy.platform_subjects else ()), *none_written)
        result = replace(result, warnings=(*result.warnings, *lacking), platform_subjects=policy.platform_subjects)
        if not policy.verify:
            return result
        # The images are pushed: the step fails, and has their digests as after another failed verification.
        failed = VerificationError(f"no digest is verified: {error}")
        return replace(result, errors=(*result.errors, failed))
    from action.pipeline import attestations, compare, subjects, verify  # noqa: PLC0415  # their packages are there now

    if policy.attestations and request.builds:
        # The first: BuildKit soon removes the parts of an image that it has only pushed.
        registries = attestations.registries_of(request, executed.buildx, log)
        result = attestations.with_attestations(result, folder, policy.attestations, trace.live, registries)
    if policy.verify:
        result = verify.verified(result, folder, executed.buildx, log)
    if policy.platform_subjects:
        result = subjects.with_platforms(result, request, trace.live, buildx=executed.buildx, log=log)
        result = replace(result, platform_subjects=True)
    if policy.compare and request.builds:
        result = compare.compared(
            result, request, policy.compare, executed.answers(), buildx=executed.buildx, live=trace.live, log=log
        )
    return result


def _status_logs(trace: Trace, readers: Readers, refs: Sequence[str]) -> list[StatusLog]:
    """Return the status log of each build, from BuildKit's API or else from an export; some may be missing."""
    status_logs: list[StatusLog] = []
    if trace.live is not None:
        with contextlib.suppress(EvidenceError):
            trace.live.read(refs)
            status_logs += trace.live.status_logs(refs, seconds=SECONDS)
    known = {status_log.ref for status_log in status_logs}
    left = [ref for ref in refs if build_id(ref) not in known]
    with contextlib.suppress(EvidenceError):
        for file in trace.records.files(left) if left else ():
            status_logs += readers.status_logs(file)
    return status_logs


def _needs_packages(metadata_file: Path) -> bool:
    """Return whether a metadata file is so long that it can only be read with packages."""
    try:
        return metadata_file.stat().st_size > MAX_WHOLE_BYTES
    except OSError:
        return False


def _begun(request: Request, trace: Trace) -> dict[str, str]:
    """Return the builds that a failed bake certainly began: target name to `builder/node/ref`."""
    built = [name for name, requested in request.targets.items() if requested.exports]
    if failed_target(trace.log, built) is None:
        # The bake may have failed before it built anything; the builds found might then be another bake's.
        return {}
    state = state_folder(os.environ)
    return refs_of_failed_bake(state, built, trace.contexts, trace.folder, trace.known_groups, trace.known_refs)
