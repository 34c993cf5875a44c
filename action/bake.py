"""One bake, from a request to its results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from action.buildx.history import export_record
from action.buildx.request import BakeRequest
from action.execution import execute
from action.outcome import Outcome

if TYPE_CHECKING:
    from action.results.models import BakeResults


def run_bake(
    request: BakeRequest, workspace: Path, *, capture: bool, require_digests: bool = False
) -> Outcome[BakeResults]:
    """Run a bake and say what each exporter of each target made.

    Args:
        request: the bake.
        workspace: an empty folder for temporary files, which the caller removes.
        capture: whether buildx's output passes through this process, so that its last error line is known.
        require_digests: whether an exporter that makes an image and has no digest is an error.

    Raises:
        ProgramError: there is no buildx, or it cannot be started.
    """
    executed = execute(request, workspace, capture=capture, meanwhile="action.bake_conclusion")
    if executed.signal is not None:
        return Outcome(None, None, (executed.failed,) if executed.failed else (), signal=executed.signal)
    # What these draw in was imported while buildx ran.
    from action.bake_conclusion import conclude_bake  # noqa: PLC0415
    from action.metadata.file import read_bake_metadata_file  # noqa: PLC0415

    def export(refs: Sequence[str]) -> Path:
        file = workspace / "records.dockerbuild"
        file.unlink(missing_ok=True)
        export_record(executed.buildx, os.environ, refs, file)
        return file

    metadata = read_bake_metadata_file(executed.metadata_file, written=executed.written)
    folder = Path(request.folder)
    outcome = conclude_bake(request.targets, executed.failed, metadata, export, folder, require_digests=require_digests)
    return replace(outcome, notices=(*executed.notices, *outcome.notices))
