"""The release workflow: what builds cannot sign or release, and what signs or releases runs nothing that was built.

tests/programs/test_release_workflow.py runs it as a whole.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from action import __version__
from action.packages.sets import SETS
from release.__main__ import ReleaseError, check, make_files, notes
from release.sbom import make_sbom
from tests.release_api import serve

ROOT = Path(__file__).resolve().parents[2]
RELEASE: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
JOBS: dict[str, dict[str, Any]] = RELEASE["jobs"]


def _script(job: str, name: str) -> str:
    (step,) = [each for each in JOBS[job]["steps"] if each.get("name") == name]
    return str(step["run"])


def test_the_jobs_that_run_code_of_the_repository_may_only_read() -> None:
    assert RELEASE["permissions"] == {}
    running = [name for name, job in JOBS.items() if any("checkout" in step.get("uses", "") for step in job["steps"])]
    assert running == ["check", "build"]
    assert all(JOBS[name]["permissions"] == {"contents": "read"} for name in running)


def test_a_job_that_may_write_has_one_task_and_runs_only_what_the_runner_has() -> None:
    writing = {name: job for name, job in JOBS.items() if name not in {"check", "build"}}
    assert {name: set(job["permissions"]) for name, job in writing.items()} == {
        "attest": {"attestations", "id-token"},
        "publish": {"id-token"},
        "release": {"contents"},
        "tags": {"contents"},
    }
    actions = {"actions/download-artifact", "actions/attest", "pypa/gh-action-pypi-publish"}
    for job in writing.values():
        assert {step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step} <= actions
        scripts = "\n".join(step.get("run", "") for step in job["steps"])
        assert not re.search(
            r"(?<![\w/.-])(python\d?|make|node|pip|uv|npm|sh|bash|source|eval)\s|(^|[\s;&|])\./", scripts
        )


def test_nothing_is_signed_before_the_checks_and_nothing_published_before_the_signature() -> None:
    def before(job: str) -> set[str]:
        needed = JOBS[job].get("needs", [])
        names = {needed} if isinstance(needed, str) else set(needed)
        return names.union(*map(before, names))

    assert before("attest") == {"check", "build"}
    assert before("publish") == {"check", "build", "attest"}
    assert before("tags") == {"check", "build", "attest", "publish", "release"}


def test_a_run_that_is_started_by_hand_publishes_nothing() -> None:
    # YAML reads `on` as a boolean.
    triggers = RELEASE[True]  # type: ignore[index]
    assert set(triggers) == {"push", "workflow_dispatch"}
    assert set(triggers["push"]) == {"tags"}
    assert {name for name, job in JOBS.items() if job.get("if") == "github.event_name == 'push'"} == {
        *("attest", "publish", "release", "tags"),
    }


def test_no_program_of_the_release_is_installed_without_a_hash() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in makefile.splitlines() if re.search(r"(pip|uv) (pip )?install", line)]
    assert len(installs) >= 3
    for line in installs:
        assert "--require-hashes" in line or "--no-deps --no-build-isolation --editable ." in line, line
    # A build frontend would install the build's requirements without one; an action installs none either.
    scripts = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]
    assert [
        script for script in scripts if re.search(r"(pip|uv|apt-get|npm|gh) (install|add)|uvx|pipx|-m build", script)
    ] == []
    uv = (ROOT / "requirements/uv.txt").read_text(encoding="utf-8")
    assert re.findall(r"^(\S+)==\S+ \\$", uv, re.MULTILINE) == ["uv"]
    assert uv.strip() in (ROOT / "requirements/dev.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("job", ["attest", "publish", "release"])
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


@pytest.mark.parametrize(
    ("tag", "others", "moved"),
    [
        ("v1.0.0", {}, {"v1", "v1.0"}),
        ("v1.10.0", {"v1": "old", "v1.9": "old", "v1.9.9": "old"}, {"v1", "v1.10"}),
        ("v1.2.4", {"v1": "new", "v1.2": "old", "v1.2.3": "old", "v1.3.0": "new"}, {"v1.2"}),
        ("v1.2.4", {"v1": "new", "v1.2": "new", "v1.2.10": "new", "v12.0.0": "other"}, set()),
        ("v2.0.0", {"v1": "old", "v1.9.0": "old", "v20.0.0": "other"}, {"v2", "v2.0"}),
        ("v2.0.0rc1", {"v1": "old", "v1.9.0": "old"}, set()),
        ("v1.2.0", {"v1": "old", "v1.1.0": "old", "v1.3.0rc1": "other"}, {"v1", "v1.2"}),
    ],
)
def test_a_short_tag_moves_only_to_the_newest_release_that_it_stands_for(
    tmp_path: Path, tag: str, others: dict[str, str], moved: set[str]
) -> None:
    with serve({tag: "commit", **others}) as kept:
        variables = {"TAG": tag, "GITHUB_SHA": "commit", **kept.variables()}
        assert _run(_script("tags", "Move"), tmp_path, **variables) == 0
    assert kept.tags == {tag: "commit", **others, **dict.fromkeys(moved, "commit")}


@pytest.mark.parametrize(
    ("tag", "problem"),
    [("v9.9.9", f"the package's version is {__version__}"), ("1.0.0", "is not a version"), ("v1", "is not a version")],
)
def test_a_tag_that_is_not_the_version_makes_no_release(tag: str, problem: str) -> None:
    with pytest.raises(ReleaseError, match=re.escape(problem)):
        check(tag)


def test_files_of_another_version_are_not_mixed_with_those_of_a_release(tmp_path: Path) -> None:
    (tmp_path / "build_digests-0.9.0.tar.gz").touch()
    with pytest.raises(ReleaseError, match="has files; remove them"):
        make_files(f"v{__version__}", tmp_path)


def test_the_changelog_has_a_dated_section_for_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## (\d.*?) - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    assert first
    assert first[1] == __version__
    text = notes(f"v{__version__}")
    assert len(text) > 500
    assert [link for link in re.findall(r"\]\(([^)]+)", text) if not link.startswith("https://")] == []
    assert f"/blob/v{__version__}/docs/stability.md" in text
    with pytest.raises(ReleaseError, match=r"no section with text and the title '## 1\.2\.3 - YYYY-MM-DD'"):
        notes("v1.2.3")


def test_documents_and_examples_pin_the_major_version_that_is_released() -> None:
    # The versions on the page about versions are examples.
    pages = {*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.yml")} - {ROOT / "docs/versions.md"}
    pins = {
        pin for page in pages for pin in re.findall(r"build-digests(?:/[a-z/]+)?@(v[\w.]+)", page.read_text("utf-8"))
    }
    assert f"v{__version__.partition('.')[0]}" in pins
    assert pins <= {f"v{__version__.partition('.')[0]}", f"v{__version__.rpartition('.')[0]}", f"v{__version__}"}


def test_the_bill_of_materials_names_every_locked_package_with_its_hashes() -> None:
    sbom = make_sbom("1.2.3", [each.lock for each in SETS])
    # The schemas that the specification publishes, from the package of its own project; each refers to files beside it.
    folder = resources.files("cyclonedx.schema") / "_res"
    files = [f"{name}.SNAPSHOT.schema.json" for name in ("bom-1.6", "spdx", "jsf-0.82")]
    schemas = {name: json.loads((folder / name).read_text(encoding="utf-8")) for name in files}
    base = "http://cyclonedx.org/schema/"
    found = [(base + name, Resource.from_contents(schema)) for name, schema in schemas.items()]
    validator = Draft7Validator(schemas[files[0]], registry=Registry().with_resources(found))
    assert [error.message for error in validator.iter_errors(sbom)] == []

    listed = {
        (each["name"], each["version"]): {file["hashes"][0]["content"] for file in each["externalReferences"]}
        for each in sbom["components"]
    }
    for lock in (each.lock.read_text(encoding="utf-8") for each in SETS):
        entries = re.split(r"\n(?=\S)", lock.strip())
        for entry in entries:
            name, version = re.split(r"==|[ ;]", entry)[:2]
            assert set(re.findall(r"sha256:(\w+)", entry)) == listed[name, version]
    # Each is what is installed here.
    assert ("pydantic", metadata.version("pydantic")) in listed


def _run(script: str, folder: Path, **environment: str) -> int:
    command = ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    variables = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **environment}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, timeout=60, check=False).returncode
