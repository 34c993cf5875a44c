"""The file of `--iidfile`. With several outputs buildx writes the image ID of whichever exporter ran last."""

from __future__ import annotations

import os
from pathlib import Path

from action.buildx.local_state import state_folder, uses_docker_driver
from action.buildx.request import Request
from action.errors import BuildFailedError, InputError, ProgramError
from action.exporters.attributed import AttributedBuild, AttributedExporter, first_image_exporter
from action.exporters.requested import Requested
from action.pipeline.run_result import RunResult


def rewrite_image_id_file(request: Request, result: RunResult) -> str | None:
    """Write the ID of the image in the engine to the file, or of the first image if no image is in the engine.

    If that ID is not known, the file is removed, because buildx may have written the ID of another image.

    Args:
        request: the build.
        result: its result.

    Returns:
        A warning if the file was removed, otherwise None.

    Raises:
        InputError: the file cannot be written or removed.
    """
    requested = request.targets[""]
    build = result.builds.get("") if result.builds is not None else None
    if request.image_id_file is None or not requested.exports:
        return None
    if result.signal is not None or any(isinstance(error, (BuildFailedError, ProgramError)) for error in result.errors):
        # buildx failed: it has removed the file, or has not written it.
        return None
    file = Path(request.folder, request.image_id_file)
    if file.is_symlink() or not file.is_file():
        return None
    exporter = _exporter(requested, build) if build is not None else None
    if build is not None and exporter is None:
        return None
    try:
        if exporter is not None and exporter.imageid is not None:
            if file.read_bytes() != exporter.imageid.encode():
                file.write_text(exporter.imageid, encoding="ascii")
            return None
        file.unlink()
    except OSError as error:
        problem = f"{request.image_id_file} cannot be written: {error.strerror}; it may name another output's image"
        raise InputError("--iidfile", problem, "name a file in a folder that can be written to") from None
    return f"--iidfile: {request.image_id_file} is removed, because the image ID that belongs in it is not known"


def _exporter(requested: Requested, build: AttributedBuild) -> AttributedExporter | None:
    """Return the exporter whose image ID belongs in the file, or None if no exporter makes an image."""
    added = requested.outputs + requested.adds_image
    loaded = [
        each
        for each in build.exporters
        if each.dest is None and (each.type == "docker" or (requested.load and each.index >= added))
    ]
    in_engine = bool(build.ref and uses_docker_driver(state_folder(os.environ), build.ref))
    kept = [
        each
        for each in build.exporters
        if in_engine and each.dest is None and each.type in {"image", "registry", "moby"}
    ]
    return next(iter((*loaded, *kept)), None) or first_image_exporter(build.exporters)
