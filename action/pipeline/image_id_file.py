"""The file of `--iidfile`: buildx writes the ID of the exporter that ran last, whichever that was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from action.buildx.local_state import is_of_docker_engine, state_folder
from action.buildx.request import BuildRequest
from action.errors import BuildFailedError, InputError, ProgramError
from action.pipeline.run_result import RunResult
from action.report.terminal import say

if TYPE_CHECKING:
    from action.exporters.requested import Requested
    from action.results import BuildResults, ExporterResult


def rewrite_image_id_file(request: BuildRequest, outcome: RunResult[BuildResults]) -> None:
    """Put the right image's ID into the file: that of the image in the engine, else that of the first image.

    The file is removed if that ID is not known and buildx may have written another image's.

    Args:
        request: the build.
        outcome: what became of it.

    Raises:
        InputError: the file cannot be written or removed.
    """
    if request.image_id_file is None or not request.requested.exports:
        return
    if outcome.signal is not None or any(
        isinstance(error, (BuildFailedError, ProgramError)) for error in outcome.errors
    ):
        # buildx has removed the file, or has not come so far.
        return
    file = Path(request.folder, request.image_id_file)
    if file.is_symlink() or not file.is_file():
        return
    exporter = _exporter(request.requested, outcome.results) if outcome.results is not None else None
    if outcome.results is not None and exporter is None:
        return
    try:
        if exporter is not None and exporter.imageid is not None:
            if file.read_bytes() != exporter.imageid.encode():
                file.write_text(exporter.imageid, encoding="ascii")
            return
        file.unlink()
    except OSError as error:
        problem = f"{request.image_id_file} cannot be written: {error.strerror}; it may name another output's image"
        raise InputError("--iidfile", problem, "name a file in a folder that can be written to") from None
    say(
        "warning",
        f"--iidfile: {request.image_id_file} is removed, because the image ID that belongs in it is not known",
    )


def _exporter(requested: Requested, results: BuildResults) -> ExporterResult | None:
    """Return the exporter whose image ID belongs in the file; None if no exporter makes an image."""
    from action.results import legacy_exporter  # noqa: PLC0415  # imported while the build ran

    added = requested.outputs + requested.adds_image
    loaded = [
        each
        for each in results.exporters
        if each.dest is None and (each.type == "docker" or (requested.load and each.index >= added))
    ]
    in_engine = bool(results.ref and is_of_docker_engine(state_folder(os.environ), results.ref))
    kept = [
        each
        for each in results.exporters
        if in_engine and each.dest is None and each.type in {"image", "registry", "moby"}
    ]
    return next(iter((*loaded, *kept)), None) or legacy_exporter(results.exporters)
