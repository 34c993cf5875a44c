"""Folders of installed packages: each is whole or not there, and is checked each time it is used.

A manifest in the folder holds the SHA-256 hash of every file that can be imported. It finds damage: a file that a
cleaner removed, a disk that was full, an edit. It is no defence against somebody who can write the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

MANIFEST = ".manifest.json"

_UNFINISHED = ".unfinished-"
_ATTEMPTS = 5
_ABANDONED_SECONDS = 3600.0
"""After this time an unfinished folder counts as abandoned on a system without file locks."""


def is_whole(folder: Path) -> bool:
    """Tell whether a folder holds exactly the files of its manifest."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        return bool(manifest) and manifest == _hashes(folder)
    except (OSError, ValueError, RecursionError):
        return False


def _hashes(folder: Path) -> dict[str, str]:
    hashes: dict[str, str] = {}
    folders = [""]
    while folders:
        parent = folders.pop()
        with os.scandir(folder / parent) as entries:
            for entry in entries:
                name = f"{parent}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    # What pip and uv say of a package, which nothing reads.
                    if not entry.name.endswith(".dist-info"):
                        folders.append(f"{name}/")
                elif not entry.name.startswith("."):
                    with open(entry.path, "rb", buffering=0) as opened:  # noqa: PTH123  # faster, for hundreds of files
                        hashes[name] = hashlib.sha256(opened.read()).hexdigest()
    return hashes


def finish(packages: Path) -> None:
    """Compile a folder's modules and write its manifest.

    Compiled here, they are in the manifest; with hashes that Python does not check, it never writes them again.

    Raises:
        OSError: the folder cannot be written.
    """
    import compileall  # noqa: PLC0415  # a machine needs it once
    import py_compile  # noqa: PLC0415  # the same

    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(packages, quiet=2, invalidation_mode=mode)
    (packages / MANIFEST).write_text(json.dumps(_hashes(packages)), encoding="utf-8")
    # The next step may be another user's.
    packages.chmod(0o755)


def replace(folder: Path, packages: Path) -> None:
    """Move finished packages to where steps look for them; if another step has put its own there, those stay.

    Args:
        folder: where to; what is there and is not whole is moved away, beside `packages`.
        packages: the folder to move.

    Raises:
        OSError: the folder cannot be replaced.
    """
    for attempt in range(_ATTEMPTS):
        if _moved(packages, folder) or is_whole(folder):
            return
        with contextlib.suppress(OSError):
            folder.rename(packages.with_name(f"damaged-{attempt}"))
    packages.rename(folder)


def _moved(packages: Path, folder: Path) -> bool:
    try:
        packages.rename(folder)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def unfinished_folder(parent: Path) -> Iterator[Path]:
    """Make a folder to install in, which is removed at the end; remove what installs that were killed have left.

    Args:
        parent: the folder to make it in.

    Raises:
        OSError: the folder cannot be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for each in parent.glob(f"{_UNFINISHED}*"):
        _remove_if_abandoned(each)
    folder, lock = _made(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _made(parent: Path) -> tuple[Path, int | None]:
    """A new folder that this process has locked; another step can take it for abandoned until it is."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=parent))
        try:
            lock = _lock(folder, wait=True)
        except FileNotFoundError:
            continue
        if lock is None or folder.exists():
            return folder, lock
        os.close(lock)


def _remove_if_abandoned(folder: Path) -> None:
    """Remove an unfinished folder whose installer is gone: the system drops a process's locks when it ends."""
    try:
        lock = _lock(folder, wait=False)
        if lock is None and time.time() - folder.stat().st_mtime < _ABANDONED_SECONDS:
            return
    except OSError:
        # Another process holds the lock, it is another user's, or it has just been removed.
        return
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)


def _lock(folder: Path, *, wait: bool) -> int | None:
    """Lock a folder; None where the system or the file system has no locks.

    Raises:
        BlockingIOError: another process has locked it.
        OSError: it cannot be opened.
    """
    if sys.platform == "win32":
        return None
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(opened)
        raise
    except OSError:
        os.close(opened)
        return None
    return opened
