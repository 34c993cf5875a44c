"""Starts a step of the action: `python start.py build`, with nothing installed but Python and either uv or pip.

Standard library only, and written so that an old Python, 3.6 even, gets as far as the message that says it is too old:
`from __future__ import annotations` would stop it. The packages that the steps import are installed once per lock and
Python, into RUNNER_TOOL_CACHE, and found there again.
"""

import hashlib
import importlib.machinery
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST = (3, 10)
"""The oldest Python that the action runs on."""

_INSTALL_SECONDS = 600
_ROOT = Path(__file__).resolve().parent.parent
LOCK = _ROOT / "requirements" / "action.txt"
"""The packages that every step imports."""

GITHUB_LOCK = _ROOT / "requirements" / "github.txt"
"""Those that are needed where GitHub is asked something."""


class StartError(Exception):
    """The step cannot be started; the message says what to do."""


def packages_folder(lock: Path = LOCK) -> Path:
    """Where the packages of a lock, this Python and this machine are kept.

    What a Python names its compiled modules tells its version, processor and C library: a container job shares the tool
    cache of its host.
    """
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    tag = importlib.machinery.EXTENSION_SUFFIXES[0].rpartition(".")[0]
    cache = os.environ.get("RUNNER_TOOL_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "build-digests" / (digest + tag)


def install(folder: Path, lock: Path = LOCK) -> None:
    """Install the packages of a lock into a folder, whole or not at all.

    Args:
        folder: where they shall be; if another step put them there meanwhile, they stay.
        lock: names them, with their hashes.

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
        _run_installer(unfinished, lock)
        # mkdtemp lets nobody else in, and the next step may be another user's.
        Path(unfinished).chmod(0o755)
        try:
            Path(unfinished).rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _run_installer(target: str, lock: Path) -> None:
    uv = shutil.which("uv")
    installer = (
        [uv, "pip", "install", "--quiet", "--python", sys.executable]
        if uv
        else [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    )
    # An installer is no buildx: it must not see the inputs, which hold secrets.
    environment = {name: value for name, value in os.environ.items() if name != "INPUTS"}
    # Settings of this machine with which pip would refuse a folder of our own.
    environment.update({"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"})
    command = [
        *installer,
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--target",
        target,
        "-r",
        str(lock),
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


def _end(number: int, _frame: object) -> None:
    """End by way of every `finally`, so that nothing half done is left."""
    raise SystemExit(128 + number)


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
        before = {number: signal.signal(number, _end) for number in (signal.SIGINT, signal.SIGTERM)}
        install(folder)
        for number, handler in before.items():
            signal.signal(number, handler)
    # The script's own folder would stand before the packages and shadow the standard library's names.
    sys.path[:1] = [str(_ROOT), str(folder)]
    if sys.argv[1:] == ["build"]:
        from action.workflow.build_step import run_build_step  # noqa: PLC0415  # not importable before

        return run_build_step()
    if sys.argv[1:] == ["bake"]:
        from action.workflow.bake_step import run_bake_step  # noqa: PLC0415  # not importable before

        return run_bake_step()
    if sys.argv[1:] == ["merge"]:
        from action.workflow.merge_step import run_merge_step  # noqa: PLC0415  # not importable before

        return run_merge_step()
    raise StartError("usage: start.py build|bake|merge")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StartError as error:
        text = str(error).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        sys.stdout.write(f"::error::{text}\n")
        sys.exit(1)
