"""One bake, from a request to its results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from action.buildx.log import Log
from action.buildx.request import BakeRequest
from action.execution import execute
from action.inputs.policy import Policy
from action.outcome import Outcome

if TYPE_CHECKING:
    from action.results.models import BakeResults


def run_bake(
    request: BakeRequest,
    workspace: Path,
    policy: Policy,
    log: Log,
    *,
    meanwhile: tuple[str, ...] = (),
) -> Outcome[BakeResults]:
    """Run a bake and say what each exporter of each target made.

    Args:
        request: the bake.
        workspace: an empty folder for temporary files, which the caller removes.
        policy: what it is held to.
        log: where the log goes.
        meanwhile: modules that the caller will need, to be imported while buildx runs.

    Raises:
        ProgramError: there is no buildx, or it cannot be started.
        Interrupted: a signal came while nothing was being built.
    """
    executed = execute(request, workspace, policy.patience, log, needed="action.bake_conclusion", meanwhile=meanwhile)
    if executed.signal is not None:
        return Outcome(None, None, (executed.failed,) if executed.failed else (), signal=executed.signal)
    # What these draw in was imported while buildx ran.
    from action.bake_conclusion import conclude_bake  # noqa: PLC0415
    from action.metadata.file import read_bake_metadata_file  # noqa: PLC0415

    metadata = read_bake_metadata_file(executed.metadata_file, written=executed.written)
    folder = Path(request.folder)
    export = executed.trace.records.file
    outcome = conclude_bake(
        request.targets, executed.failed, metadata, export, folder, require_digests=policy.require_digests
    )
    if policy.verify and outcome.results is not None:
        from action.verification.outcome import verified_bake  # noqa: PLC0415  # few ask for it

        outcome = verified_bake(outcome, folder, executed.buildx, log)
    return replace(outcome, notices=(*executed.notices, *outcome.notices), trace=executed.trace)
