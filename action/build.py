"""One build, from a request to its results: the whole way on one screen."""

from __future__ import annotations

import importlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from action.buildx.diagnosis import failure
from action.buildx.history import export_record
from action.buildx.program import find_buildx, run
from action.buildx.request import BuildRequest
from action.errors import BuildDigestsError

if TYPE_CHECKING:
    from action.results.models import BuildResults


@dataclass(frozen=True)
class Outcome:
    """What became of a build.

    Attributes:
        results: every exporter with its digest; None where nothing can be said of them.
        metadata: the metadata file's text, or None where it is none.
        errors: what went wrong, the gravest first; a step or command that has one fails.
        warnings: digests and evidence that are missing, and why.
        notices: what the user may not expect.
        signal: the signal that ended the build, or None.
    """

    results: BuildResults | None
    metadata: str | None
    errors: tuple[BuildDigestsError, ...] = ()
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    signal: int | None = None


def run_build(request: BuildRequest, workspace: Path, *, capture: bool, require_digests: bool = False) -> Outcome:
    """Run a build and say what each of its exporters made.

    Args:
        request: the build.
        workspace: an empty folder for temporary files, which the caller removes.
        capture: whether buildx's output passes through this process, so that its last error line is known.
        require_digests: whether an exporter that makes an image and has no digest is an error.

    Raises:
        ProgramError: there is no buildx, or it cannot be started.
    """
    buildx = find_buildx()
    environment = {**os.environ, **request.environment}
    own_file = workspace / "metadata.json"
    command = (*buildx, *request.with_metadata_file(str(own_file)))
    imports = threading.Thread(target=importlib.import_module, args=("action.conclusion",), daemon=True)
    imports.start()
    ended = run(command, environment, capture=capture)
    failed = failure(ended, call=request.call) if ended.code else None
    if ended.signal is not None:
        return Outcome(None, None, (failed,) if failed else (), signal=ended.signal)
    imports.join()
    from action.conclusion import conclude  # noqa: PLC0415  # what it draws in was imported while the build ran

    metadata_file = Path(request.metadata_file) if request.metadata_file else own_file

    def export(ref: str) -> Path:
        file = workspace / "record.dockerbuild"
        export_record(buildx, {**os.environ}, ref, file)
        return file

    return conclude(request, failed, metadata_file, export, require_digests=require_digests)
