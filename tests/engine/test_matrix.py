"""The matrix action, on the definitions of the CI of docker/bake-action 7 (ci-subaction.yml), with the same results."""

from __future__ import annotations

import json
import subprocess
import uuid
from pathlib import Path

import pytest

from engine.node import input_variables, main_of
from tests.engine.conftest import ROOT, Step, Workplace
from tests.github_output import read_github_output
from tests.input_coverage import keep

_ACTION = ROOT / "bake" / "subaction" / "matrix"
_PLATFORMS = (
    *("darwin/amd64", "darwin/arm64", "linux/amd64", "linux/arm64", "linux/s390x", "linux/ppc64le", "linux/riscv64"),
    *("windows/amd64", "windows/arm64"),
)
_GROUP = """
group "default" { targets = ["t1", "t2"] }
target "t1" { target = "t1" }
target "t2" { target = "t2" }
"""
_VALIDATE = f"""
group "validate" {{ targets = ["lint", "lint-gopls", "validate-vendor", "validate-docs"] }}
target "lint" {{
  dockerfile = "./hack/dockerfiles/lint.Dockerfile"
  output = ["type=cacheonly"]
  platforms = {json.dumps(_PLATFORMS)}
}}
target "lint-gopls" {{
  inherits = ["lint"]
  target = "gopls-analyze"
}}
target "validate-vendor" {{ dockerfile = "./hack/dockerfiles/vendor.Dockerfile" }}
target "validate-docs" {{ dockerfile = "./hack/dockerfiles/docs.Dockerfile" }}
"""
_MATRIX = """
target "lint" {
  name = "lint-${tag.name}"
  target = tag.target
  matrix = { tag = [{ name = "labs", target = "golangci-lint" }, { name = "yaml", target = "yamllint" }] }
}
"""


def _step(work: Workplace, **inputs: str) -> Step:
    """Run the action by its launcher, in the workplace's folder."""
    file = work.folder / f"outputs-{uuid.uuid4().hex}"
    file.touch()
    done = subprocess.run(
        main_of(_ACTION),
        cwd=work.folder,
        env={**work.environment, **input_variables(_ACTION, inputs), "GITHUB_OUTPUT": str(file)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == 0:
        keep("matrix", inputs)
    return Step(done.returncode, done.stdout + done.stderr, read_github_output(file))


def _matrix(step: Step) -> list[dict[str, object]]:
    assert step.code == 0, step.log
    return list(json.loads(step.outputs["matrix"]))


def _definition(folder: Path, text: str, name: str = "docker-bake.hcl") -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)


def test_the_targets_of_the_default_group_are_listed(work: Workplace) -> None:
    _definition(work.folder / "group", _GROUP)
    step = _step(work, workdir="./group")
    assert step.outputs["matrix"] == '[{"target":"t1"},{"target":"t2"}]'
    assert step.code == 0


def test_each_target_of_a_definitions_own_matrix_is_listed(work: Workplace) -> None:
    _definition(work.folder, _MATRIX)
    assert _matrix(_step(work, target="lint")) == [{"target": "lint-labs"}, {"target": "lint-yaml"}]


def test_a_field_that_is_a_list_gives_an_entry_for_each_item(work: Workplace) -> None:
    _definition(work.folder, _VALIDATE)
    split = [{"target": target, "platforms": each} for target in ("lint", "lint-gopls") for each in _PLATFORMS]
    whole = [{"target": "validate-docs"}, {"target": "validate-vendor"}]
    assert _matrix(_step(work, target="validate", fields="platforms")) == [*split, *whole]


@pytest.mark.parametrize("fields", ["platforms,dockerfile", "dockerfile\nplatforms\n"])
def test_several_fields_give_the_entries_that_they_give_with_the_peer(work: Workplace, fields: str) -> None:
    _definition(work.folder, _VALIDATE)
    folder = "./hack/dockerfiles"
    expected: list[dict[str, str]] = []
    for target in ("lint", "lint-gopls"):
        entry = {"target": target, "dockerfile": f"{folder}/lint.Dockerfile"}
        expected += [dict(entry), *({**entry, "platforms": each} for each in _PLATFORMS)]
    expected += [
        {"target": f"validate-{name}", "dockerfile": f"{folder}/{name}.Dockerfile"} for name in ("docs", "vendor")
    ]
    assert _matrix(_step(work, target="validate", fields=fields)) == expected


@pytest.mark.parametrize("files", ["one.hcl,two.json", "one.hcl\n two.json\n"])
def test_several_files_are_one_definition(work: Workplace, files: str) -> None:
    _definition(work.folder, 'target "app" { args = { A = "1", B = "<&>" } }', "one.hcl")
    _definition(work.folder, '{"target": {"app": {"args": {"A": "ä"}}}}', "two.json")
    step = _step(work, files=files, target="app", fields="args")
    assert step.outputs["matrix"] == '[{"target":"app","args":{"A":"ä","B":"<&>"}}]'
    assert _matrix(_step(work, files="one.hcl", target="app", fields="args"))[0]["args"] == {"A": "1", "B": "<&>"}


def test_nothing_is_written_to_the_files_of_outputs(work: Workplace) -> None:
    _definition(work.folder, 'target "default" { output = ["type=oci,dest=app.tar"] }')
    (work.folder / "app.tar").write_text("of an earlier build")
    assert _matrix(_step(work)) == [{"target": "default"}]
    assert (work.folder / "app.tar").read_text() == "of an earlier build"


def test_a_dry_run_prints_the_command(work: Workplace) -> None:
    inputs = {"files": "one.hcl,two.hcl", "target": "app", "fields": "tags"}
    environment = {**work.environment, "INPUTS": json.dumps(inputs)}
    done = work.python("-m", "action", "action", "matrix", "--dry-run", environment=environment)
    assert json.loads(done.stdout) == ["bake", "--file", "one.hcl", "--file", "two.hcl", "app", "--print"]


def test_the_definition_in_the_log_holds_no_workflow_command(work: Workplace) -> None:
    _definition(work.folder, 'target "default" { args = { A = "##[error]injected" } }')
    step = _step(work)
    before, stop, rest = step.log.partition("::stop-commands::")
    assert (bool(stop), "injected" in before) == (True, False)
    token, _, shown = rest.partition("\n")
    assert "##[error]injected" in shown.partition(f"\n::{token}::")[0]


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({"target": "nowhere"}, "buildx failed with: ERROR: failed to find target nowhere"),
        ({"files": "nowhere.hcl"}, "buildx failed with: ERROR: "),
        ({"workdir": "nowhere"}, "workdir: there is no folder 'nowhere'; name a folder with bake files"),
    ],
)
def test_what_cannot_be_read_fails_with_its_reason(work: Workplace, inputs: dict[str, str], error: str) -> None:
    _definition(work.folder, _GROUP)
    step = _step(work, **inputs)
    assert step.code != 0
    assert f"::error::{error}" in step.log
    assert step.outputs == {}
