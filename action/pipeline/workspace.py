"""Folders for the temporary files of a run, and for files that later steps of its job read."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from action.errors import BuildDigestsError

_PREFIX = "build-digests-"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder for the temporary files of this run, and remove it at the end.

    It is in RUNNER_TEMP, or in the system's folder for temporary files if RUNNER_TEMP is not set or not writable.

    Raises:
        BuildDigestsError: no folder can be made.
    """
    with _temporary_folder() as folder:
        yield Path(folder)


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a folder in RUNNER_TEMP, or in the system's folder for temporary files."""
    with contextlib.suppress(OSError):
        parent = runner_temporary_folder()
        return tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True)
    try:
        return tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
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
