"""`build-digests build` and `bake` behave alike, and leave standard output to buildx where buildx writes to it."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.engine.conftest import ROOT, Workplace
from tests.engine.other_end import tar_digest


def to_file(work: Workplace, *arguments: str) -> tuple[Path, str]:
    """Run the command with standard output in a file; the file, and standard error."""
    file = work.folder / "stdout"
    with file.open("wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "action", *arguments],
            cwd=work.folder,
            env={**work.environment, "PYTHONPATH": str(ROOT)},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return file, done.stderr


@pytest.mark.parametrize("command", ["build", "bake"])
@pytest.mark.parametrize("output", ["type=oci", "type=docker,dest=-"])
def test_an_image_on_standard_output_is_the_tar_alone(work: Workplace, command: str, output: str) -> None:
    file, log = to_file(work, *arguments_of(work, command, output))
    # The format may be a stream of several tars to a lenient reader: nothing but the end of a tar may follow.
    assert file.read_bytes().endswith(b"\0" * 1024)
    assert tar_digest(file) in log


@pytest.mark.parametrize(
    ("command", "output"),
    [("build", "type=tar"), ("build", "-"), ("bake", "-"), ("bake", "type=tar,dest=/dev/stdout")],
)
def test_files_on_standard_output_are_the_tar_alone(work: Workplace, command: str, output: str) -> None:
    file, log = to_file(work, *arguments_of(work, command, output))
    assert file.read_bytes().endswith(b"\0" * 1024)
    with tarfile.open(file) as tar:
        assert "hello.txt" in [name.removeprefix("./") for name in tar.getnames()]
    assert "DIGEST" in log


@pytest.mark.parametrize("quiet", ["-q", "--progress=quiet"])
def test_a_quiet_build_prints_the_image_id_alone(work: Workplace, quiet: str) -> None:
    file, log = to_file(work, "build", "--", quiet, "-o", "type=oci,dest=a.tar", "--iidfile=id", ".")
    assert file.read_text(encoding="utf-8").strip() == (work.folder / "id").read_text(encoding="utf-8").strip()
    assert tar_digest(work.folder / "a.tar") in log


@pytest.mark.parametrize("command", ["build", "bake"])
def test_an_output_to_a_file_leaves_standard_output_to_the_table(work: Workplace, command: str) -> None:
    for output in ("type=oci,dest=a.tar", "type=oci,tar=false,dest=layout", "type=local,dest=out"):
        file, _ = to_file(work, *arguments_of(work, command, output))
        assert file.read_text(encoding="utf-8").lstrip().startswith(("KEY", "default:"))


@pytest.mark.parametrize("command", ["build", "bake"])
def test_progress_as_json_goes_to_standard_error(work: Workplace, command: str) -> None:
    file, log = to_file(work, *arguments_of(work, command, "type=oci,dest=a.tar"), "--progress=rawjson")
    assert tar_digest(work.folder / "a.tar") in file.read_text(encoding="utf-8")
    assert '"vertexes"' in log


def arguments_of(work: Workplace, command: str, output: str) -> tuple[str, ...]:
    """A build of one output, or a bake of one target with that output."""
    if command == "build":
        return ("build", "--", "-o", output, ".")
    definition = json.dumps({"target": {"default": {"output": [output]}}})
    (work.folder / "docker-bake.json").write_text(definition, encoding="utf-8")
    return ("bake", "--", "--allow=fs=*")


@pytest.mark.parametrize(
    ("command", "check"),
    [("build", ("--check=1",)), ("build", ("--call", "build", "--check")), ("bake", ("--check=1",))],
)
def test_a_check_finds_what_it_finds_and_prints_no_table(work: Workplace, command: str, check: tuple[str, ...]) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch as x\nCOPY hello.txt /\n", encoding="utf-8")
    done = work.python("-m", "action", *arguments_of(work, command, "type=oci,dest=a.tar"), *check)
    assert done.returncode == 1
    assert "FromAsCasing" in done.stdout
    assert "DIGEST" not in done.stdout + done.stderr
    assert done.stderr.endswith("error: Check complete, 1 warning has been found!\n")


@pytest.mark.parametrize(
    ("command", "check"),
    [("build", ("--check", "--call", "build")), ("build", ("--check=false",)), ("bake", ("--check=false",))],
)
def test_a_check_that_is_taken_back_builds(work: Workplace, command: str, check: tuple[str, ...]) -> None:
    done = work.python("-m", "action", *arguments_of(work, command, "type=oci,dest=a.tar"), *check)
    assert done.returncode == 0, done.stderr
    assert tar_digest(work.folder / "a.tar") in done.stdout
