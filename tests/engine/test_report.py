"""What a real step shows: its summary file, its annotations, its record file."""

from __future__ import annotations

import io
import json
import re
import tarfile
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.engine.conftest import ASKS_FOR_RECORD, Step, Workplace, fake_docker, lines
from tests.engine.other_end import served_digest
from tests.github_api import TOKEN, GitHub
from tests.golden_files import assert_golden

CHECKED = """FROM scratch AS files
COPY hello.txt /
FROM scratch
COPY --from=files hello.txt /
MAINTAINER somebody
ENTRYPOINT run this
"""


@pytest.fixture
def summary(work: Workplace) -> Path:
    """The summary file of the steps that run in a workplace."""
    file = work.folder / "summary.md"
    work.environment = {
        **work.environment,
        "GITHUB_STEP_SUMMARY": str(file),
        "GITHUB_WORKSPACE": str(work.folder),
        "GITHUB_REPOSITORY": "octo/app",
    }
    return file


def _steady(text: str, names: Mapping[str, str]) -> str:
    """A summary without what is another each time: digests, times, names."""
    # Where a name may be broken depends on its length.
    text = text.replace("<wbr>", "")
    for name, steady in names.items():
        text = text.replace(name, steady).replace(name.replace(":", "&#58;").replace("_", "&#95;"), steady)
    text = re.sub(r"sha256(:|&#58;)[0-9a-f]{64}", r"sha256\1<64>", text)
    text = re.sub(r"sha256(:|&#58;)[0-9a-f]{12}", r"sha256\1<12>", text)
    text = re.sub(r"\d+(\.\d+)? (B|kB|MB)\b", "<size>", text)
    text = re.sub(r"\d+\.\d s", "<time>", text)
    text = re.sub(r"ref [a-z0-9]{20,}(::|&#58;&#58;)[a-z0-9]+", r"ref <ref>", text)
    return re.sub(r"2000-01-01 \d\d:\d\d:\d\d\.\d{3}", "2000-01-01 00:00:00.000", text)


def _warnings(step: Step) -> list[str]:
    return re.findall(r"^::warning (.*)$", step.log, re.MULTILINE)


def _first_build(work: Workplace) -> None:
    """Build once, so that each step of the next build comes from the cache."""
    assert work.step(outputs="type=oci,dest=first.tar", summary="false").code == 0


def test_the_summary_of_a_build(work: Workplace, summary: Path) -> None:
    _first_build(work)
    outputs = lines(
        f"type=image,name={work.image}:1,push=true,id=release", "type=oci,dest=app.tar", "type=local,dest=out"
    )
    step = work.step(outputs=outputs, build_args="A=1", secrets="KEY=hunter2hunter2")
    assert step.code == 0, step.log
    text = summary.read_text()
    label = work.image.partition("/")[2]
    assert f"{label}</code>\n\n```text\n{served_digest(work.image, '1')}\n```" in text.replace("<wbr>", "")
    # Which export begins first is chance.
    text = re.sub(r"\d+ - exporting to (image|oci image format|client directory) :.*\n", "", text)
    text = re.sub(r"<details><summary>Slowest.*?</details>\n\n", "", text, flags=re.DOTALL)
    assert_golden("build.md", _steady(text, {work.image: "localhost:5000/app"}))


def test_the_summary_of_a_build_that_failed(work: Workplace, summary: Path) -> None:
    _first_build(work)
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY hello.txt /\nCOPY missing.txt /\n")
    step = work.step()
    assert step.code == 1
    assert re.search(r"^\d+ - \[2/2\] COPY missing.txt / :crit, ", summary.read_text(), re.MULTILINE)
    text = re.sub(r"<details><summary>Slowest.*?</details>\n\n", "", summary.read_text(), flags=re.DOTALL)
    # BuildKit looks at both COPY at once: which of the steps before still runs when one fails is chance.
    text = re.sub(r"\d+ - .*\n", "", text)
    text = re.sub(r"\d+ steps?, \d+ from the cache", "<steps>", text).replace("Grey: from the cache. ", "")
    assert_golden("failed.md", _steady(text, {work.image: "localhost:5000/app"}))


def test_the_summary_of_a_bake(work: Workplace, summary: Path) -> None:
    (work.folder / "docker-bake.json").write_text(
        json.dumps(
            {
                "group": {"default": {"targets": ["web", "api"]}},
                "target": {
                    "web": {
                        "output": [
                            f"type=image,name={work.image}-web:1,push=true,id=release",
                            "type=docker,dest=web.tar",
                        ]
                    },
                    "api": {"output": [{"type": "image", "name": f"{work.image}-api:1", "push": "true"}]},
                },
            }
        )
    )
    assert work.bake_step(source=".", set="*.output=type=cacheonly", summary="false").code == 0
    step = work.bake_step(source=".")
    assert step.code == 0, step.log
    text = re.sub(r"<details><summary>Slowest.*?</details>\n\n", "", summary.read_text(), flags=re.DOTALL)
    text = re.sub(r"\d+ - .*\n", "", text)
    assert_golden("bake.md", _steady(text, {work.image: "localhost:5000/app"}))


def test_a_build_of_many_steps_has_them_all_counted_and_the_longest_drawn(work: Workplace, summary: Path) -> None:
    stages = ["FROM scratch AS s0\nCOPY hello.txt /f0\n"]
    for stage in range(1, 5):
        copies = "".join(f"COPY --from=s{stage - 1} /f{stage - 1} /f{stage}-{copy}\n" for copy in range(19))
        stages.append(f"FROM scratch AS s{stage}\n{copies}COPY --from=s{stage - 1} /f{stage - 1} /f{stage}\n")
    (work.folder / "Dockerfile").write_text("".join(stages))
    step = work.step(outputs="type=cacheonly")
    assert step.code == 0, step.log
    text = summary.read_text()
    # 4 stages of 20, the first one's COPY, and what loads Dockerfile, .dockerignore and context.
    drawn = re.search(r"```mermaid\n(.*?)```", text, re.DOTALL)
    assert drawn is not None
    assert len(drawn[1].splitlines()) == 3 + 30
    assert "The 30 longest of 84 steps." in text


@pytest.mark.parametrize("off", [{"summary": "false"}, {"DOCKER_BUILD_SUMMARY": "false"}])
def test_a_summary_that_nobody_wants_is_not_written(work: Workplace, summary: Path, off: dict[str, str]) -> None:
    inputs = {name: value for name, value in off.items() if name.islower()}
    work.environment = {**work.environment, **{name: value for name, value in off.items() if name.isupper()}}
    assert work.step(outputs="type=cacheonly", **inputs).code == 0
    assert not summary.exists()


def test_a_summary_that_cannot_be_written_is_a_warning(work: Workplace, summary: Path) -> None:
    summary.mkdir()
    step = work.step(outputs=f"type=image,name={work.image}:1,push=true")
    assert step.code == 0
    assert step.digests == {"0": served_digest(work.image, "1")}
    assert "::warning::the job summary is missing: " in step.log


@pytest.mark.parametrize("fault", ['echo "ERROR: no record" >&2; exit 1', "exec sleep 600"])
def test_without_a_record_there_is_a_summary_without_steps(work: Workplace, summary: Path, fault: str) -> None:
    fake_docker(work, f'if {ASKS_FOR_RECORD}; then {fault}; fi; exec "$REAL" "$@"')
    step = work.step(outputs=f"type=image,name={work.image}:1,push=true")
    assert step.code == 0
    assert served_digest(work.image, "1") in summary.read_text()
    assert "mermaid" not in summary.read_text()


def test_platforms_are_shown_where_nothing_else_needed_the_record(work: Workplace, summary: Path) -> None:
    assert work.step(outputs=f"type=image,name={work.image}:1,push=true").code == 0
    assert "<code>linux/amd64</code>" in summary.read_text()


@pytest.mark.usefixtures("summary")
def test_warnings_of_checks_stand_at_their_file_and_line(work: Workplace) -> None:
    (work.folder / "app").mkdir()
    (work.folder / "app" / "Dockerfile").write_text(CHECKED)
    (work.folder / "app" / "hello.txt").write_text("hello")
    step = work.step(context="app")
    assert step.code == 0, step.log
    link = "%0AMore info: https://docs.docker.com/go/dockerfile/rule/"
    # What docker/build-push-action 7.3 printed for the same build.
    assert sorted(_warnings(step)) == [
        (
            "title=JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals,"
            "file=app/Dockerfile,line=6::JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent "
            f"unintended behavior related to OS signals{link}json-args-recommended/"
        ),
        (
            "title=The MAINTAINER instruction is deprecated%2C use a label instead to define an image author,"
            "file=app/Dockerfile,line=5::MaintainerDeprecated: Maintainer instruction is deprecated in favor of using "
            f"label{link}maintainer-deprecated/"
        ),
    ]


@pytest.mark.usefixtures("summary")
def test_a_check_annotates_as_a_build_does(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text(CHECKED)
    build, check = work.step(outputs="type=cacheonly"), work.step(call="check")
    assert (build.code, check.code) == (0, 1)
    assert len(_warnings(build)) == 2
    assert sorted(_warnings(build)) == sorted(_warnings(check))


def test_a_bakes_warnings_stand_at_the_file_of_their_target_once(work: Workplace, summary: Path) -> None:
    for name in ("web", "api"):
        (work.folder / name).mkdir()
        (work.folder / name / "hello.txt").write_text("hello")
        (work.folder / name / f"{name}.Dockerfile").write_text(CHECKED + f"LABEL name={name}\n")
    targets = {
        target: {"context": name, "dockerfile": f"{name}.Dockerfile", "output": ["type=cacheonly"]}
        for target, name in (("web", "web"), ("api", "api"), ("again", "api"))
    }
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
    step = work.bake_step(source=".", targets="web,api,again")
    assert step.code == 0, step.log
    places = sorted((rule, file) for file, rule in re.findall(r",file=([\w./]+),line=\d+::(\w+):", step.log))
    rules = ("JSONArgsRecommended", "MaintainerDeprecated")
    assert places == sorted((rule, f"{name}/{name}.Dockerfile") for rule in rules for name in ("web", "api"))
    assert summary.exists()


@pytest.mark.usefixtures("summary")
def test_ten_warnings_are_annotations_and_the_others_a_number(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY hello.txt /\n" + "MAINTAINER somebody\n" * 25)
    step = work.step(outputs="type=cacheonly")
    assert step.code == 0, step.log
    shown = len(_warnings(step))
    assert shown == 10
    (rest,) = re.findall(r"^(\d+) more warnings of build checks", step.log, re.MULTILINE)
    # buildx lists them at the end; of the `WARN:` lines of the progress it may print none on a busy machine.
    assert int(rest) + shown == len({*re.findall(r" - (\w+: .*\(line \d+\))$", step.log, re.MULTILINE)})


@pytest.mark.usefixtures("summary")
def test_annotations_can_be_turned_off(work: Workplace) -> None:
    work.environment = {**work.environment, "DOCKER_BUILD_CHECKS_ANNOTATIONS": "false"}
    (work.folder / "Dockerfile").write_text(CHECKED)
    assert _warnings(work.step(outputs="type=cacheonly")) == []


def test_the_record_is_a_file_that_buildx_takes_back(work: Workplace) -> None:
    step = work.step(outputs=lines("type=oci,dest=a.tar", f"type=image,name={work.image}:1,push=true"), record="true")
    assert step.code == 0, step.log
    file = Path(step.outputs["record"])
    assert file.suffix == ".dockerbuild"
    with tarfile.open(file) as tar:
        assert "index.json" in tar.getnames()
    arguments = (
        "inspect",
        "--output",
        "type=oci,dest=a.tar",
        "--record",
        str(file),
        "metadata.json",
        "--format",
        "json",
    )
    (work.folder / "metadata.json").write_text(step.outputs["metadata"])
    (work.folder / "a.tar").unlink()
    inspected = work.python("-m", "action", *arguments)
    assert inspected.returncode == 0, inspected.stderr


def test_the_record_of_a_build_that_failed_is_there_too(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY missing.txt /\n")
    step = work.step(record="true")
    assert step.code == 1
    with tarfile.open(step.outputs["record"]) as tar:
        assert "index.json" in tar.getnames()


@pytest.mark.parametrize("action", ["build", "bake"])
def test_a_build_of_somebody_elses_that_runs_meanwhile_is_not_shown(
    work: Workplace, summary: Path, action: str
) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY missing.txt /\n")
    other = work.folder / "other"
    other.mkdir()
    (other / "Dockerfile").write_text("FROM scratch AS somebody-elses\nCOPY hello.txt /\n")
    (other / "hello.txt").write_text(f"{uuid.uuid4()}")
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": {"web": {}}}))
    meanwhile = '"$REAL" buildx build other > /dev/null 2>&1'
    fake_docker(work, f'case "$*" in *--metadata-file*) {meanwhile};; esac; exec "$REAL" "$@"')
    step = work.step(record="true") if action == "build" else work.bake_step(source=".", targets="web", record="true")
    assert step.code == 1
    text = summary.read_text()
    assert "COPY missing.txt" in text.partition("```mermaid")[2]
    assert "somebody-elses" not in text
    with tarfile.open(step.outputs["record"]) as tar:
        assert all(b"somebody-elses" not in (tar.extractfile(each) or io.BytesIO()).read() for each in tar)


def test_the_records_of_a_bake_are_one_file(work: Workplace) -> None:
    targets = {name: {"output": [f"type=oci,dest={name}.tar"]} for name in ("web", "api")}
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
    step = work.bake_step(source=".", targets="web,api", record="true")
    assert step.code == 0, step.log
    with tarfile.open(step.outputs["record"]) as tar:
        index = tar.extractfile("index.json")
        assert index is not None
        (entry,) = json.load(index)["manifests"]
        inner = tar.extractfile("blobs/" + entry["digest"].replace(":", "/"))
        assert inner is not None
        assert len(json.load(inner)["manifests"]) == 2


@pytest.mark.parametrize("off", [{}, {"record": "true", "DOCKER_BUILD_RECORD_UPLOAD": "false"}])
def test_no_record_is_written_unless_it_is_wanted(work: Workplace, off: dict[str, str]) -> None:
    work.environment = {**work.environment, **{name: value for name, value in off.items() if name.isupper()}}
    step = work.step(outputs="type=cacheonly", **{name: value for name, value in off.items() if name.islower()})
    assert "record" not in step.outputs


def test_what_was_pushed_is_named_for_attesting_and_signing(work: Workplace) -> None:
    outputs = lines(
        f"type=image,name={work.image}:1,push=true,id=release",
        f"type=image,name={work.image}-other:1,push=true,compression=zstd,force-compression=true",
        f"type=image,name={work.image}-kept:1",
        "type=oci,dest=a.tar",
    )
    step = work.step(outputs=outputs)
    assert step.code == 0, step.log
    one, other = served_digest(work.image, "1"), served_digest(f"{work.image}-other", "1")
    assert json.loads(step.outputs["refs"]) == [f"{work.image}@{one}", f"{work.image}-other@{other}"]
    assert Path(step.outputs["checksums"]).read_text().splitlines() == [
        f"{one.removeprefix('sha256:')}  {work.image}",
        f"{other.removeprefix('sha256:')}  {work.image}-other",
    ]


def test_nothing_pushed_has_no_checksums(work: Workplace) -> None:
    step = work.step(outputs="type=oci,dest=a.tar")
    assert step.outputs["refs"] == "[]"
    assert "checksums" not in step.outputs


def test_two_steps_of_a_job_share_a_comment_that_has_the_table_and_is_kept_up_to_date(
    work: Workplace, github: GitHub
) -> None:
    (work.folder / "two.Dockerfile").write_text("FROM scratch\nCOPY hello.txt /two\n")
    image = f"type=image,name={work.image}:1,push=true"
    for file, output in (("Dockerfile", image), ("two.Dockerfile", "type=oci,dest=two.tar"), ("Dockerfile", image)):
        (work.folder / "hello.txt").write_text(f"hello {uuid.uuid4()}")
        step = work.step(outputs=output, file=file, comment="true", github_token=TOKEN)
        assert step.code == 0, step.log
    (comment,) = github.own
    assert comment.count("### ✅ Build") == 2
    digest = served_digest(work.image, "1")
    assert f'title="{digest.replace(":", "&#58;")}"' in comment
    assert "<code>arch&#58; amd64</code>" in comment
    assert "<code>c0ffee0</code>" in comment


def test_a_comment_that_is_refused_is_a_warning_and_the_outputs_are_set(work: Workplace, github: GitHub) -> None:
    github.fault = 403
    step = work.step(outputs=f"type=image,name={work.image}:1,push=true", comment="true", github_token=TOKEN)
    assert step.code == 0
    assert step.digests == {"0": served_digest(work.image, "1")}
    assert re.search(
        r"^::warning::the comment is missing: GitHub returned 403 .* pull-requests: write", step.log, re.MULTILINE
    )


def test_a_run_of_no_pull_request_comments_on_nothing(work: Workplace, github: GitHub) -> None:
    Path(work.environment["GITHUB_EVENT_PATH"]).write_text('{"repository": {"private": false}}')
    step = work.step(outputs="type=cacheonly", comment="true", github_token=TOKEN)
    assert step.code == 0
    assert "this run does not belong to a pull request" in step.log
    assert github.requests == []
