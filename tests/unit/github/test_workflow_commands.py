"""Workflow commands as the runner reads them (actions/runner, ActionCommand.cs and FileCommandManager.cs)."""

from __future__ import annotations

import sys

import pytest

from action.github import workflow_commands


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


def test_a_lone_surrogate_is_printed_as_a_question_mark(capsys: pytest.CaptureFixture[str]) -> None:
    workflow_commands.error("jobs/\udcff.json: broken")
    workflow_commands.say("\ud800")
    assert capsys.readouterr().out == "::error::jobs/?.json: broken\n?\n"
