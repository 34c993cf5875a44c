"""What is shipped: the wheel, the locks, and documents that say what is there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from action.inputs.bake import BAKE_NAMES
from action.inputs.build import BUILD_NAMES
from action.inputs.merge import MERGE_NAMES
from action.inputs.promote import PROMOTE_NAMES
from action.packages.sets import SETS
from action.steps.matrix import MATRIX_NAMES
from action.steps.validate import VALIDATE_NAMES

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


def test_the_wheel_holds_the_package_and_its_schemas_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {
        "action",
        next(name for name in names if "dist-info" in name).split("/")[0],
    }
    schemas = {name for name in names if name.startswith("action/schemas/")}
    assert schemas == {f"action/schemas/{name}.schema.json" for name in ("metadata", "bake", "results", "digests")}


def test_the_wheel_finds_its_schemas_where_there_is_no_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "action", "schema", "digests"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == json.loads((ROOT / "schemas/digests.schema.json").read_text(encoding="utf-8"))


def _locked(name: str) -> dict[str, set[str]]:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    versions: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE):
        versions.setdefault(package, set()).add(version)
    return versions


def test_the_tests_run_with_the_versions_that_the_action_installs() -> None:
    dev = _locked("dev.txt")
    for each in SETS:
        locked = _locked(f"{each.name}.txt")
        assert locked
        assert {name: dev.get(name) for name in locked} == locked


@pytest.mark.parametrize("name", [*(f"{each.name}.txt" for each in SETS), "dev.txt"])
def test_every_locked_version_has_a_hash_and_no_lock_names_an_index(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


def test_no_two_sets_hold_different_versions_of_a_package() -> None:
    versions: dict[str, set[str]] = {}
    for each in SETS:
        for package, locked in _locked(f"{each.name}.txt").items():
            assert versions.setdefault(package, locked) == locked, package


def test_the_reference_has_a_row_for_every_output_of_the_action() -> None:
    reference = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    table = reference.partition("## Outputs")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([\w-]+)`", row)} == set(ACTION["outputs"])


_JOB = "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n"


@pytest.mark.parametrize("page", ["README.md", "docs/getting-started.md", "docs/outputs.md"])
def test_the_steps_on_a_page_make_a_workflow(page: str) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    steps = [block for block in blocks if block.startswith("      - ")]
    assert steps
    workflow = _JOB + "".join(steps)
    command = [str(Path(sys.executable).parent / "actionlint"), "-no-color", "-"]
    done = subprocess.run(command, input=workflow, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_the_reference_names_every_input_of_the_action() -> None:
    reference = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    section = reference.partition("## Inputs")[2].partition("Lists split")[0]
    named = set(re.findall(r"`([a-z][\w-]+)`", section)) - {"false", "true"}
    assert named == set(ACTION["inputs"])


def test_the_bake_actions_document_names_its_inputs_and_outputs() -> None:
    action = yaml.safe_load((ROOT / "bake/action.yml").read_text(encoding="utf-8"))
    text = (ROOT / "docs/bake.md").read_text(encoding="utf-8")
    head, _, rest = text.partition("| output | what it is |")
    assert set(re.findall(r"`([a-z][a-z-]+)`", head)) == set(action["inputs"])
    assert set(re.findall(r"^\| `(\w+)` \|", rest.partition("A key is")[0], re.MULTILINE)) == set(action["outputs"])


def test_the_matrix_actions_document_has_a_row_for_each_input() -> None:
    action = yaml.safe_load((ROOT / "bake/subaction/matrix/action.yml").read_text(encoding="utf-8"))
    text = (ROOT / "docs/bake.md").read_text(encoding="utf-8")
    section = text.partition("## One job for each")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| (?:`(.+?)`)?", section, re.MULTILINE)
    assert dict(rows) == {name: each.get("default", "") for name, each in action["inputs"].items()}
    assert all(f"output `{name}`" in section for name in action["outputs"])


@pytest.mark.parametrize("name", ["merge", "promote", "validate"])
def test_the_document_of_an_action_has_a_row_for_each_input_and_output(name: str) -> None:
    action = yaml.safe_load((ROOT / name / "action.yml").read_text(encoding="utf-8"))
    text = (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
    for title in ("Inputs", "Outputs"):
        table = text.partition(f"## {title}")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| `([\w-]+)` \| (?:`(.+?)`)?", table, re.MULTILINE)
        declared = action[title.lower()]
        assert {name for name, _ in rows} == set(declared)
        assert all(declared[name].get("default", "") == default for name, default in rows)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("action.yml", BUILD_NAMES),
        ("bake/action.yml", BAKE_NAMES),
        ("bake/subaction/matrix/action.yml", MATRIX_NAMES),
        ("merge/action.yml", MERGE_NAMES),
        ("promote/action.yml", PROMOTE_NAMES),
        ("validate/action.yml", VALIDATE_NAMES),
    ],
)
def test_an_action_declares_the_inputs_that_its_step_knows(name: str, known: frozenset[str]) -> None:
    assert set(yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["inputs"]) == known


def test_documents_link_to_files_that_are_there() -> None:
    for document in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_promise_names_a_test_that_is_there() -> None:
    text = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) > 20
    for file, test in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert not test or f"\ndef {test}(" in source, f"{file}::{test}"
