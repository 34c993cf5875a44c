"""The evaluation of a run that has ended: metadata file, evidence, digests, and what is done with the images."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from action.buildx.bake_state import failed_target, refs_of_failed_bake
from action.buildx.history import Records
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
from action.packages.preload import WITHOUT_PACKAGES, Preloader
from action.packages.sets import MODELS, RETRIES, PackageSet
from action.pipeline.collect import Readers, Sources, package_readers
from action.pipeline.conclude import conclude
from action.pipeline.execute import Executed
from action.pipeline.live_source import LiveSource
from action.pipeline.run_result import RunResult, Trace
from action.process.log import Log


def result_of(
    request: Request, executed: Executed, workspace: Path, policy: Policy, *, log: Log, preloader: Preloader
) -> RunResult:
    """Return the result of a run that has ended.

    Args:
        request: the request that was run.
        executed: how buildx ended.
        workspace: the folder for temporary files.
        policy: the rules for the run, such as `verify`.
        log: the destination of the log.
        preloader: provides the packages that a digest needs. If they are missing, so are these digests, and `verify`
            gives an error.

    Raises:
        Interrupted: a signal ended the verification.
    """
    failed = (executed.failed,) if executed.failed else ()
    if executed.signal is not None:
        return RunResult(None, None, failed, signal=executed.signal, bake=request.bake)
    trace = Trace(
        known_refs=executed.known_refs,
        contexts=request.contexts,
        folder=Path(request.folder),
        log=executed.log,
        records=Records(executed.buildx, os.environ, workspace),
        live=LiveSource(executed.connections, executed.buildx, preloader),
        builds=request.builds,
        known_groups=executed.known_groups,
    )
    lazy = _LazyReaders(request, preloader)
    result = _concluded(request, executed, trace, policy, readers=lazy.readers(), preloader=preloader)
    if policy.reads_images and result.builds is not None:
        result = _with_images_read(request, executed, trace, policy, result, log=log, preloader=preloader)
    build = result.builds.get("") if result.builds else None
    other = other_pushed(build) if build and not request.bake else None
    missing = (f"{lazy.missing}. {WITHOUT_PACKAGES}",) if lazy.missing else ()
    return replace(
        result,
        notices=(*executed.notices, *result.notices, *((other,) if other else ())),
        warnings=(*missing, *executed.warnings, *result.warnings),
        trace=trace,
        lacks_packages=bool(missing),
    )


class _LazyReaders:
    """Readers of evidence that wait for their packages when they are first used.

    Attributes:
        missing: why the packages are missing; None if they are there, or if no reader was used.
    """

    def __init__(self, request: Request, preloader: Preloader) -> None:
        self.missing: PackagesError | None = None
        self._preloader = preloader
        # Usually a tar only confirms a digest. It is the source of the digest if a record is needed and missing.
        records = any(requested.may_need_record for requested in request.targets.values())
        self._wait_for_artifact = preloader.wait if records else preloader.wait_for_report

    def readers(self) -> Readers:
        """Return the readers; without packages each raises an EvidenceError."""
        wait = self._preloader.wait
        return Readers(
            lambda file: self._loaded(wait).records(file),
            lambda file: self._loaded(self._wait_for_artifact).artifact(file),
            lambda folder: self._loaded(self._wait_for_artifact).folder(folder),
            lambda file: self._loaded(wait).status_logs(file),
        )

    def _loaded(self, wait: Callable[[PackageSet], None]) -> Readers:
        try:
            wait(MODELS)
        except PackagesError as error:
            # The images are pushed, and most digests need no package.
            self.missing = error
            raise EvidenceError("the action's packages are missing") from None
        return package_readers()


def _concluded(
    request: Request, executed: Executed, trace: Trace, policy: Policy, *, readers: Readers, preloader: Preloader
) -> RunResult:
    """Return the result with the digests that metadata file, records and artifacts give."""
    if _needs_packages(executed.metadata_file):
        with contextlib.suppress(PackagesError):
            preloader.wait(MODELS)
    metadata = read_metadata_file(executed.metadata_file, bake=request.bake, written=executed.written)
    sources = Sources(
        export=trace.records.files,
        prove=partial(proved_digests, executed.buildx, os.environ),
        readers=readers,
        folder=trace.folder,
        begun=_begun(request, trace) if request.bake and executed.failed else {},
        live=trace.live.read,
        status_logs=partial(_status_logs, trace, readers),
    )
    return conclude(request, executed.failed, metadata, sources, require_digests=policy.require_digests)


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
    """Return the result after everything that reads the images: attestations, verify, platform-subjects, compare."""
    try:
        needed = policy.verify or policy.platform_subjects or policy.attestations
        (preloader.wait if needed else preloader.wait_for_report)(MODELS, RETRIES)
    except PackagesError as error:
        return _with_images_unread(policy, result, error)
    from action.pipeline import attestations, compare, subjects, verify  # noqa: PLC0415  # their packages are there now

    registries = attestations.registries_of(request, executed.buildx, log)
    if policy.attestations and request.builds:
        # The first: BuildKit soon removes the parts of an image that it has only pushed.
        result = attestations.with_attestations(result, trace.folder, policy.attestations, trace.live, registries)
    if policy.verify:
        result = verify.verified(result, trace.folder, executed.buildx, log)
    if policy.platform_subjects:
        result = subjects.with_platforms(result, trace.live, registries)
    if policy.compare and request.builds:
        result = compare.compared(
            result, request, policy.compare, executed.answers(), buildx=executed.buildx, live=trace.live, log=log
        )
    return result


def _with_images_unread(policy: Policy, result: RunResult, error: PackagesError) -> RunResult:
    """Return the result with an error for `verify`, and a warning for each other feature that lacks its packages."""
    lacking = {
        f"compare: nothing is compared: {error}": policy.compare,
        f"platform-subjects: refs and checksums may lack platforms: {error}": policy.platform_subjects,
        f"attestations: none is written: {error}": policy.attestations,
    }
    warnings = tuple(message for message, asked in lacking.items() if asked)
    # The images are pushed: the step fails, and has their digests as after another failed verification.
    errors = (VerificationError(f"no digest is verified: {error}"),) if policy.verify else ()
    return replace(
        result,
        errors=(*result.errors, *errors),
        warnings=(*result.warnings, *warnings),
        platform_subjects=policy.platform_subjects,
    )


def _status_logs(trace: Trace, readers: Readers, refs: Sequence[str]) -> list[StatusLog]:
    """Return the status log of each build, from BuildKit's API or else from an export; some may be missing."""
    status_logs: list[StatusLog] = []
    with contextlib.suppress(EvidenceError):
        # Only a build whose record was read has a status log there.
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
