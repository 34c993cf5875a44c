"""Outputs to pipes and devices: what is written there is gone, and nothing waits for it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.engine.conftest import Workplace, lines
from tests.engine.other_end import tar_digest


@pytest.fixture
def fifo(work: Workplace) -> Path:
    """A pipe with a name, in the workplace."""
    path = work.folder / "pipe"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("verify", ["false", "true"])
def test_a_pipes_reader_gets_the_tar_and_the_step_its_digest(work: Workplace, fifo: Path, verify: str) -> None:
    for outputs in ("type=oci,dest=pipe", lines("type=oci,dest=pipe", f"type=image,name={work.image}:1,push=true")):
        got = work.folder / "got.tar"
        with got.open("wb") as target, subprocess.Popen(["cat", str(fifo)], stdout=target) as reader:
            step = work.step(outputs=outputs, verify=verify)
            assert reader.wait(timeout=30) == 0
        assert step.code == 0, step.log
        assert step.digests["0"] == tar_digest(got)
        assert "::warning::" not in step.log


@pytest.mark.parametrize("kind", ["oci", "docker"])
@pytest.mark.parametrize("verify", ["false", "true"])
def test_an_output_to_the_null_device_has_the_digest_of_the_same_build_to_a_tar(
    work: Workplace, kind: str, verify: str
) -> None:
    step = work.step(outputs=f"type={kind},dest=/dev/null", verify=verify)
    assert step.code == 0, step.log
    again = work.step(outputs=f"type={kind},dest=app.tar")
    assert again.code == 0, again.log
    assert step.digests == {"0": tar_digest(work.folder / "app.tar")}
    assert "::warning::" not in step.log
    assert Path("/dev/null").is_char_device()


def test_a_bake_to_the_null_device_has_its_digest(work: Workplace) -> None:
    (work.folder / "docker-bake.json").write_text('{"target": {"default": {"output": ["type=oci,dest=/dev/null"]}}}')
    step = work.bake_step(source=".")
    assert step.code == 0, step.log
    assert work.bake_step(source=".", set="*.output=type=oci,dest=app.tar").code == 0
    assert json.loads(step.outputs["digests"]) == {"default": {"0": tar_digest(work.folder / "app.tar")}}


def test_a_bake_to_a_pipe_gives_its_reader_the_tar_and_the_step_its_digest(work: Workplace, fifo: Path) -> None:
    (work.folder / "docker-bake.json").write_text('{"target": {"default": {"output": ["type=oci,dest=pipe"]}}}')
    got = work.folder / "got.tar"
    with got.open("wb") as target, subprocess.Popen(["cat", str(fifo)], stdout=target) as reader:
        step = work.bake_step(source=".")
        assert reader.wait(timeout=30) == 0
    assert step.code == 0, step.log
    assert json.loads(step.outputs["digests"]) == {"default": {"0": tar_digest(got)}}


def test_inspect_does_not_read_pipes_and_devices(work: Workplace, fifo: Path) -> None:
    (work.folder / "metadata.json").write_text("{}")
    for dest in (fifo.name, "/dev/null", "/dev/zero"):
        done = work.python("-m", "action", "inspect", "metadata.json", "-o", f"type=oci,dest={dest}")
        assert done.returncode == 0, done.stderr
