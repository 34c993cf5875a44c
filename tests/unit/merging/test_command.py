"""The merge command and action, up to the first request to a registry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action.exporters.attributed import AttributedExporter
from tests.unit.command_line import command
from tests.unit.merging.jobs import digest_of, document, exporter, results

# No program listens on port 1, so a connection fails at once.
NOWHERE = "localhost:1/octo/app"


def _job(folder: Path, name: str, *exporters: AttributedExporter) -> None:
    (folder / f"{name}.json").write_text(document(results(*exporters)), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for owner, platform in (("a", "linux/amd64"), ("b", "linux/arm64")):
        _job(tmp_path, owner, exporter(names=(NOWHERE,), digest=owner, platforms={platform: owner}))
    return tmp_path


def test_a_dry_run_prints_the_arguments_as_a_json_array_a_line_for_each_repository(folder: Path) -> None:
    tags = ("-t", f"{NOWHERE}:1", "-t", "localhost:2/x:1", "-t", f"{NOWHERE}:2")
    done = command("merge", str(folder), *tags, "--annotation", "a=b c", "--builder", "remote", "--dry-run")
    assert done.returncode == 0
    sources = sorted(f"{NOWHERE}@{digest_of(owner)}" for owner in "ab")
    first = ["imagetools", "create", "--builder", "remote", "--tag", f"{NOWHERE}:1", "--tag", f"{NOWHERE}:2"]
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        [*first, "--annotation", "index:a=b c", *sources],
        [
            "imagetools",
            "create",
            "--builder",
            "remote",
            "--tag",
            "localhost:2/x:1",
            "--annotation",
            "index:a=b c",
            *sources,
        ],
    ]


def test_the_actions_dry_run_is_that_of_the_command(folder: Path) -> None:
    inputs = {"INPUTS": json.dumps({"results": str(folder), "tags": f"{NOWHERE}:1"})}
    from_action = command("action", "merge", "--dry-run", environment=inputs)
    from_command = command("merge", str(folder), "--tag", f"{NOWHERE}:1", "--dry-run")
    assert from_action.returncode == from_command.returncode == 0
    assert from_action.stdout == from_command.stdout


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_a_conflict_is_reported_without_a_registry(folder: Path, dry_run: tuple[str, ...]) -> None:
    _job(folder, "again", exporter(names=(NOWHERE,), digest="c", platforms={"linux/amd64": "c"}))
    done = command("merge", str(folder), "-t", f"{NOWHERE}:1", *dry_run)
    assert done.returncode == 1
    assert done.stderr.startswith("error: exporter release: a.json has ")
    assert done.stdout == ""


def test_all_faulty_files_are_reported_together(folder: Path) -> None:
    (folder / "bad.json").write_text("{}", encoding="utf-8")
    (folder / "worse.json").write_text("", encoding="utf-8")
    done = command("merge", str(folder), "-t", f"{NOWHERE}:1")
    assert done.returncode == 1
    assert [line.split(":")[1].strip() for line in done.stderr.splitlines()] == ["bad.json", "worse.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("FOLDER",), "--tag: it is missing"),
        (("FOLDER/nowhere", "-t", "app:1"), "does not exist; name the folder"),
        (("FOLDER", "-t", "App"), "--tag: 'App' is not a tag"),
        (("FOLDER", "-t", "app:1", "--expect-platforms", "arm64"), "'arm64' is not a platform"),
        (("FOLDER", "-t", "app:1", "--retries", "many"), "--retries: 'many' is not valid"),
        (("FOLDER", "-t", "other=app:1"), "there is no key 'other'; the keys are: release"),
    ],
)
def test_bad_usage_and_bad_input_end_with_2(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    done = command("merge", *(each.replace("FOLDER", str(folder)) for each in arguments))
    assert done.returncode == 2
    assert message in done.stderr


def test_a_registry_that_is_not_there_is_named(folder: Path) -> None:
    done = command("merge", str(folder), "-t", f"{NOWHERE}:1", "--retries", "1", "--retry-delay", "0")
    assert done.returncode == 1
    # On a machine without buildx the message is about that instead.
    messages = ("connection refused", "docker has no buildx", "neither docker nor buildx")
    assert any(each in done.stderr for each in messages)


@pytest.mark.parametrize("name", ["merge", "promote"])
def test_keys_with_one_dotenv_name_are_an_error_before_a_registry_is_asked(tmp_path: Path, name: str) -> None:
    _job(tmp_path, "r", *(exporter(key, names=(NOWHERE,)) for key in ("a-b", "a_b")))
    source = tmp_path if name == "merge" else tmp_path / "r.json"
    done = command(name, str(source), "-t", f"a-b={NOWHERE}:1", "-t", f"a_b={NOWHERE}:2", "--format", "dotenv")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: --format dotenv: 'a-b' and 'a_b' both become DIGEST_A_B; give the outputs ids"
    )
