"""The jobs of .github/workflows/action.yml, run with act on this machine.

Only GitHub can run: other systems and processors, each Python of the matrix (tests/engine/test_pythons.py runs those
that are here), actions of others (setup-python, setup-buildx), services (the tests' registry takes the place of one),
`pip install .` (the tests' environment has the command), and the container (PATH is changed instead).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cache_service import CacheService
from tests.workflows.conftest import ROOT, Act

_FILE = ROOT / ".github/workflows/action.yml"
_OURS = ("./", "./bake", "./merge", "./promote", "./validate", "actions/checkout@")
_NOT_HERE = {"Install the command", "Install Python", "Remove Docker"}
"""Names of steps that would change this machine."""


def _workflow(*jobs: str, **matrix: str) -> dict[str, Any]:
    """Some jobs of the workflow, with one cell of the matrix and without what only GitHub has."""
    document: dict[Any, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    # YAML reads `on` as a boolean.
    del document[True]
    document["on"] = "push"
    document["jobs"] = {name: document["jobs"][name] for name in jobs}
    for job in document["jobs"].values():
        if "strategy" in job:
            job["strategy"]["matrix"] = {"include": [matrix]}
        job["runs-on"] = "ubuntu-latest"
        job["steps"] = [
            each
            for each in job["steps"]
            if each.get("uses", "./").startswith(_OURS) and each.get("name") not in _NOT_HERE
        ]
        for name in ("services", "container"):
            job.pop(name, None)
    return document


def _text(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False)


def test_without_an_engine_each_step_fails_with_its_message(act: Act) -> None:
    python = "{}.{}".format(*sys.version_info)
    workflow = _workflow("start", python=python, **{"no-engine": "no Docker engine answers"})
    # In the place of setup-python.
    workflow["jobs"]["start"]["steps"][1:1] = [{"run": f'echo "{Path(sys.executable).parent}" >> "$GITHUB_PATH"'}]
    ran = act.run(_text(workflow))
    assert ran.code == 0, ran.log


def test_good_builds_have_the_digests_of_the_registry_and_the_tars(act: Act) -> None:
    workflow = _workflow("build")
    workflow["jobs"]["build"]["env"]["IMAGE"] = f"{act.own_registry}/app"
    ran = act.run(_text(workflow))
    assert ran.code == 0, ran.log


def test_a_cache_in_githubs_service_is_found_by_another_job(
    act: Act, cache_service: CacheService, empty_engine: Mapping[str, str]
) -> None:
    workflow = _workflow("cache-to", "cache-from")
    workflow["jobs"]["cache-from"]["env"] = {"DOCKER_HOST": empty_engine["DOCKER_HOST"]}
    ran = act.run(_text(workflow), javascript=cache_service.variables())
    assert ran.code == 0, ran.log
    assert cache_service.refused == []


def test_the_steps_in_a_container_fail_without_python_and_without_docker(act: Act) -> None:
    workflow = _workflow("container")
    steps = {each["id"]: each for each in workflow["jobs"]["container"]["steps"] if "id" in each}
    nothing = {"RUNNER_TOOL_CACHE": "/nowhere"}
    steps["without-python"]["env"] = {"PATH": "/nowhere", **nothing}
    steps["without-docker"]["env"] = {"PATH": str(Path(sys.executable).parent), **nothing}
    try:
        ran = act.run(_text(workflow))
    finally:
        subprocess.run(("docker", "image", "rm", "selftest:1"), check=True, capture_output=True, timeout=60)
    assert ran.code == 0, ran.log
    assert "::error::Python 3.10 or later is needed" in ran.log
    assert "::error::neither docker nor buildx is on the PATH" in ran.log
