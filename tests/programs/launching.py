"""Starts the launcher as GitHub's runner does, with programs in the place of Python where a test needs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.node import NODE

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = ROOT / "launcher"

RECORDER = """#!{python} -IS
import json, os, sys
if "-c" in sys.argv:
    sys.exit()  # it is asked whether it starts
line = sys.stdin.readline()
record = {{"arguments": sys.argv, "environment": dict(os.environ), "line": json.loads(line), "folder": os.getcwd()}}
with open({file!r}, "w") as file:
    json.dump(record, file)
sys.exit({code})
"""


def command(step: str = "build", launcher: Path = LAUNCHER) -> list[str]:
    return [str(NODE), str(launcher / f"{step}.js")]


def environment(path: str | Path, /, **variables: str) -> dict[str, str]:
    """The environment of a step in an empty workspace of its own."""
    return {"PATH": str(path), "GITHUB_WORKSPACE": "/nowhere/workspace", **variables}


def input_variables(inputs: Mapping[str, str]) -> dict[str, str]:
    return {f"INPUT_{name.upper()}": text for name, text in inputs.items()}


def launch(
    path: str | Path, step: str = "build", folder: Path | None = None, launcher: Path = LAUNCHER, /, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the launcher; PATH is `path`, and no other program can be found by its name."""
    return subprocess.run(
        command(step, launcher),
        cwd=folder,
        env=environment(path, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def program(file: Path, script: str) -> Path:
    """Write a script of /bin/sh; without a first line `#!` it is that of another interpreter."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(script if script.startswith("#!") else f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def recorder(file: Path, report: Path, code: int = 0) -> Path:
    """Write a program that records how it was started, in the place of Python."""
    return program(file, RECORDER.format(python=os.path.realpath(sys.executable), file=str(report), code=code))


def recorded(report: Path) -> dict[str, Any]:
    return dict(json.loads(report.read_text()))
