"""The one folder that a run's temporary files live in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for this run alone, that goes away with it: in RUNNER_TEMP, or where the system keeps such."""
    parent = runner_temporary_folder()
    with tempfile.TemporaryDirectory(prefix="build-digests-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def runner_temporary_folder() -> Path | None:
    """RUNNER_TEMP, which the runner empties after each job; None where it is not set."""
    name = os.environ.get("RUNNER_TEMP", "")
    return Path(name) if name and Path(name).is_dir() else None
