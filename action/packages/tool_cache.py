"""Folders of installed packages: each is complete or absent, and is checked each time it is used.

A manifest in the folder has the size, the time and the SHA-256 hash of every file that can be imported. It detects
damage: a file that was removed, a full disk, an edit. It does not protect against somebody who can write to the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from action.lazy import hashlib, shutil, tempfile

if sys.platform != "win32":
    import fcntl

MANIFEST = ".manifest.json"

_UNFINISHED = ".unfinished-"
_ATTEMPTS = 5
_ABANDONED_SECONDS = 3600.0
"""Age, in seconds, after which an unfinished folder counts as abandoned on a system without file locks."""


def is_whole(folder: Path) -> bool:
    """Return whether a folder contains exactly the files of its manifest, as they were written.

    All files are hashed once after each start of the machine, because a machine that crashes can lose what was written
    to a file, and keep its size and its time. After that only a file whose time has changed is hashed: hashing all of
    them takes 0.02 s of processor time, which a short build waits for.

    Args:
        folder: the folder, which need not exist.
    """
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_bytes())
        times_count = file.stat().st_mtime > _started()
        files = _files(folder)
        if not manifest or manifest.keys() != files.keys():
            return False
        for name, (size, time_ns) in files.items():
            size_then, time_then, hash_then = manifest[name]
            if size != size_then:
                return False
            if not (times_count and time_ns == time_then) and _hash(folder / name) != hash_then:
                return False
    except (OSError, ValueError, RecursionError, AttributeError, TypeError, LookupError):
        return False
    if not times_count:
        # The folder may be another user's: then it is hashed each time.
        with contextlib.suppress(OSError):
            os.utime(file)
    return True


def _started() -> float:
    """Return when the machine started, in seconds since 1970, or a later time if it has slept."""
    return time.time() - time.monotonic()


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Return each file that can be imported, to its size in bytes and the time of its last change in nanoseconds."""
    files: dict[str, tuple[int, int]] = {}
    folders = [""]
    while folders:
        parent = folders.pop()
        with os.scandir(folder / parent) as entries:
            for entry in entries:
                name = f"{parent}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    # The metadata of a distribution cannot be imported, and nothing else reads it.
                    if not entry.name.endswith(".dist-info"):
                        folders.append(f"{name}/")
                elif not entry.name.startswith("."):
                    status = entry.stat()
                    files[name] = status.st_size, status.st_mtime_ns
    return files


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def write_manifest(packages: Path) -> None:
    """Write a folder's manifest, and make the folder readable for every user.

    Args:
        packages: the folder, in which nothing changes after this.

    Raises:
        OSError: the folder cannot be written.
    """
    manifest = {name: (*known, _hash(packages / name)) for name, known in _files(packages).items()}
    (packages / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    # A later step may run as another user, whom the umask of this process may keep out.
    packages.chmod(0o755)


def replace(folder: Path, packages: Path) -> None:
    """Move finished packages to the folder that steps use, unless another step has put complete ones there meanwhile.

    Args:
        folder: the folder that steps use; a damaged one is moved away, beside `packages`.
        packages: the folder to move, on the same file system.

    Raises:
        OSError: the folder cannot be replaced.
    """
    # No file system replaces a folder that is not empty in one operation. Another step may be faster between the two
    # renames, so that this takes several attempts.
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
    """Make a temporary folder to install in, and remove the abandoned ones of installations that were killed.

    Args:
        parent: the folder to make it in; it is made too if it is missing.

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
    """Return a new folder, and the file descriptor that locks it if the system has locks."""
    # Before the folder is locked, another step may consider it abandoned and remove it.
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
    """Remove an unfinished folder if its installer has ended: the system drops the locks of a process then."""
    try:
        lock = _lock(folder, wait=False)
        if lock is None and time.time() - folder.stat().st_mtime < _ABANDONED_SECONDS:
            return
    except OSError:
        # Another process has the lock, the folder is another user's, or another step has just removed it.
        return
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)


def _lock(folder: Path, *, wait: bool) -> int | None:
    """Lock a folder and return the file descriptor, or None if the system or the file system has no locks.

    Raises:
        BlockingIOError: another process has locked the folder.
        OSError: the folder cannot be opened.
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
