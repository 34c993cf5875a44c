"""A run of buildx, from a request to its result: one path for a build and for a bake."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from action.buildx.history import Records
from action.buildx.request import Request
from action.errors import PackagesError
from action.inputs.policy import Policy
from action.packages.preload import Preloader
from action.pipeline.execute import EVALUATION, Executed, execute
from action.pipeline.run_result import RunResult, Trace
from action.process.log import Log

_MISSING = "the action's packages are missing"
_WITHOUT_PACKAGES = (
    "Without them, digests that only the build record or a tar gives are missing, and so are summary, comment and "
    "annotations. On a runner without an index, run action/start.py install on it once, as docs/reference.md describes"
)


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
    executed = execute(request, workspace, policy.retry_policy, log, preloader)
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
        preloader: waits for what was loaded while buildx ran; digests that need a missing package are missing.

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
    )
    from action.pipeline.evaluate import evaluate, without_packages  # noqa: PLC0415  # loaded while buildx ran

    missing = ""
    try:
        preloader.wait(EVALUATION.packages)
        from action.pipeline.package_readers import READERS  # noqa: PLC0415  # its package is there only now

        readers = READERS
    except PackagesError as error:
        # The images are pushed, and most digests need no package.
        missing = f"{error}. {_WITHOUT_PACKAGES}"
        readers = without_packages(_MISSING)
    result = evaluate(request, executed, trace, policy, readers=readers, log=log, preloader=preloader)
    # A build that failed has no digest to miss. Of a bake with several targets, some may be finished.
    if not missing or (executed.failed and len(request.targets) <= 1):
        return result
    return replace(result, warnings=(missing, *result.warnings), lacks_packages=True)
