"""One build, from a request to its results: the whole way on one screen."""

from __future__ import annotations

import importlib
import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from action.buildx.diagnosis import failure, refuses_attestations
from action.buildx.history import export_record
from action.buildx.program import Ended, find_buildx, run
from action.buildx.request import BuildRequest, with_metadata_file
from action.errors import BuildDigestsError

if TYPE_CHECKING:
    from action.results.models import BuildResults

_NO_PROVENANCE = (
    "this builder takes no attestations, so the image was built again without the default provenance; set provenance "
    "to false to spare the first attempt"
)


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
    metadata_file = Path(request.metadata_file) if request.metadata_file else workspace / "metadata.json"

    def build(arguments: tuple[str, ...]) -> Ended:
        if request.metadata_file is None:
            arguments = with_metadata_file(arguments, str(metadata_file))
        return run((*buildx, *arguments), environment, capture=capture)

    before = _version(metadata_file)
    imports = threading.Thread(target=importlib.import_module, args=("action.conclusion",), daemon=True)
    imports.start()
    ended = build(request.arguments)
    notices: tuple[str, ...] = ()
    if request.without_defaults is not None and refuses_attestations(ended):
        notices = (_NO_PROVENANCE,)
        ended = build(request.without_defaults)
    failed = failure(ended, call=request.call) if ended.code else None
    if ended.signal is not None:
        return Outcome(None, None, (failed,) if failed else (), signal=ended.signal)
    imports.join()
    # What these draw in was imported while the build ran.
    from action.conclusion import conclude  # noqa: PLC0415
    from action.metadata.file import read_metadata_file  # noqa: PLC0415

    def export(ref: str) -> Path:
        file = workspace / "record.dockerbuild"
        export_record(buildx, {**os.environ}, ref, file)
        return file

    # A file that an earlier build wrote says nothing of this one.
    metadata = read_metadata_file(metadata_file, written=_version(metadata_file) != before)
    outcome = conclude(request, failed, metadata, export, require_digests=require_digests)
    return replace(outcome, notices=(*notices, *outcome.notices))


def _version(file: Path) -> tuple[int, int] | None:
    """What changes with every writing of a file: its inode and its time in nanoseconds; None where there is no file."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
