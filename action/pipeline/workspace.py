"""The one folder that a run's temporary files live in."""

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
    """A folder for this run alone, that goes away with it: in RUNNER_TEMP, or where the system keeps such."""
    with _temporary_folder() as folder:
        yield Path(folder)


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A new folder in RUNNER_TEMP, or if that cannot be written, where the system keeps such."""
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
        OSError: there is none.
    """
    if temporary := runner_temporary_folder():
        folder = temporary / "build-digests"
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)
            return folder
    # One with a known name could be another user's.
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def runner_temporary_folder() -> Path | None:
    """RUNNER_TEMP, which the runner empties after each job; None where it is not set."""
    name = os.environ.get("RUNNER_TEMP", "")
    return Path(name) if name and Path(name).is_dir() else None
