"""A run of buildx, from a request to its result: one path for a build and for a bake."""

from __future__ import annotations

from pathlib import Path

from action.buildx.request import Request
from action.errors import PackagesError
from action.inputs.policy import Policy
from action.packages.preload import Preloader, PreloadItem
from action.packages.sets import MODELS
from action.pipeline.execute import execute
from action.pipeline.run_result import RunResult
from action.process.log import Log

EVALUATION = PreloadItem(MODELS, ("action.pipeline.evaluate",))
"""The packages and modules that every run needs after buildx has ended; they are loaded while it runs."""


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
        PackagesError: the packages that `verify` needs cannot be installed.
        Interrupted: a signal arrived while buildx was not running.
    """
    executed = execute(request, workspace, policy.retry_policy, log, preloader)
    failed = (executed.failed,) if executed.failed else ()
    if executed.signal is not None:
        return RunResult(None, None, failed, signal=executed.signal, bake=request.bake)
    try:
        preloader.wait(EVALUATION.packages)
    except PackagesError as error:
        return RunResult(None, None, (*failed, error), trace=executed.trace, bake=request.bake)
    from action.pipeline.evaluate import evaluate  # noqa: PLC0415  # its packages are there only now

    return evaluate(request, executed, policy, log, preloader)
