"""The step of the validate action and the commands of docs/validate.md; the own workflow starts the launcher too."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from action.errors import InputError
from action.steps.validate import find_files

ROOT = Path(__file__).resolve().parents[2]
DIGEST = "sha256:" + "a" * 64
BIN = Path(sys.executable).parent


def _validate(folder: Path, **inputs: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str], str]:
    """Run the step; return how it ended, its outputs and its summary."""
    output, summary = folder.parent / "output", folder.parent / "summary"
    variables = {
        **os.environ,
        "INPUTS": json.dumps(inputs),
        "PYTHONPATH": str(ROOT),
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(folder),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    command = [sys.executable, "-m", "action", "action", "validate"]
    ended = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60, check=False)
    texts = [file.read_text(encoding="utf-8") if file.exists() else "" for file in (output, summary)]
    return ended, dict(re.findall(r"^(\w+)<<(?:.+)\n(.*)\n", texts[0], re.MULTILINE)), texts[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    (folder / "results/.hidden").mkdir(parents=True)
    (folder / "results/good.json").write_text(f'{{"release": "{DIGEST}"}}')
    (folder / "results/.hidden/bad.json").write_text('{\n"containerimage.digest": "x",\n"image.name": 1\n}')
    (folder / "results/[x].json").write_text("{}")
    (folder / "README.md").write_text("# Title\n")
    return folder


def test_each_error_is_annotated_counted_and_in_the_summary(folder: Path) -> None:
    ended, outputs, summary = _validate(folder, files="results/**/*.json\n!results/[[]x].json")
    assert (ended.returncode, outputs, ended.stderr) == (1, {"errors": "2"}, "")
    annotations = [line for line in ended.stdout.splitlines() if line.startswith("::error")]
    title = "::error title=Invalid metadata document,file=results/.hidden/bad.json"
    assert [line.partition(": expected")[0] for line in annotations] == [
        f"{title},line=2::at /containerimage.digest",
        f"{title},line=3::at /image.name",
    ]
    assert "results/good.json: a valid digests document" in ended.stdout.splitlines()
    lines = summary.replace("<wbr>", "").splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| <code>")]
    assert [(row[0], *row[1:4]) for row in rows] == [
        ("| <code>results/.hidden/bad.json</code>", "metadata", "2", "<code>/containerimage.digest</code>"),
        ("| <code>results/.hidden/bad.json</code>", "metadata", "3", "<code>/image.name</code>"),
        ("| <code>results/good.json</code>", "digests", "", ""),
    ]
    assert "2 errors in 2 files" in summary


def test_valid_documents_have_no_error_and_no_annotation(folder: Path) -> None:
    ended, outputs, summary = _validate(folder, files="results/good.json, results/[x].json", schema="digests")
    assert (ended.returncode, outputs) == (0, {"errors": "0"}), ended.stdout
    assert "::error" not in ended.stdout
    assert "0 errors in 2 files" in summary


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"files": ""}, "files: no file is named; write paths or patterns such as results/**/*.json"),
        ({"files": "!README.md"}, "files: no file is named; write"),
        ({"files": "none/**/*.json"}, "files: 'none/**/*.json' matches no file in "),
        ({"files": "results"}, "files: 'results' matches no file in "),
        (
            {"files": "README.md", "schema": "sbom"},
            "schema: 'sbom' is not a schema; write metadata, bake, results, digests",
        ),
    ],
)
def test_an_unusable_input_is_2_and_says_what_to_write(folder: Path, inputs: dict[str, str], said: str) -> None:
    ended, outputs, summary = _validate(folder, **inputs)
    assert (ended.returncode, outputs, summary) == (2, {}, "")
    assert ended.stdout.startswith(f"::error::{said}")


def test_patterns_find_files_in_their_order_and_a_path_is_no_pattern(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert find_files(("results/[x].json", "*.md", "**/*")) == (
        *(Path("results/[x].json"), Path("README.md")),
        *(Path("results/.hidden/bad.json"), Path("results/good.json")),
    )
    assert find_files((f"{folder}/res*/g?od.json",)) == (folder / "results/good.json",)
    with pytest.raises(InputError, match=r"'a\*\*b' is not a pattern|matches no file"):
        find_files(("a**b",))


def test_the_hook_of_pre_commit_runs_the_command_on_the_files_that_it_matches(tmp_path: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    names = ["metadata.json", "ci/web.metadata.json", "release-digests.json", "package.json", "metadata.yml"]
    matching = [name for name in names if re.search(hook["files"], name)]
    assert matching == names[:3]
    (tmp_path / "metadata.json").write_text('{"containerimage.digest": "x"}')
    program, *arguments = hook["entry"].split()
    done = subprocess.run(
        [BIN / program, *arguments, "metadata.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("metadata.json: at /containerimage.digest: expected a digest")


def test_the_commands_of_the_document_end_and_print_as_it_says(tmp_path: Path) -> None:
    text = (ROOT / "docs/validate.md").read_text(encoding="utf-8")
    (tmp_path / "results").mkdir()
    (tmp_path / "metadata.json").write_text('{\n"containerimage.digest": "latest"}')
    (tmp_path / "results/one.json").write_text("{}")
    environment = {"PATH": f"{BIN}:/usr/bin:/bin", "DIGESTS": "{}"}
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    ended = {}
    for command, printed in re.findall(r"^\$ ([^\n]+)\n(.*?)(?=^\$ |\Z)", "".join(blocks), re.MULTILINE | re.DOTALL):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        assert done.stdout.startswith(printed.partition("; …")[0])
        ended[command.partition(" > ")[0]] = done.returncode
    assert ended == {
        "build-digests validate metadata.json results/*.json": 1,
        'echo "$DIGESTS" | build-digests validate --schema digests -': 0,
        "build-digests validate --format json results/*.json": 1,
        "build-digests schema metadata": 0,
        "check-jsonschema --schemafile metadata.schema.json metadata.json": 1,
    }
    (example,) = re.findall(r"```json\n(\{\n  \"errors\".*?)```", text, re.DOTALL)
    report = json.loads((tmp_path / "report.json").read_text())
    assert _shape(report) == _shape(json.loads(example))


def _shape(value: object) -> object:
    """Return a document's members without its values."""
    if isinstance(value, dict):
        return {name: _shape(member) for name, member in value.items()}
    return [_shape(item) for item in value] if isinstance(value, list) else None
