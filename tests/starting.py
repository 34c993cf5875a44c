"""Starts a step without the launcher, in a Python of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START = ROOT / "action" / "start.py"
DEAD_INDEX = "http://127.0.0.1:9/simple"


def start(
    python: Path, cache: Path, *options: str, step: str = "build", path: str = "/usr/bin:/bin", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Start a step whose inputs are bad, so that it ends with exit code 2 once it has read them."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HOME", "TMP"))}
    variables = {**kept, "PATH": path, "RUNNER_TOOL_CACHE": str(cache), "INPUTS": json.dumps({"push": "perhaps"})}
    return subprocess.run(
        [str(python), "-I", "-S", str(START), step, *options],
        env={**variables, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
