"""Faults of `docker buildx history export` that no real one can be made to have; engine tests see what it does well."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from action.buildx.history import EXPORT_SECONDS, Records, export_record
from action.errors import EvidenceError, SlowEvidenceError

REF = "default/default/kjudabc123"


def docker(folder: Path, script: str) -> tuple[str, ...]:
    file = folder / "docker"
    file.write_text(f"#!/bin/bash\n{script}\n")
    file.chmod(0o755)
    return (str(file), "buildx")


def refused(folder: Path, script: str, *, seconds: float = 30) -> str:
    with pytest.raises(EvidenceError) as error:
        export_record(docker(folder, script), os.environ, (REF,), folder / "record", seconds=seconds)
    return str(error.value)


@pytest.mark.parametrize(
    ("refs", "asked"),
    [
        ((REF,), "buildx history export --builder default kjudabc123"),
        (("b/b0/x1", "b/b1/y2"), "buildx history export --builder b x1 y2"),
        (("--all/n/x1",), "buildx history export --builder --all x1"),
    ],
)
def test_the_records_are_asked_for_by_builder_and_id(tmp_path: Path, refs: tuple[str, ...], asked: str) -> None:
    command = docker(tmp_path, f'echo "$@" > {tmp_path}/asked; touch "${{@: -1}}"')
    export_record(command, os.environ, refs, tmp_path / "a file")
    assert (tmp_path / "asked").read_text() == f"{asked} --output {tmp_path}/a file\n"
    assert (tmp_path / "a file").is_file()


@pytest.mark.parametrize("ref", ["", "x", "a/b", "a/b/c/d", "a/b/--all", "a/b/C", "a b/c/d", "a/b/c\n", "//c", "a/b/"])
def test_a_reference_of_another_form_is_not_handed_to_buildx(tmp_path: Path, ref: str) -> None:
    command = docker(tmp_path, f"touch {tmp_path}/ran")
    for refs in ((ref,), (REF, ref)):
        with pytest.raises(EvidenceError, match="has not the form builder/node/ref"):
            export_record(command, os.environ, refs, tmp_path / "record")
    assert not (tmp_path / "ran").exists()


def test_an_export_that_hangs_ends_after_its_time(tmp_path: Path) -> None:
    started = time.monotonic()
    said = refused(tmp_path, "exec sleep 300", seconds=0.2)
    assert said == f"{tmp_path}/docker buildx history did not end within 0.2 s"
    assert time.monotonic() - started < 15
    assert EXPORT_SECONDS <= 60


@pytest.mark.parametrize(
    "script",
    [
        "echo 'ERROR: unknown command: docker buildx history' >&2; exit 1",
        "echo \"unknown shorthand flag: 'o' in -o\" >&2; exit 125",
        "echo 'unknown flag: --builder' >&2; exit 125",
        # A buildx before 0.19 shows its usage and calls that a success.
        "echo 'Usage:  docker buildx'; exit 0",
    ],
)
def test_a_buildx_that_cannot_export_says_what_to_install(tmp_path: Path, script: str) -> None:
    assert refused(tmp_path, script) == "this buildx cannot export build records: install buildx 0.23 or later"


def test_a_buildkit_without_records_says_what_to_update(tmp_path: Path) -> None:
    said = "rpc error: code = Unimplemented desc = unknown method ListenBuildHistory"
    missing = refused(tmp_path, f"echo 'ERROR: {said}' >&2; exit 1")
    assert missing == "this BuildKit keeps no build records: update it to 0.14 or later (Docker 27)"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'ERROR: no record found for ref' >&2; exit 1", "ERROR: no record found for ref"),
        (r"printf '\033[31mERROR: red\033[0m\nLearn more' >&2; exit 1", "ERROR: red"),
        ("exit 3", "exit code 3"),
        ("kill -KILL $$", "exit code -9"),
        ("exit 0", "exit code 0"),
    ],
)
def test_an_export_that_fails_is_missing_evidence_and_says_why(tmp_path: Path, script: str, said: str) -> None:
    assert refused(tmp_path, script) == f"buildx could not export the build's record: {said}"


def test_a_folder_where_the_file_should_be_is_no_record(tmp_path: Path) -> None:
    assert refused(tmp_path, 'mkdir "${@: -1}"').endswith("exit code 0")


def test_a_docker_that_is_gone_meanwhile_is_missing_evidence(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="cannot be started: No such file"):
        export_record((str(tmp_path / "docker"), "buildx"), os.environ, (REF,), tmp_path / "record")


def test_records_that_are_slow_are_not_asked_for_again(tmp_path: Path) -> None:
    # Neither by docker after its plugin, nor by whoever wants them next.
    asked = tmp_path / "asked"
    plugins = tmp_path / "config" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-buildx").write_text(f"#!/bin/sh\necho plugin >> {asked}\nexec sleep 60\n")
    (plugins / "docker-buildx").chmod(0o755)
    real = shutil.which("true")
    assert real is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").symlink_to(real)
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "DOCKER_CONFIG": f"{tmp_path}/config"}
    records = Records(docker(tmp_path, f"echo docker >> {asked}"), environment, tmp_path)
    for _ in range(2):
        with pytest.raises(SlowEvidenceError, match=r"did not end within 0\.3 s"):
            records.file((REF,), seconds=0.3)
    assert asked.read_text() == "plugin\n"


def test_a_bakes_records_may_take_a_second_more_for_each(tmp_path: Path) -> None:
    command = docker(tmp_path, 'sleep 1.2; touch "${@: -1}"')
    environment = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    refs = tuple(f"b/n/r{number}" for number in range(4))
    assert Records(command, environment, tmp_path).file(refs, seconds=0.5).is_file()
