"""The command as a user runs it: exit codes, what goes to which stream, and no traceback, whatever is typed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from action.cli import main
from action.usage import EXAMPLES
from tests.unit import command_line

ROOT = Path(__file__).resolve().parents[2]
DIGEST = "sha256:" + "a" * 64


def command(
    *arguments: str, folder: Path = ROOT, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "INPUTS"))}
    done = subprocess.run(
        [sys.executable, "-m", "action", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def test_validate_is_silent_and_0_where_all_is_well(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(json.dumps({"release": DIGEST}))
    done = command("validate", str(tmp_path / "d.json"), str(tmp_path / "d.json"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_validate_prints_a_line_per_fault_on_standard_output_and_is_1(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(json.dumps({"a": "sha256:1", "b": DIGEST, "c": "x"}))
    done = command("validate", "d.json", folder=tmp_path)
    assert done.returncode == 1
    assert [line.split(": expected")[0] for line in done.stdout.splitlines()] == ["d.json: at /a", "d.json: at /c"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.json", "but there is no such file; check the path, and whether the program that writes the file has"),
        (".", "but this is a folder; name a file in it"),
    ],
)
def test_validate_is_2_if_a_file_cannot_be_read_and_the_others_are_validated(
    tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "d.json").write_text('{"a": "x"}')
    done = command_line.command("validate", name, "d.json", folder=tmp_path)
    assert (done.returncode, done.stdout[:13]) == (2, "d.json: at /a")
    assert done.stderr.startswith(f"error: {name}: expected a JSON file, {said}")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"# build-digests\n\nA text", "a text that begins with '# build-digests'; name a file that docker buildx or"),
        (b"- " + b"x" * 50, f"a text that begins with '- {'x' * 38}…'; name a file"),
        (b"", "nothing; check whether the program that writes the file has succeeded"),
        (b" \n", "nothing; check"),
        (b"\x1f\x8b\x08\x00", "compressed data; if it is a build record, build-digests inspect reads it"),
        (b"\x89PNG\x1a\x00", "binary data; name a file that docker buildx or build-digests wrote"),
        (b"d.json\x00".ljust(257, b"0") + b"ustar", "a tar; if it is a build record, build-digests inspect reads it"),
        (b"\xff\xfe{\x00}\x00", "UTF-16; write it as UTF-8"),
        (b"\xef\xbb\xbf{}", "a byte order mark before it; write it without one"),
    ],
)
def test_a_file_that_is_no_json_at_all_is_a_fault_that_says_what_to_do(tmp_path: Path, data: bytes, found: str) -> None:
    (tmp_path / "x").write_bytes(data)
    done = command_line.command("validate", "x", folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(f"x: at the top: expected a JSON document, found {found}")


def test_validate_reads_standard_input_and_reports_json(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(f'\n{{"release": "{DIGEST}"}}')
    done = subprocess.run(
        [sys.executable, "-m", "action", "validate", "--format", "json", "--schema=digests", "-", "d.json", "none"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input='\n{"a": "sha256:1",\n"b": {\n"c": 1}}\n',
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    report = json.loads(done.stdout)
    assert (done.returncode, report["errors"]) == (2, 3)
    places = [
        (each["file"], each["schema"], each["valid"], [(one["pointer"], one["line"]) for one in each["errors"]])
        for each in report["files"]
    ]
    assert places == [
        ("standard input", "digests", False, [("/a", 2), ("/b/c", 4)]),
        ("d.json", "digests", True, []),
        ("none", None, False, [("", None)]),
    ]
    assert report["files"][0]["errors"][1]["message"].startswith("expected a digest: algorithm, colon")


def test_on_a_runner_each_fault_is_annotated_at_file_and_line_and_standard_output_stays_data(tmp_path: Path) -> None:
    folder = tmp_path / "a, b%"
    folder.mkdir()
    (folder / "d.json").write_text('{"a\\n::error::x":\n "x"}')
    (tmp_path / "many.json").write_text(json.dumps({str(number): "x" for number in range(20)}))
    outside = tmp_path.parent / f"{tmp_path.name}.json"
    outside.write_text("[\n\n")
    runner = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path)}
    done = command_line.command(
        *("validate", "--schema=digests", "d.json", str(outside), "../many.json", "--format=json"),
        folder=folder,
        environment=runner,
    )
    assert json.loads(done.stdout)["errors"] == 22
    lines = done.stderr.splitlines()
    title = "::error title=Invalid digests document"
    # As actions/toolkit escapes properties (packages/core/src/command.ts): `%`, `:` and `,`.
    assert lines[0].startswith(f"{title},file=a%2C b%25/d.json,line=2::at /a ::error::x: ")
    assert lines[1].startswith(f"{title}::{outside}: at /0: expected the rest of a JSON")
    assert lines[2].startswith(f"{title},file=many.json,line=1::at /0: expected a digest")
    assert len(lines) == 11
    assert lines[-1] == "12 more errors are not shown as annotations: GitHub shows ten per step"


def test_a_fault_is_one_line_that_is_no_command_whatever_the_file_holds(tmp_path: Path) -> None:
    names = [
        "a\n::error::x",
        "b\r::stop-commands::y",
        "##[error]z",
        "\x1b[31mred",
        "\u202eturned",
        "\ud800half",
        "e\x85n",
    ]
    file = tmp_path / "d.json"
    file.write_text(json.dumps(dict.fromkeys(names, "sha256:1")))
    done = command_line.command("validate", "--schema", "digests", file.name, folder=tmp_path)
    assert len(done.stdout.splitlines()) == len(names)
    assert all(line.startswith("d.json: at /") for line in done.stdout.splitlines())
    assert not [part for part in ("##[", "\x1b", "\u202e") if part in done.stdout]


def test_a_table_has_no_line_that_is_a_command_whatever_the_names(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_text(json.dumps({"containerimage.digest": DIGEST, "image.name": "a\n::error::x,##[error]y,\r::z"}))
    done = command_line.command("inspect", file.name, "--output", "type=image,push=true", folder=tmp_path)
    assert DIGEST in done.stdout
    assert not any(line.strip().startswith("::") or "##[" in line for line in done.stdout.splitlines())


def test_validate_can_be_told_the_schema(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text("{}")
    assert "name the schema" in command_line.command("validate", str(tmp_path / "d.json")).stdout
    assert command_line.command("validate", "--schema", "digests", str(tmp_path / "d.json")).returncode == 0


@pytest.mark.parametrize("name", ["metadata", "bake", "results", "digests"])
def test_schema_prints_the_published_file(name: str) -> None:
    assert command_line.command("schema", name).stdout == (ROOT / f"schemas/{name}.schema.json").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["bild"],
        ["validate"],
        ["schema", "none"],
        ["validate", "--schema", "none", "x"],
        ["inspect"],
        ["build"],
        ["build", "--"],
        ["build", "--format", "xml", "--", "."],
        ["build", "--", "-o", "type=oci,id=1,dest=x", "."],
        ["build", "--", "-o"],
        ["inspect", "x", "--output", "dest=x"],
        ["action", "deploy"],
        ["--nonsense"],
    ],
)
def test_bad_usage_is_2_with_a_message_on_standard_error(arguments: list[str]) -> None:
    done = command_line.command(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["build", "--help"], ["--version"], ["-V"]])
def test_help_and_version_are_there(arguments: list[str]) -> None:
    done = command(*arguments)
    assert "build-digests" in done.stdout + done.stderr
    assert done.returncode == (0 if arguments else 2)


def test_build_dry_run_prints_the_arguments_and_runs_nothing() -> None:
    done = command("build", "--dry-run", "--", "--push", "-t", "a b", ".", environment={"PATH": "/nowhere"})
    assert json.loads(done.stdout) == ["build", "--push", "-t", "a b", "."]
    assert done.returncode == 0


def test_action_build_dry_run_prints_the_arguments_without_secrets() -> None:
    inputs = {"context": ".", "tags": "a,b", "secrets": "K=hunter2", "provenance": "false", "github-token": "ghs_x"}
    done = command("action", "build", "--dry-run", environment={"INPUTS": json.dumps(inputs), "PATH": "/nowhere"})
    assert json.loads(done.stdout) == [
        *("build", "--attest", "type=provenance,disabled=true", "--secret", "id=K,env=BUILD_DIGESTS_SECRET_0"),
        *("--tag", "a", "--tag", "b", "."),
    ]
    assert "hunter2" not in done.stdout + done.stderr


def test_action_build_says_what_is_wrong_as_a_workflow_command() -> None:
    done = command("action", "build", environment={"INPUTS": '{"context": ".", "pull": "100%\\n::error::x"}'})
    assert done.returncode == 2
    assert done.stdout == "::error::pull: '100%25\\n::error::x' is not a boolean; write true or false\n"


def test_inspect_says_the_one_image_of_a_build(tmp_path: Path) -> None:
    metadata = {"buildx.build.ref": "b/n/r", "containerimage.digest": DIGEST, "image.name": "a"}
    (tmp_path / "m.json").write_text(json.dumps(metadata))
    done = command_line.command(
        "inspect", "m.json", "--output", "type=image,name=a,push=true,id=release", folder=tmp_path
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[2].split() == ["release", "image", "a", DIGEST, "response"]
    done = command_line.command("inspect", "m.json", "--push", "--tag", "a", "--format", "json", folder=tmp_path)
    assert json.loads(done.stdout)["digest"] == DIGEST


def test_inspect_of_a_faulty_file_is_1_and_of_a_missing_record_2(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"containerimage.digest": "x"}')
    done = command_line.command("inspect", "m.json", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: m.json: at /containerimage.digest: expected a digest")
    (tmp_path / "m.json").write_text("{}")
    done = command_line.command("inspect", "m.json", "--record", "none", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --record: none: No such file or directory")


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time; time.sleep(0.3); from action.cli import run; run(['schema', 'metadata'])",
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("build", "      --output type=image,name=localhost:5000/app,push=true,id=release \\"),
        ("merge", "  build-digests merge results --tag ghcr.io/octo/app:1 \\"),
    ],
)
def test_examples_in_the_help_can_be_copied(name: str, line: str) -> None:
    assert line in command_line.command(name, "--help").stdout.splitlines()


@pytest.mark.parametrize("name", ["", *main.commands])
def test_each_help_is_complete_at_80_columns_and_has_the_exit_codes(name: str) -> None:
    done = command_line.command(*filter(None, [name]), "--help", environment={"COLUMNS": "80"})
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines[1:] if line.endswith("...")]
    assert lines[lines.index("Exit codes:") + 1 :] == [
        "  0  success",
        "  1  the build failed, or a fault was found",
        "  2  wrong usage, or an input that cannot be used",
    ]
    options = [each for each in (main.commands[name] if name else main).params if isinstance(each, click.Option)]
    assert all(each.help for each in options)


@pytest.mark.parametrize("name", list(main.commands))
def test_the_options_of_the_examples_exist(name: str) -> None:
    names = {opt for each in main.commands[name].params for opt in each.opts}
    own = "\n".join(EXAMPLES[name]).replace("\\\n", "").split("\n")
    used = {word for line in own for word in line.partition(" -- ")[0].split() if word.startswith("--")}
    assert used <= names


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("build-digests ins", "plain,inspect"),
        ("build-digests build --ver", "plain,--verify"),
        ("build-digests build --format js", "plain,json"),
        ("build-digests build --verify -- Dock", "file,Dock"),
        ("build-digests validate me", "file,me"),
    ],
)
def test_a_shell_completes_commands_options_values_and_files(words: str, completed: str) -> None:
    place = str(len(words.split()) - 1)
    asked = {"_BUILD_DIGESTS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": place}
    assert command_line.command(environment=asked).stdout.splitlines() == [completed]


def test_the_documented_line_turns_on_completion_in_bash(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    line = re.search(r"`(eval .*bash_source build-digests\)\")`", (ROOT / "docs/cli.md").read_text(encoding="utf-8"))
    assert line is not None
    program = tmp_path / "build-digests"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m action "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        [bash, "--norc", "-c", f"{line[1]}; complete -p build-digests"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[-1] == "build-digests"
