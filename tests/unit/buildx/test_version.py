"""The version of buildx, from texts that releases of buildx print."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from action.buildx.builder import GIT_QUERY, is_at_least


def buildx(folder: Path, script: str) -> tuple[str, ...]:
    file = folder / "docker"
    file.write_text(f"#!/bin/bash\n{script}\n")
    file.chmod(0o755)
    return (str(file), "buildx")


@pytest.mark.parametrize(
    ("printed", "is_one"),
    [
        ("github.com/docker/buildx v0.29.0 1234", True),
        ("github.com/docker/buildx v0.29.1 28f1f9a4fe1a2a4b0b0f1e1f9a4fe1a2a4b0b0f1", True),
        ("github.com/docker/buildx 0.29.1+ds1 0.29.1+ds1-4", True),
        ("github.com/docker/buildx v0.30.0-rc1 x", True),
        ("github.com/docker/buildx v0.100.0 x", True),
        ("github.com/docker/buildx v1.0.0 x", True),
        ("github.com/docker/buildx v0.28.0 x", False),
        ("github.com/docker/buildx v0.9.1 x", False),
        ("github.com/docker/buildx 1f8a2b3c.m 1f8a2b3c", True),
        ("nothing", False),
        ("", False),
    ],
)
def test_the_query_form_needs_buildx_029(tmp_path: Path, printed: str, *, is_one: bool) -> None:
    assert is_at_least(buildx(tmp_path, f'echo "{printed}"'), os.environ, GIT_QUERY) is is_one


def test_a_buildx_that_fails_has_no_version(tmp_path: Path) -> None:
    script = "echo 'Docker version 28.5.2'; echo 'unknown command: docker buildx' >&2; exit 1"
    assert is_at_least(buildx(tmp_path, script), os.environ, GIT_QUERY) is False
    assert is_at_least((str(tmp_path / "none"),), os.environ, GIT_QUERY) is False


def test_buildx_prints_its_version_for_one_word(tmp_path: Path) -> None:
    command = buildx(tmp_path, f'echo "$@" > {tmp_path}/arguments; echo v0.29')
    assert is_at_least(command, os.environ, GIT_QUERY) is True
    assert (tmp_path / "arguments").read_text() == "buildx version\n"
