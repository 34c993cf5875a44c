"""What goes wrong on a real machine, and what the step says of it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.engine.conftest import Workplace, fake_docker, lines
from tests.engine.other_end import served_digest


def test_a_failed_build_has_buildxs_last_error_line_and_exit_code_1(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY missing.txt /\n")
    step = work.step(outputs=lines("type=oci,dest=a.tar", f"type=image,name={work.image},push=true"))
    assert step.code == 1
    (error,) = [line for line in step.log.splitlines() if line.startswith("::error::")]
    assert error.startswith("::error::buildx failed with: ERROR: ")
    assert "missing.txt" in error
    assert step.digests == {}
    assert "digest" not in step.outputs


def test_a_push_to_a_registry_that_is_not_there_fails_without_a_digest(work: Workplace) -> None:
    step = work.step(outputs=lines("type=oci,dest=a.tar", "type=image,name=localhost:1/app,push=true"))
    assert step.code == 1
    assert "; the registry does not answer: check the network" in step.log
    assert step.digests == {}


def test_call_check_without_findings_exports_nothing_and_passes(work: Workplace) -> None:
    step = work.step(call="check", push="true", tags=f"{work.image}:check")
    assert step.code == 0, step.log
    assert step.digests == {}
    assert step.exporters == []
    assert "result.json" in json.loads(step.outputs["metadata"])


def test_call_check_with_findings_fails_with_their_first_line_and_keeps_the_metadata(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch as base\nCOPY hello.txt /\nmaintainer me\n")
    step = work.step(call="check")
    assert step.code == 1
    (error,) = [line for line in step.log.splitlines() if line.startswith("::error::")]
    assert "warnings have been found" in error
    assert "result.json" in json.loads(step.outputs["metadata"])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"outputs": "type=oci,dest=a.tar,id=a/b"}, "outputs: id 'a/b' is malformed"),
        ({"outputs": "type=oci,dest=a.tar,id=12"}, "outputs: id '12' is all digits"),
        ({"outputs": "type=oci,dest=a,id=x\ntype=oci,dest=b,id=x"}, "outputs: entries 0 and 1 have the same id 'x'"),
        ({"outputs": "dest=a.tar"}, "outputs: 'dest=a.tar' has no type"),
        ({"push": "yes"}, "push: 'yes' is not a boolean"),
        ({"secrets": 'KEY="x\n"hunter2'}, "secrets: the double quote that opens an item in line 2 is not closed"),
    ],
)
def test_bad_input_is_named_before_anything_is_built(work: Workplace, inputs: dict[str, str], message: str) -> None:
    step = work.step(**inputs)
    assert step.code == 2
    assert f"::error::{message}" in step.log
    assert "#1 " not in step.log
    assert "hunter2" not in step.log.replace("::add-mask::hunter2", "")
    assert "Traceback" not in step.log


def test_an_unknown_output_type_is_buildxs_to_judge(work: Workplace) -> None:
    step = work.step(outputs="type=teleport,dest=a")
    assert step.code == 1
    assert "::error::buildx failed with: ERROR: " in step.log
    assert "teleport" in step.log


def test_no_engine_that_answers_says_what_to_do(work: Workplace) -> None:
    work.environment = {**work.environment, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    step = work.step(push="true", tags=f"{work.image}:x")
    assert step.code == 1
    assert "::error::no Docker engine answers: start or install one" in step.log


def test_a_docker_without_buildx_says_what_to_install(work: Workplace) -> None:
    empty = work.folder / "config"
    empty.mkdir()
    bare = work.folder / "bin"
    bare.mkdir()
    # A copy: the docker command also looks for plugins beside where it is installed.
    docker = shutil.which("docker", path=work.environment["PATH"])
    assert docker is not None
    shutil.copy(os.path.realpath(docker), bare / "docker")
    work.environment = {**work.environment, "DOCKER_CONFIG": str(empty), "PATH": str(bare)}
    step = work.step(push="true", tags=f"{work.image}:x")
    if "::error::docker has no buildx" not in step.log and step.code == 0:
        pytest.skip("this machine's Docker finds buildx in a folder of its own")
    assert step.code == 1
    assert "::error::docker has no buildx: install its plugin" in step.log
    # docker itself would print its usage, and for --help end with 0.
    for arguments in (("build", "--", "."), ("build", "--", "--help"), ("bake",), ("bake", "--", "--help")):
        done = work.python("-m", "action", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("error: docker has no buildx: install its plugin")
        assert len(done.stderr.splitlines()) == 1


def test_no_docker_at_all_says_what_to_install(work: Workplace) -> None:
    work.environment = {**work.environment, "PATH": str(work.folder)}
    step = work.step()
    assert step.code == 1
    assert "::error::neither docker nor buildx is on the PATH: install Docker" in step.log


_METADATA_PATH = 'for a; do [ "$p" = --metadata-file ] && m=$a; p=$a; done'


@pytest.mark.parametrize(
    ("content", "message", "kept"),
    [
        ("", "expected a JSON document, found nothing", False),
        ("null", "at the top: expected", True),
        ('{"buildx.build.ref": "a/b', "cut off", True),
        ('{"containerimage.digest": "sha256:12"}', "at /containerimage.digest: expected a sha256 digest", True),
        ('{"image.name": "a", "image.name": "b"}', "at /image.name: expected each key once", True),
        ("[" * 10_000, "levels of nesting", True),
        ("\\xff\\xfe", "expected UTF-8", False),
    ],
)
def test_a_faulty_metadata_file_fails_the_step_and_is_handed_on_where_it_is_text(
    work: Workplace, content: str, message: str, *, kept: bool
) -> None:
    # The real buildx writes no such file: the build is real, its metadata file is spoilt afterwards.
    (work.folder / "spoilt").write_bytes(content.encode("latin-1").replace(b"\\xff\\xfe", b"\xff\xfe"))
    fake_docker(work, f'"$REAL" "$@"; code=$?; {_METADATA_PATH}; cp spoilt "$m"; exit $code')
    step = work.step(outputs="type=oci,dest=a.tar")
    assert step.code == 1
    (error,) = [line for line in step.log.splitlines() if line.startswith("::error::")]
    assert message in error
    assert "metadata.json: at " in error
    assert step.outputs.get("metadata", "") == (content.strip() if kept else "")


def test_where_nothing_is_exported_a_notice_names_the_inputs_that_change_it(work: Workplace) -> None:
    # The docker driver always exports. Told to keep a build in its cache, it leaves what a container driver leaves.
    fake_docker(work, 'exec "$REAL" buildx build --output type=cacheonly "${@:3}"')
    step = work.step(require_digests="true")
    assert step.code == 0, step.log
    assert "::notice::nothing was exported: " in step.log
    assert "set push, load or outputs" in step.log
    assert step.outputs["digests"] == "{}"
    assert step.exporters == []
    assert "digest" not in step.outputs


def test_a_missing_metadata_file_fails_the_step(work: Workplace) -> None:
    fake_docker(work, f'"$REAL" "$@"; code=$?; {_METADATA_PATH}; rm "$m"; exit $code')
    step = work.step(push="true", tags=f"{work.image}:x")
    assert step.code == 1
    assert "metadata.json: at the top: expected the metadata of this build, but buildx wrote none" in step.log


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ('echo "ERROR: unknown command: history" >&2; exit 1', "install buildx 0.23 or later"),
        ('echo "ERROR: no record found" >&2; exit 1', "no record found"),
        ('while [ $# -gt 1 ]; do shift; done; echo rubbish > "$1"', "not a tar that can be read"),
        ('while [ $# -gt 1 ]; do shift; done; : > "$1"', "not a tar that can be read"),
    ],
)
def test_a_record_that_cannot_be_had_costs_only_what_it_alone_would_prove(
    work: Workplace, script: str, reason: str
) -> None:
    live = '[ "$2" = dial-stdio ] && exit 1'
    fake_docker(work, f'{live}; if [ "$2" = history ]; then {script}; else exec "$REAL" "$@"; fi')
    step = work.step(
        outputs=lines(f"type=image,name={work.image},push=true,id=release", "type=oci,dest=a.tar"), provenance="false"
    )
    assert step.code == 0, step.log
    assert set(step.digests) == {"1"}
    assert "::warning::exporter release has no digest: the build record is missing" in step.log
    assert reason in step.log


def test_a_tar_that_was_spoilt_after_the_build_is_a_warning_and_the_record_speaks(work: Workplace) -> None:
    fake_docker(work, '"$REAL" "$@"; code=$?; [ "$2" = build ] && echo rubbish > a.tar; exit $code')
    step = work.step(outputs=lines(f"type=image,name={work.image},push=true,id=release", "type=oci,dest=a.tar,id=tar"))
    assert step.code == 0, step.log
    assert step.digests["release"] == served_digest(work.image)
    assert set(step.digests) == {"release", "tar"}
    assert "::warning::the artifact of exporter tar cannot be used: a.tar: not a tar that can be read" in step.log


def test_a_tar_that_says_something_else_than_the_record_fails_the_step_and_names_both(work: Workplace) -> None:
    other = work.step(outputs="type=oci,dest=other.tar")
    (work.folder / "hello.txt").write_text("changed\n")
    fake_docker(work, '"$REAL" "$@"; code=$?; [ "$2" = build ] && cp other.tar a.tar; exit $code')
    step = work.step(outputs=lines(f"type=image,name={work.image},push=true", "type=oci,dest=a.tar,id=tar"))
    assert step.code == 1
    assert "::error::exporter tar (oci): the build record says digest sha256:" in step.log
    assert f"the artifact a.tar says {other.outputs['digest']}; neither is reported" in step.log
    assert step.digests == {}


def test_temporary_files_are_gone_after_a_failure(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text("FROM nowhere.invalid/none\n")
    step = work.step()
    assert step.code == 1
    assert [path for path in Path(work.environment["RUNNER_TEMP"]).rglob("*") if "results" not in path.name] in (
        [],
        [Path(work.environment["RUNNER_TEMP"]) / "build-digests"],
    )
