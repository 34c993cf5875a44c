"""Step outputs on a disk that is full: all of them are in GITHUB_OUTPUT, or none, at every fill level."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from action.errors import BuildDigestsError
from action.github.workflow_commands import set_outputs

BEFORE = b"earlier=step\n"
OUTPUTS = {"metadata": "x" * 300_000, "digest": "sha256:1", "exporters": "y" * 9000}


def _attempt(file: Path) -> str:
    """Set outputs; `all` or `nothing` of them."""
    file.write_bytes(BEFORE)
    try:
        set_outputs(OUTPUTS)
    except BuildDigestsError:
        assert file.read_bytes() == BEFORE
        return "nothing"
    assert file.stat().st_size > len(BEFORE) + sum(map(len, OUTPUTS.values()))
    return "all"


def test_outputs_are_written_whole_or_not_at_all_whatever_number_of_bytes_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_OUTPUT", str(file))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    outcomes = []
    try:
        for limit in (*range(len(BEFORE), 330_000, 7919), 500_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            outcomes.append(_attempt(file))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outcomes.count("nothing") > 35
    assert outcomes[-1] == "all"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_outputs_are_written_whole_or_not_at_all_on_a_disk_however_full(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = disk / "outputs"
    monkeypatch.setenv("GITHUB_OUTPUT", str(file))
    outcomes = []
    for free in range(1, 90):
        (disk / "filler").write_bytes(bytes((1 << 20) - (free + 2) * 4096))
        outcomes.append(_attempt(file))
        file.unlink()
    assert {*outcomes} == {"all", "nothing"}
