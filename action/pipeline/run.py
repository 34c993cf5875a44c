"""A run of buildx, from a request to its result: one path for a build and for a bake."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from action.buildx.history import Records
from action.buildx.request import Request
from action.dataclass import replace
from action.errors import EvidenceError, PackagesError
from action.inputs.policy import Policy
from action.packages.preload import WITHOUT_PACKAGES, Preloader
from action.packages.sets import MODELS, PackageSet
from action.pipeline.execute import Executed, execute, live_connections
from action.pipeline.live_source import LiveSource
from action.pipeline.run_result import RunResult, Trace
from action.process.log import Log

_MISSING = "the action's packages are missing"


def run_request(request: Request, workspace: Path, policy: Policy, log: Log, preloader: Preloader) -> RunResult:
    """Run a build or a bake and return the digest of each of its exporters.

    Args:
        request: what to run.
        workspace: an empty folder for temporary files, which the caller removes.
        policy: the rules for the run, such as `verify`.
        log: the destination of the log.
        preloader: loads what is needed after buildx has ended, while buildx runs.

    Raises:
        ProgramError: buildx is not installed, or cannot be started.
        Interrupted: a signal arrived while buildx was not running.
    """
    with live_connections(request, wanted=policy.reads_builder) as connections:
        executed = execute(request, workspace, policy, log, preloader=preloader, connections=connections)
        return result_of(request, executed, workspace, policy, log=log, preloader=preloader)


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
        preloader: waits for packages if a digest needs them; digests that need a missing package are missing.

    Raises:
        Interrupted: a signal ended the verification.
    """
    failed = (executed.failed,) if executed.failed else ()
    if executed.signal is not None:
        return RunResult(None, None, failed, signal=executed.signal, bake=request.bake)
    trace = Trace(
        executed.known_refs,
        request.contexts,
        Path(request.folder),
        executed.log,
        Records(executed.buildx, os.environ, workspace),
        request.builds,
        executed.known_groups,
        LiveSource(executed.connections, executed.buildx, preloader),
    )
    from action.pipeline.evaluate import Readers, evaluate, package_readers  # noqa: PLC0415  # loaded while buildx ran

    missing: PackagesError | None = None
    # A tar that an output writes confirms its digest; if there is no record to tell exporters apart, it gives it.
    records = any(requested.may_need_record for requested in request.targets.values())
    wait_for_artifact = preloader.wait if records else preloader.wait_for_report

    def loaded(wait: Callable[[PackageSet], None]) -> Readers:
        nonlocal missing
        try:
            wait(MODELS)
        except PackagesError as error:
            # The images are pushed, and most digests need no package.
            missing = error
            raise EvidenceError(_MISSING) from None
        return package_readers()

    readers = Readers(
        lambda file: loaded(preloader.wait).records(file),
        lambda file: loaded(wait_for_artifact).artifact(file),
        lambda folder: loaded(wait_for_artifact).folder(folder),
        lambda file: loaded(preloader.wait).status_logs(file),
    )
    result = evaluate(request, executed, trace, policy, readers=readers, log=log, preloader=preloader)
    if missing is None:
        return result
    return replace(result, warnings=(f"{missing}. {WITHOUT_PACKAGES}", *result.warnings), lacks_packages=True)
