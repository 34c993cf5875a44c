"""The release workflow: what builds cannot sign or release, and what signs or releases runs nothing that was built."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RELEASE: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
JOBS: dict[str, dict[str, Any]] = RELEASE["jobs"]


def _script(job: str, name: str) -> str:
    (step,) = [each for each in JOBS[job]["steps"] if each.get("name") == name]
    return str(step["run"])


def test_the_job_that_runs_code_of_the_repository_may_only_read() -> None:
    assert RELEASE["permissions"] == {}
    building = [name for name, job in JOBS.items() if any("checkout" in step.get("uses", "") for step in job["steps"])]
    assert building == ["build"]
    assert JOBS["build"]["permissions"] == {"contents": "read"}


def test_a_job_that_may_write_has_one_task_and_runs_only_what_the_runner_has() -> None:
    writing = {name: job for name, job in JOBS.items() if name != "build"}
    assert {name: set(job["permissions"]) for name, job in writing.items()} == {
        "attest": {"attestations", "id-token"},
        "release": {"contents"},
    }
    for job in writing.values():
        used = {step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step}
        assert used <= {"actions/download-artifact", "actions/attest"}
        commands = {word for step in job["steps"] for word in re.findall(r"(?:^|&& |\| )(\w+)", step.get("run", ""))}
        assert commands <= {"echo", "sha256sum", "gh"}
    assert set(JOBS["release"]["needs"]) == {"build", "attest"}


def test_no_program_of_the_release_is_installed_without_a_hash() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in makefile.splitlines() if re.search(r"(pip|uv) (pip )?install", line)]
    assert len(installs) >= 3
    for line in installs:
        assert "--require-hashes" in line or "--no-deps --no-build-isolation --editable ." in line, line
    # A build frontend would install the build's requirements without one.
    assert ".venv/bin/python -m hatchling build" in [step.get("run") for step in JOBS["build"]["steps"]]
    uv = (ROOT / "requirements/uv.txt").read_text(encoding="utf-8")
    assert re.findall(r"^(\S+)==\S+ \\$", uv, re.MULTILINE) == ["uv"]
    assert uv.strip() in (ROOT / "requirements/dev.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("job", ["attest", "release"])
@pytest.mark.parametrize("change", ["nothing", "a file", "the hashes too", "a file that is gone"])
def test_files_that_are_not_those_that_were_built_are_neither_signed_nor_released(
    tmp_path: Path, job: str, change: str
) -> None:
    dist = tmp_path / "dist"
    dist.mkdir()
    (dist / "a.whl").write_text("a")
    (dist / "b.tar.gz").write_text("b")
    output = tmp_path / "output"
    _run(_script("build", "Hashes"), dist, GITHUB_OUTPUT=str(output))
    sums = output.read_text().removeprefix("sums=").strip()
    if change != "nothing":
        (dist / "a.whl").write_text("c")
    if change == "the hashes too":
        _run("sha256sum -- *.whl *.gz > SHA256SUMS", dist)
    if change == "a file that is gone":
        (dist / "a.whl").unlink()
    code = _run(_script(job, "The files are those that were built"), dist, SUMS=sums)
    assert (code == 0) is (change == "nothing")


def _run(script: str, folder: Path, **environment: str) -> int:
    command = ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    variables = {"PATH": "/usr/bin:/bin", **environment}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, timeout=60, check=False).returncode
