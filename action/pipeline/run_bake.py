"""One bake, from a request to its results."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from action.buildx.local_state import state_folder
from action.buildx.request import BakeRequest
from action.errors import PackagesError
from action.inputs.policy import Policy
from action.packages.preload import Preloader
from action.packages.sets import RETRIES, STEP
from action.pipeline.execute import Executed, execute
from action.pipeline.run_result import RunResult
from action.process.log import Log

if TYPE_CHECKING:
    from action.results import BakeResults


def run_bake(
    request: BakeRequest, workspace: Path, policy: Policy, log: Log, preloader: Preloader
) -> RunResult[BakeResults]:
    """Run a bake and say what each exporter of each target made.

    Args:
        request: the bake.
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
    from action.evidence.metadata_file import read_bake_metadata_file  # noqa: PLC0415
    from action.pipeline.conclude_bake import conclude_bake  # noqa: PLC0415

    metadata = read_bake_metadata_file(executed.metadata_file, written=executed.written)
    folder = Path(request.folder)
    export = executed.trace.records.files
    begun = _begun(request, executed) if executed.failed else {}
    outcome = conclude_bake(
        request.targets,
        executed.failed,
        metadata,
        export,
        folder,
        prove=partial(proved_digests, executed.buildx, os.environ),
        require_digests=policy.require_digests,
        begun=begun,
    )
    if policy.verify and outcome.results is not None:
        preloader.wait(RETRIES)
        from action.pipeline.verify_result import verified_bake  # noqa: PLC0415  # few ask for it

        outcome = verified_bake(outcome, folder, executed.buildx, log)
    return replace(
        outcome,
        notices=(*executed.notices, *outcome.notices),
        warnings=(*executed.warnings, *outcome.warnings),
        trace=executed.trace,
    )


def _begun(request: BakeRequest, executed: Executed) -> dict[str, str]:
    """Return the builds that a bake which failed surely began: target name to `builder/node/ref`."""
    from action.buildx.bake_state import failed_target, refs_of_failed_bake  # noqa: PLC0415  # few bakes fail

    built = [name for name, requested in request.targets.items() if requested.exports]
    trace = executed.trace
    if failed_target(trace.log, built) is None:
        # It may have failed before it built anything; the builds found might then be another bake's.
        return {}
    state = state_folder(os.environ)
    return refs_of_failed_bake(state, built, trace.contexts, trace.folder, trace.known_groups, trace.known_refs)
