"""Starts a step of the action: `python start.py build`, with nothing installed but Python and either uv or pip.

Standard library only, and written so that an old Python gets as far as the message that says it is too old. The
packages that the steps import are installed once per lock and Python, into RUNNER_TOOL_CACHE, and found there again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST = (3, 10)
"""The oldest Python that the action runs on."""

_INSTALL_SECONDS = 600
_ROOT = Path(__file__).resolve().parent.parent
_LOCK = _ROOT / "requirements" / "action.txt"


class StartError(Exception):
    """The step cannot be started; the message says what to do."""


def packages_folder() -> Path:
    """Where the packages of this lock and this Python are kept."""
    lock = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]
    version = f"{sys.implementation.name}{sys.version_info.major}.{sys.version_info.minor}"
    cache = os.environ.get("RUNNER_TOOL_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "build-digests" / f"{lock}-{version}-{sys.platform}"


def install(folder: Path) -> None:
    """Install the packages of the lock into a folder, whole or not at all.

    Args:
        folder: where they shall be; if another step put them there meanwhile, they stay.

    Raises:
        StartError: they cannot be installed.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent)
    except OSError as error:
        message = f"{folder.parent} cannot be written ({error.strerror}): set RUNNER_TOOL_CACHE to a folder that can"
        raise StartError(message) from None
    try:
        _run_installer(unfinished)
        try:
            Path(unfinished).rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _run_installer(target: str) -> None:
    uv = shutil.which("uv")
    installer = (
        [uv, "pip", "install", "--quiet", "--python", sys.executable]
        if uv
        else [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    )
    # An installer is no buildx: it must not see the inputs, which hold secrets.
    environment = {name: value for name, value in os.environ.items() if name != "INPUTS"}
    command = [
        *installer,
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--target",
        target,
        "-r",
        str(_LOCK),
    ]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"the action's packages cannot be installed: {error}"
        raise StartError(message) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
        if "No module named pip" in said[-1]:
            message = f"{sys.executable} has no pip: install uv or pip, or run actions/setup-python before this step"
            raise StartError(message)
        message = (
            "the action's packages cannot be installed: " + " ".join(said[-3:]) + "; they are needed once, from a "
            "Python package index: check the network, or PIP_INDEX_URL (UV_INDEX_URL)"
        )
        raise StartError(message)


def main() -> int:
    """Run the step named by the first argument; the exit code is the step's."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        message = (
            f"{sys.executable} is Python {found}; 3.10 or later is needed: run actions/setup-python before this step"
        )
        raise StartError(message)
    folder = packages_folder()
    if not folder.is_dir():
        install(folder)
    # The script's own folder would stand before the packages and shadow the standard library's names.
    sys.path[:1] = [str(_ROOT), str(folder)]
    from action.workflow.step import run_bake_step, run_build_step  # noqa: PLC0415  # not importable before

    steps = {"build": run_build_step, "bake": run_bake_step}
    if len(sys.argv) != 2 or sys.argv[1] not in steps:  # noqa: PLR2004
        message = f"usage: start.py {'|'.join(steps)}"
        raise StartError(message)
    return steps[sys.argv[1]]()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StartError as error:
        text = str(error).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        sys.stdout.write(f"::error::{text}\n")
        sys.exit(1)
