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
        ("echo 'ERROR: no record found for ref' >&2; exit 1", "no record found for ref"),
        (r"printf '\033[31mERROR: red\033[0m\nLearn more' >&2; exit 1", "red"),
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
    records = Records(docker(tmp_path, f"echo docker >> {asked}"), environment, tmp_path, seconds=0.3)
    for _ in range(2):
        with pytest.raises(SlowEvidenceError, match=r"did not end within 0\.3 s"):
            records.file((REF,))
    with pytest.raises(SlowEvidenceError, match=r"did not end within 0\.3 s"):
        list(records.files((REF, "default/default/another")))
    assert asked.read_text() == "plugin\n"


def _records(folder: Path, script: str, *, seconds: float = 30) -> Records:
    environment = {**os.environ, "PATH": f"{folder}:/usr/bin:/bin"}
    noting = f'echo "$(( $# - 7 ))" >> {folder}/asked\n{script}'
    return Records(docker(folder, noting), environment, folder, seconds=seconds)


def _asked(folder: Path) -> list[int]:
    """How many records each call asked for."""
    return [int(line) for line in (folder / "asked").read_text().split()]


def _refs(count: int) -> tuple[str, ...]:
    return tuple(f"b/n/r{number}" for number in range(count))


def test_a_bakes_records_may_take_a_second_more_for_each(tmp_path: Path) -> None:
    assert _records(tmp_path, 'sleep 1.2; touch "${@: -1}"', seconds=0.5).file(_refs(4)).is_file()


def test_few_records_are_exported_at_once(tmp_path: Path) -> None:
    assert len(list(_records(tmp_path, 'touch "${@: -1}"').files(_refs(4)))) == 1
    assert _asked(tmp_path) == [4]


def test_many_records_are_exported_some_at_a_time_and_those_in_time_are_kept(tmp_path: Path) -> None:
    # The third call hangs. Each record adds a second to what all may take: 39 here, so 4 s are left.
    script = f'[ "$(wc -l < {tmp_path}/asked)" = 3 ] && exec sleep 300; touch "${{@: -1}}"'
    files = _records(tmp_path, script, seconds=-35).files(_refs(40))
    assert next(files).is_file()
    assert next(files).is_file()
    with pytest.raises(SlowEvidenceError, match="did not end within"):
        next(files)
    assert _asked(tmp_path) == [4, 32, 4]


def test_records_that_take_long_are_exported_fewer_at_a_time(tmp_path: Path) -> None:
    script = f'[ "$(wc -l < {tmp_path}/asked)" = 1 ] && sleep 6; touch "${{@: -1}}"'
    assert len(list(_records(tmp_path, script).files(_refs(10)))) == 3
    assert _asked(tmp_path) == [4, 3, 3]


def test_a_record_is_exported_once(tmp_path: Path) -> None:
    records = _records(tmp_path, 'touch "${@: -1}"')
    first = list(records.files(_refs(3)))
    assert list(records.files(_refs(5)))[:1] == first
    assert records.file(_refs(3)) == first[0]
    assert _asked(tmp_path) == [3, 2]


def test_records_of_several_builders_are_asked_for_apart(tmp_path: Path) -> None:
    records = _records(tmp_path, 'touch "${@: -1}"')
    assert len(list(records.files(("a/n/r1", "b/n/r2", "a/n/r3")))) == 2
    assert _asked(tmp_path) == [2, 1]


def test_what_shows_a_run_waits_a_short_time_in_all(tmp_path: Path) -> None:
    records, started = _records(tmp_path, "exec sleep 300"), time.monotonic()
    with pytest.raises(SlowEvidenceError, match=r"did not end within 0\.5 s"):
        list(records.files(_refs(100), seconds=0.5))
    assert time.monotonic() - started < 15
    assert _asked(tmp_path) == [4]


def test_a_record_that_is_missing_costs_no_other_its_own(tmp_path: Path) -> None:
    script = 'case "$*" in *r1*) echo "ERROR: no record found for ref r1" >&2; exit 1;; esac; touch "${@: -1}"'
    records = _records(tmp_path, script)
    assert len(list(records.files(_refs(6)))) == 1
    assert len(list(records.files(_refs(1)))) == 1
    with pytest.raises(EvidenceError, match="no record found for ref r1"):
        list(records.files(("b/n/r1",)))
    assert _asked(tmp_path) == [4, 2, 1, 1]


def test_a_buildx_that_cannot_export_is_asked_once(tmp_path: Path) -> None:
    records = _records(tmp_path, "echo 'unknown flag: --builder' >&2; exit 125")
    for _ in range(2):
        with pytest.raises(EvidenceError, match=r"install buildx 0\.23 or later"):
            list(records.files(_refs(10)))
    assert _asked(tmp_path) == [4]


def test_all_exports_together_have_a_time_limit(tmp_path: Path) -> None:
    records = _records(tmp_path, 'sleep 1; touch "${@: -1}"', seconds=0.7)
    assert records.file(("b/n/r1", "b/n/r2")).is_file()
    for _ in range(2):
        with pytest.raises(SlowEvidenceError, match="did not end within"):
            records.file(("b/n/r1",))
    assert _asked(tmp_path) == [2, 1]


def test_nothing_is_asked_for_when_the_time_is_over(tmp_path: Path) -> None:
    with pytest.raises(SlowEvidenceError, match="is over"):
        _records(tmp_path, 'touch "${@: -1}"', seconds=0).file((REF,))
    assert not (tmp_path / "asked").exists()
