"""Starts a step without the launcher, and installs packages, in a Python of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START = ROOT / "action" / "start.py"
DEAD_INDEX = "http://127.0.0.1:9/simple"
NO_INDEX = {
    "PIP_INDEX_URL": DEAD_INDEX,
    "PIP_FIND_LINKS": "",
    "PIP_RETRIES": "0",
    "PIP_TIMEOUT": "2",
    "UV_DEFAULT_INDEX": DEAD_INDEX,
    "UV_FIND_LINKS": "",
    "UV_HTTP_RETRIES": "0",
    "UV_NO_CACHE": "1",
}
"""Variables with which neither pip nor uv finds a package."""

BAD_INPUT = "::error::push: 'perhaps' is not a boolean; write true or false\n"
"""What a step prints that `start` starts."""


def real_python(version: str) -> Path | None:
    """Return a Python of this machine, or None; a version is `3.12`."""
    found = [*Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), shutil.which(f"python{version}")]
    # A shim of pyenv fails if its version is not selected.
    working = (Path(each) for each in found if each and not _fails([each, "-c", ""]))
    return next(working, None)


def _fails(command: list[str | Path]) -> bool:
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode != 0


def start(
    python: Path, cache: Path, *options: str, step: str = "build", path: str = "/usr/bin:/bin", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Start a step whose inputs are bad, so that it ends with exit code 2 once it has read them."""
    variables = {"RUNNER_TOOL_CACHE": str(cache), "INPUTS": json.dumps({"push": "perhaps"}), **environment}
    return _run(python, step, *options, path=path, variables=variables)


def install(
    python: Path, cache: Path, *sets: str, path: str = "/usr/bin:/bin", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Install the set `retries`, which is small, or others into a tool cache."""
    variables = {"RUNNER_TOOL_CACHE": str(cache), **environment}
    return _run(python, "install", *(sets or ("retries",)), path=path, variables=variables)


def installer_variables() -> dict[str, str]:
    """Variables with which pip and uv find the index of this machine."""
    return {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HOME", "TMP"))}


def _run(python: Path, *arguments: str, path: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), "-I", "-S", str(START), *arguments],
        env={**installer_variables(), "PATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
