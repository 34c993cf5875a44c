"""Faults of `docker buildx history export` that the real one does not have; engine tests cover what it does well."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from action.buildx import history
from action.buildx.history import EXPORT_SECONDS, Records, export_record
from action.errors import EvidenceError, NoRecordsError, SlowEvidenceError

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
    ("refs", "command_line"),
    [
        ((REF,), "buildx history export --builder default kjudabc123"),
        (("b/b0/x1", "b/b1/y2"), "buildx history export --builder b x1 y2"),
        (("--all/n/x1",), "buildx history export --builder --all x1"),
    ],
)
def test_records_are_exported_by_builder_and_id(tmp_path: Path, refs: tuple[str, ...], command_line: str) -> None:
    command = docker(tmp_path, f'echo "$@" > {tmp_path}/arguments; touch "${{@: -1}}"')
    export_record(command, os.environ, refs, tmp_path / "a file")
    assert (tmp_path / "arguments").read_text() == f"{command_line} --output {tmp_path}/a file\n"
    assert (tmp_path / "a file").is_file()


@pytest.mark.parametrize("ref", ["", "x", "a/b", "a/b/c/d", "a/b/--all", "a/b/C", "a b/c/d", "a/b/c\n", "//c", "a/b/"])
def test_a_reference_of_another_form_is_not_passed_to_buildx(tmp_path: Path, ref: str) -> None:
    command = docker(tmp_path, f"touch {tmp_path}/ran")
    for refs in ((ref,), (REF, ref)):
        with pytest.raises(EvidenceError, match="does not have the form builder/node/ref"):
            export_record(command, os.environ, refs, tmp_path / "record")
    assert not (tmp_path / "ran").exists()


def test_an_export_that_hangs_ends_after_its_time(tmp_path: Path) -> None:
    message = refused(tmp_path, "exec sleep 600", seconds=0.2)
    assert message == f"{tmp_path}/docker buildx history did not end within 0.2 s"
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
def test_if_buildx_cannot_export_the_error_names_the_version_to_install(tmp_path: Path, script: str) -> None:
    assert refused(tmp_path, script) == "this buildx cannot export build records: install buildx 0.23 or later"


def test_if_buildkit_keeps_no_records_the_error_names_the_version_to_install(tmp_path: Path) -> None:
    error = "rpc error: code = Unimplemented desc = unknown method ListenBuildHistory"
    message = refused(tmp_path, f"echo 'ERROR: {error}' >&2; exit 1")
    assert message == "this BuildKit keeps no build records: update it to 0.14 or later (Docker 27)"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'ERROR: no record found for ref' >&2; exit 1", "no record found for ref"),
        (r"printf '\033[31mERROR: red\033[0m\nLearn more' >&2; exit 1", "red"),
        ("exit 3", "exit code 3"),
        ("kill -KILL $$", "exit code -9"),
        ("exit 0", "exit code 0"),
    ],
)
def test_an_export_that_fails_is_missing_evidence_with_a_reason(tmp_path: Path, script: str, reason: str) -> None:
    assert refused(tmp_path, script) == f"buildx could not export the build's record: {reason}"


def test_a_folder_in_place_of_the_file_is_not_a_record(tmp_path: Path) -> None:
    assert refused(tmp_path, 'mkdir "${@: -1}"').endswith("exit code 0")


def test_a_docker_that_was_removed_is_missing_evidence(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="cannot be started: No such file"):
        export_record((str(tmp_path / "docker"), "buildx"), os.environ, (REF,), tmp_path / "record")


def test_records_that_are_slow_are_not_exported_again(tmp_path: Path) -> None:
    started = tmp_path / "started"
    buildx = docker(tmp_path, f"echo started >> {started}; exec sleep 60")
    records = Records(buildx, os.environ, tmp_path, seconds=0.3)
    for _ in range(2):
        with pytest.raises(SlowEvidenceError, match=r"did not end within 0\.3 s"):
            records.file((REF,))
    with pytest.raises(SlowEvidenceError, match=r"did not end within 0\.3 s"):
        list(records.files((REF, "default/default/another")))
    assert started.read_text() == "started\n"


class Exports:
    """Stands for `export_record`, with a clock that moves only while a record is exported.

    Attributes:
        sizes: how many records each call exported.
        seconds: gives how long a call takes, from the number of the call and its references.
        error: raised instead of writing a file, for a call that has one of `missing`, or for every call.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.sizes: list[int] = []
        self.seconds: Callable[[int, Sequence[str]], float] = lambda *_: 0.1
        self.missing: str | None = None
        self.error: EvidenceError | None = None

    def __call__(
        self, _: tuple[str, ...], __: Mapping[str, str], refs: Sequence[str], file: Path, *, seconds: float
    ) -> None:
        self.sizes.append(len(refs))
        took = self.seconds(len(self.sizes), refs)
        self.now += min(took, seconds)
        if took > seconds:
            raise SlowEvidenceError(f"did not end within {seconds:.3g} s")
        if self.error is not None and (self.missing is None or self.missing in refs):
            raise self.error
        file.touch()


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> Exports:
    made = Exports()
    monkeypatch.setattr(history, "export_record", made)
    monkeypatch.setattr("action.buildx.history.time.monotonic", lambda: made.now)
    return made


def _records(folder: Path, *, seconds: float = 30) -> Records:
    return Records(("docker", "buildx"), {}, folder, seconds=seconds)


def _refs(count: int) -> tuple[str, ...]:
    return tuple(f"b/n/r{number}" for number in range(count))


def test_each_further_record_of_a_bake_adds_a_second_to_the_time_limit(tmp_path: Path, exports: Exports) -> None:
    exports.seconds = lambda *_: 3.4
    assert _records(tmp_path, seconds=0.5).file(_refs(4)).is_file()
    with pytest.raises(SlowEvidenceError, match=r"within 2\.5 s"):
        _records(tmp_path, seconds=0.5).file(_refs(3))


def test_few_records_are_exported_in_one_call(tmp_path: Path, exports: Exports) -> None:
    assert len(list(_records(tmp_path).files(_refs(4)))) == 1
    assert exports.sizes == [4]


def test_many_records_are_exported_in_chunks_and_those_before_the_time_limit_are_kept(
    tmp_path: Path, exports: Exports
) -> None:
    exports.seconds = lambda call, _: 600 if call == 3 else 0.1
    files = _records(tmp_path).files(_refs(40))
    assert next(files).is_file()
    assert next(files).is_file()
    # 30 s and a second for each further record, without the two calls before.
    with pytest.raises(SlowEvidenceError, match=r"did not end within 68\.8 s"):
        next(files)
    assert exports.sizes == [4, 32, 4]


def test_records_that_take_long_are_exported_in_smaller_chunks(tmp_path: Path, exports: Exports) -> None:
    exports.seconds = lambda call, _: 6 if call == 1 else 0.1
    assert len(list(_records(tmp_path).files(_refs(10)))) == 3
    # 4 records in 6 s are 3 in 5 s; 3 in 0.1 s are more than are left.
    assert exports.sizes == [4, 3, 3]


def test_a_record_is_exported_once(tmp_path: Path, exports: Exports) -> None:
    records = _records(tmp_path)
    first = list(records.files(_refs(3)))
    assert list(records.files(_refs(5)))[:1] == first
    assert records.file(_refs(3)) == first[0]
    assert exports.sizes == [3, 2]


def test_records_of_several_builders_are_exported_in_calls_of_their_own(tmp_path: Path, exports: Exports) -> None:
    assert len(list(_records(tmp_path).files(("a/n/r1", "b/n/r2", "a/n/r3")))) == 2
    assert exports.sizes == [2, 1]


def test_a_caller_can_set_a_shorter_time_limit(tmp_path: Path, exports: Exports) -> None:
    exports.seconds = lambda *_: 600
    with pytest.raises(SlowEvidenceError, match=r"did not end within 0\.5 s"):
        list(_records(tmp_path).files(_refs(100), seconds=0.5))
    assert exports.sizes == [4]


def test_a_missing_record_does_not_affect_the_others(tmp_path: Path, exports: Exports) -> None:
    exports.missing, exports.error = "b/n/r1", EvidenceError("no record found for ref r1")
    records = _records(tmp_path)
    assert len(list(records.files(_refs(6)))) == 1
    assert len(list(records.files(_refs(1)))) == 1
    with pytest.raises(EvidenceError, match="no record found for ref r1"):
        list(records.files(("b/n/r1",)))
    assert exports.sizes == [4, 2, 1, 1]


def test_a_buildx_that_cannot_export_is_run_once(tmp_path: Path, exports: Exports) -> None:
    exports.error = NoRecordsError("install buildx 0.23 or later")
    records = _records(tmp_path)
    for _ in range(2):
        with pytest.raises(NoRecordsError, match=r"install buildx 0\.23 or later"):
            list(records.files(_refs(10)))
    assert exports.sizes == [4]


def test_all_exports_together_have_a_time_limit(tmp_path: Path, exports: Exports) -> None:
    exports.seconds = lambda *_: 1
    records = _records(tmp_path, seconds=0.7)
    assert records.file(("b/n/r1", "b/n/r2")).is_file()
    for _ in range(2):
        with pytest.raises(SlowEvidenceError, match=r"did not end within 0\.7 s"):
            records.file(("b/n/r1",))
    assert exports.sizes == [2, 1]


def test_no_export_starts_after_the_time_limit(tmp_path: Path, exports: Exports) -> None:
    with pytest.raises(SlowEvidenceError, match="is reached"):
        _records(tmp_path, seconds=0).file((REF,))
    assert exports.sizes == []
