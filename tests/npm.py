"""Packages of npm that tests use, installed from a lock once into the cache."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

from engine.node import NPM

ROOT = Path(__file__).resolve().parents[1]


def installed(name: str) -> Path:
    """Return the folder with the packages of `tests/NAME/package-lock.json`, and with that folder's scripts."""
    source, folder = ROOT / "tests" / name, ROOT / ".cache" / name
    lock = (source / "package-lock.json").read_bytes()
    folder.parent.mkdir(exist_ok=True)
    # Each worker of pytest-xdist is a process with its own session: only one of them may install at a time.
    with folder.with_suffix(".lock").open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        if not (folder / "ready").is_file() or (folder / "ready").read_bytes() != lock:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(source, folder)
            command = [*NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=240)
            (folder / "ready").write_bytes(lock)
        for script in source.glob("*.mjs"):
            shutil.copy(script, folder)
    return folder
