"""Step outputs as the runner reads them (actions/runner, FileCommandManager.cs)."""

from __future__ import annotations

from pathlib import Path

import pytest

from action.errors import BuildDigestsError
from action.github.workflow_commands import set_outputs
from tests.github_output import read_github_output


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "output"
    file.touch()
    monkeypatch.setenv("GITHUB_OUTPUT", str(file))
    return file


def test_a_value_with_any_text_is_one_output(output: Path) -> None:
    hostile = "one\nEOF\ndigest<<EOF\nsha256:0\nEOF\nghadelimiter_\n::set-output name=a::b\n%0A"
    set_outputs({"metadata": hostile, "digest": "sha256:1", "empty": ""})
    assert read_github_output(output) == {"metadata": hostile, "digest": "sha256:1"}


def test_each_output_has_a_new_delimiter(output: Path) -> None:
    set_outputs({"a": "1", "b": "2"})
    set_outputs({"c": "3"})
    delimiters = [line.partition("<<")[2] for line in output.read_text().splitlines() if "<<" in line]
    assert len(set(delimiters)) == 3


def test_an_output_file_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path))
    with pytest.raises(BuildDigestsError, match=r"^GITHUB_OUTPUT .* cannot be written: "):
        set_outputs({"a": "1"})
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "none" / "file"))
    with pytest.raises(BuildDigestsError, match=r"^GITHUB_OUTPUT "):
        set_outputs({"a": "1"})


def test_a_full_disk_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # A disk that fills up is tests/engine's; this device always is.
    monkeypatch.setenv("GITHUB_OUTPUT", "/dev/full")
    with pytest.raises(BuildDigestsError, match="No space left on device; no output is set"):
        set_outputs({"a": "1"})


def test_outside_a_runner_the_outputs_are_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)
    set_outputs({"digest": "sha256:1", "imageid": ""})
    assert capsys.readouterr().out == '{\n  "digest": "sha256:1"\n}\n'
