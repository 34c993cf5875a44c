"""One bake, from a request to its results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from action.buildx.request import BakeRequest
from action.execution import execute
from action.outcome import Outcome

if TYPE_CHECKING:
    from action.results.models import BakeResults


def run_bake(
    request: BakeRequest,
    workspace: Path,
    *,
    capture: bool,
    require_digests: bool = False,
    meanwhile: tuple[str, ...] = (),
) -> Outcome[BakeResults]:
    """Run a bake and say what each exporter of each target made.

    Args:
        request: the bake.
        workspace: an empty folder for temporary files, which the caller removes.
        capture: whether buildx's output passes through this process, so that its last error line is known.
        require_digests: whether an exporter that makes an image and has no digest is an error.
        meanwhile: modules that the caller will need, to be imported while buildx runs.

    Raises:
        ProgramError: there is no buildx, or it cannot be started.
    """
    executed = execute(request, workspace, capture=capture, needed="action.bake_conclusion", meanwhile=meanwhile)
    if executed.signal is not None:
        return Outcome(None, None, (executed.failed,) if executed.failed else (), signal=executed.signal)
    # What these draw in was imported while buildx ran.
    from action.bake_conclusion import conclude_bake  # noqa: PLC0415
    from action.metadata.file import read_bake_metadata_file  # noqa: PLC0415

    metadata = read_bake_metadata_file(executed.metadata_file, written=executed.written)
    folder = Path(request.folder)
    export = executed.trace.records.file
    outcome = conclude_bake(request.targets, executed.failed, metadata, export, folder, require_digests=require_digests)
    return replace(outcome, notices=(*executed.notices, *outcome.notices), trace=executed.trace)
