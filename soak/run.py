"""Run a case on a real engine: as a step, the way the runner starts it, or with buildx alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

from soak.case import Case
from soak.command import bare_command, step_inputs
from soak.definition import FILES
from soak.step_result import StepResult, read_file
from tests.github_output import read_github_output

_ROOT = Path(__file__).resolve().parents[1]
_SECONDS = 300
_DROPPED = ("GITHUB_", "RUNNER_", "ACTIONS_", "BUILDX_", "INPUTS")


def run_step(case: Case, folder: Path, environment: Mapping[str, str]) -> StepResult:
    """Run a case as a step of the build or bake action."""
    temporary = folder / f"runner-{uuid.uuid4().hex}"
    temporary.mkdir()
    outputs = temporary / "output"
    outputs.touch()
    own = {
        "INPUTS": json.dumps(step_inputs(case)),
        "GITHUB_OUTPUT": str(outputs),
        "GITHUB_STEP_SUMMARY": str(temporary / "summary.md"),
        "RUNNER_TEMP": str(temporary),
        "PYTHONPATH": str(_ROOT),
    }
    command = [sys.executable, "-m", "action", "action", case.kind]
    code, log = _run(command, folder, {**_kept(environment), **own})
    found = read_github_output(outputs)
    results = read_file(found.get("results", ""))
    return StepResult(code, log, found, json.loads(results) if results else None, read_file(found.get("checksums", "")))


def run_bare(case: Case, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a case with buildx alone.

    Returns:
        buildx's exit code, and everything that it printed.
    """
    file = folder / f"bare-{uuid.uuid4().hex}-{FILES[case.form]}"
    return _run(["docker", *bare_command(case, file)], folder, _kept(environment))


def _kept(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without variables of GitHub's runner, buildx and other steps, which change a step."""
    return {name: value for name, value in environment.items() if not name.startswith(_DROPPED)}


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603  # this project's own programs and docker, without a shell
        command,
        cwd=folder,
        env={**environment, "PWD": os.fspath(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
