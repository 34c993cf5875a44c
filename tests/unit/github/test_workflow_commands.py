"""Workflow commands as the runner reads them (actions/runner, ActionCommand.cs and FileCommandManager.cs)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from action.errors import BuildDigestsError
from action.github import workflow_commands
from tests.github_output import read_github_output


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "output"
    file.touch()
    monkeypatch.setenv("GITHUB_OUTPUT", str(file))
    return file


def test_a_value_with_any_text_is_one_output(output: Path) -> None:
    hostile = "one\nEOF\ndigest<<EOF\nsha256:0\nEOF\nghadelimiter_\n::set-output name=a::b\n%0A"
    workflow_commands.set_outputs({"metadata": hostile, "digest": "sha256:1", "empty": ""})
    assert read_github_output(output) == {"metadata": hostile, "digest": "sha256:1"}


def test_each_output_has_a_new_delimiter(output: Path) -> None:
    workflow_commands.set_outputs({"a": "1", "b": "2"})
    workflow_commands.set_outputs({"c": "3"})
    delimiters = [line.partition("<<")[2] for line in output.read_text().splitlines() if "<<" in line]
    assert len(set(delimiters)) == 3


def test_an_output_file_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path))
    with pytest.raises(BuildDigestsError, match=r"^GITHUB_OUTPUT .* cannot be written: "):
        workflow_commands.set_outputs({"a": "1"})
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "none" / "file"))
    with pytest.raises(BuildDigestsError, match=r"^GITHUB_OUTPUT "):
        workflow_commands.set_outputs({"a": "1"})


def test_a_message_is_one_line_and_a_command_in_it_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    workflow_commands.warning("100%\r\n::error::no")
    workflow_commands.notice("a")
    workflow_commands.error("b")
    assert capsys.readouterr().out.splitlines() == ["::warning::100%25%0D%0A::error::no", "::notice::a", "::error::b"]


def test_a_secret_is_masked_whole_and_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    workflow_commands.mask("one\n\ntwo")
    assert capsys.readouterr().out.splitlines() == ["::add-mask::one%0A%0Atwo", "::add-mask::one", "::add-mask::two"]


def test_a_group_ends_whatever_happens_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), workflow_commands.group("Digests"):
        raise KeyError
    assert capsys.readouterr().out.splitlines() == ["::group::Digests", "::endgroup::"]


def test_commands_are_stopped_by_a_random_token_on_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tokens = set()
    for _ in range(3):
        with workflow_commands.stopped():
            sys.stdout.write("::set-output name=digest::sha256:0")
        first, command, last = capsys.readouterr().out.splitlines()
        assert command == "::set-output name=digest::sha256:0"
        assert first.removeprefix("::stop-commands::") == last.removeprefix("::").removesuffix("::")
        tokens.add(last)
    assert len(tokens) == 3


@pytest.mark.parametrize("text", ["::error::x", "a ##[set-output name=digest]x", "a\r::error::x", "a\n::error::x"])
def test_a_line_of_the_log_is_never_a_command(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    workflow_commands.say(text)
    (line,) = capsys.readouterr().out.splitlines()
    assert "::" not in line
    assert "##[" not in line


def test_a_full_disk_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # A disk that fills up is tests/engine's; this device always is.
    monkeypatch.setenv("GITHUB_OUTPUT", "/dev/full")
    with pytest.raises(BuildDigestsError, match="No space left on device; no output is set"):
        workflow_commands.set_outputs({"a": "1"})


def test_outside_a_runner_the_outputs_are_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)
    workflow_commands.set_outputs({"digest": "sha256:1", "imageid": ""})
    assert capsys.readouterr().out == '{\n  "digest": "sha256:1"\n}\n'


def test_a_lone_surrogate_is_printed_as_a_question_mark(capsys: pytest.CaptureFixture[str]) -> None:
    workflow_commands.error("jobs/\udcff.json: broken")
    workflow_commands.say("\ud800")
    assert capsys.readouterr().out == "::error::jobs/?.json: broken\n?\n"
