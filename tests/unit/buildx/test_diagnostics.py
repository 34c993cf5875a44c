"""Which programs are started for diagnostics, and which no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from action.buildx.builder import Diagnostics
from action.process.program import ProgramGroup


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which a docker notes how it was called."""
    log = tmp_path / "calls"
    log.touch()
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\necho "$*" >> {log}\necho "of $*"\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:/usr/bin:/bin")
    return log


def test_versions_come_first_and_each_text_is_what_the_program_printed(asked: Path) -> None:
    diagnostics = Diagnostics("kiln", "docker-container", "")
    diagnostics.query(ProgramGroup())
    calls = ["version", "buildx version", "buildx inspect kiln", "info"]
    assert asked.read_text().splitlines() == calls
    names = ("docker version", "buildx version", "buildx inspect", "docker info")
    assert diagnostics.texts == {name: f"of {call}\n" for name, call in zip(names, calls, strict=True)}


def test_once_the_build_has_ended_or_the_step_ends_no_program_is_started(asked: Path) -> None:
    ended, killed = Diagnostics("", None, ""), ProgramGroup()
    ended.stop()
    ended.query(ProgramGroup())
    killed.kill_all()
    Diagnostics("", None, "").query(killed)
    assert asked.read_text() == ""


@pytest.mark.usefixtures("asked")
def test_without_docker_and_buildx_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    diagnostics = Diagnostics("", None, "")
    diagnostics.query(ProgramGroup())
    assert diagnostics.texts == {}
