"""Runs buildx once, and tells what is left of the run: how it ended, and whether it wrote its metadata file."""

from __future__ import annotations

import importlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from action.buildx.diagnosis import failure, refuses_attestations
from action.buildx.program import Ended, find_buildx, run
from action.buildx.request import Command, with_metadata_file
from action.errors import BuildDigestsError

_NO_PROVENANCE = (
    "this builder takes no attestations, so the image was built again without the default provenance; set provenance "
    "to false to spare the first attempt"
)


@dataclass(frozen=True)
class Executed:
    """A run of buildx that has ended.

    Attributes:
        buildx: the command that runs buildx.
        failed: why it failed, or None.
        signal: the signal that ended it, or None.
        metadata_file: where its metadata file is.
        written: whether this run wrote that file; one that an earlier run wrote says nothing of this one.
        notices: what the user may not expect.
    """

    buildx: tuple[str, ...]
    failed: BuildDigestsError | None
    signal: int | None
    metadata_file: Path
    written: bool
    notices: tuple[str, ...]


def execute(command: Command, workspace: Path, *, capture: bool, meanwhile: str) -> Executed:
    """Run buildx.

    Args:
        command: what to run.
        workspace: an empty folder for temporary files.
        capture: whether buildx's output passes through this process, so that its last error line is known.
        meanwhile: a module to import while buildx runs.

    Raises:
        ProgramError: there is no buildx, or it cannot be started.
    """
    buildx = find_buildx()
    environment = {**os.environ, **command.environment}
    own = workspace / "metadata.json"
    metadata_file = Path(command.folder, command.metadata_file) if command.metadata_file else own
    before = _version(metadata_file)

    def build(arguments: tuple[str, ...]) -> Ended:
        if command.metadata_file is None:
            arguments = with_metadata_file(arguments, str(own))
        return run((*buildx, *arguments), environment, capture=capture, folder=command.folder)

    imports = threading.Thread(target=importlib.import_module, args=(meanwhile,), daemon=True)
    imports.start()
    ended = build(command.arguments)
    notices: tuple[str, ...] = ()
    if command.without_defaults is not None and refuses_attestations(ended):
        notices = (_NO_PROVENANCE,)
        ended = build(command.without_defaults)
    failed = failure(ended, call=command.call) if ended.code else None
    if ended.signal is None:
        imports.join()
    return Executed(buildx, failed, ended.signal, metadata_file, _version(metadata_file) != before, notices)


def _version(file: Path) -> tuple[int, int] | None:
    """What changes with every writing of a file: its inode and its time in nanoseconds; None where there is no file."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
