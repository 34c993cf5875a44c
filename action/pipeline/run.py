"""One build, from a request to its results: the whole way on one screen."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from action.buildx.request import BuildRequest
from action.errors import PackagesError
from action.inputs.policy import Policy
from action.packages.preload import Preloader
from action.packages.sets import RETRIES, STEP
from action.pipeline.execute import execute
from action.pipeline.run_result import RunResult
from action.process.log import Log

if TYPE_CHECKING:
    from action.evidence.record_file import Record
    from action.results import BuildResults


def run_build(
    request: BuildRequest, workspace: Path, policy: Policy, log: Log, preloader: Preloader
) -> RunResult[BuildResults]:
    """Run a build and say what each of its exporters made.

    Args:
        request: the build.
        workspace: an empty folder for temporary files, which the caller removes.
        policy: what it is held to.
        log: where the log goes.
        preloader: makes ready, while buildx runs, what is needed after it.

    Raises:
        ProgramError: there is no buildx, or it cannot be started.
        PackagesError: what verifies it cannot be installed.
        Interrupted: a signal came while nothing was being built.
    """
    executed = execute(request, workspace, policy.retry_policy, log, preloader)
    if executed.signal is not None:
        return RunResult(None, None, (executed.failed,) if executed.failed else (), signal=executed.signal)
    try:
        preloader.wait(STEP)
    except PackagesError as error:
        return RunResult(None, None, (*((executed.failed,) if executed.failed else ()), error), trace=executed.trace)
    from action.buildx.pushed_digests import proved_digests  # noqa: PLC0415
    from action.evidence.metadata_file import read_metadata_file  # noqa: PLC0415
    from action.evidence.record_file import read_record  # noqa: PLC0415
    from action.pipeline.conclude import conclude  # noqa: PLC0415
    from action.results import other_pushed  # noqa: PLC0415

    def record_of(ref: str) -> Record:
        return read_record(executed.trace.records.file((ref,)), ref.rpartition("/")[2])

    metadata = read_metadata_file(executed.metadata_file, written=executed.written)
    folder = Path(request.folder)
    outcome = conclude(
        request.requested,
        executed.failed,
        metadata,
        record_of,
        folder,
        prove=partial(proved_digests, executed.buildx, os.environ),
        require_digests=policy.require_digests,
    )
    if policy.verify and outcome.results is not None:
        preloader.wait(RETRIES)
        from action.pipeline.verify_result import verified_build  # noqa: PLC0415  # few ask for it

        outcome = verified_build(outcome, folder, executed.buildx, log)
    other = other_pushed(outcome.results) if outcome.results is not None else None
    return replace(
        outcome,
        notices=(*executed.notices, *outcome.notices, *((other,) if other else ())),
        warnings=(*executed.warnings, *outcome.warnings),
        trace=executed.trace,
    )
