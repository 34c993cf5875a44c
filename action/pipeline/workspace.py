"""The folders for the files of a run: temporary ones, and those that later steps of the job read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from action.errors import BuildDigestsError
from action.lazy import shutil, tempfile

_PREFIX = "build-digests-"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder for the temporary files of this run, and remove it at the end.

    It is in RUNNER_TEMP, or in the system's folder for temporary files if RUNNER_TEMP is not set or not writable.

    Raises:
        BuildDigestsError: no folder can be made.
    """
    folder = _new_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _new_folder() -> Path:
    if parent := runner_temporary_folder():
        # Nobody else can know the name, or make a folder of that name first: `mkdir` would fail.
        folder = parent / f"{_PREFIX}{os.urandom(8).hex()}"
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700)
            return folder
    try:
        return Path(tempfile.mkdtemp(prefix=_PREFIX))
    except OSError as error:
        message = f"no temporary folder can be made ({error.strerror}): set RUNNER_TEMP or TMPDIR to a folder for them"
        raise BuildDigestsError(message) from None


def folder_for_later_steps() -> Path:
    """Return a folder for files that later steps of the job read; the runner removes it with the job.

    Raises:
        OSError: no folder can be made.
    """
    if temporary := runner_temporary_folder():
        folder = temporary / "build-digests"
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)
            return folder
    # In a folder that all users share, a folder with a fixed name could be another user's.
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def runner_temporary_folder() -> Path | None:
    """Return the folder RUNNER_TEMP, which the runner empties after each job, or None if it is not set."""
    name = os.environ.get("RUNNER_TEMP", "")
    return Path(name) if name and Path(name).is_dir() else None
