"""Inputs of the bake action, each with a real value whose effect is looked at where it ends up."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.engine.conftest import Step, Workplace, lines
from tests.engine.git_server import git_server
from tests.engine.other_end import image_manifests, served, served_blob, served_digest, tar_digest
from tests.github_api import TOKEN, GitHub
from tests.input_coverage import cannot_use

_RANDOM = json.dumps(["/bin/busybox", "cp", "/proc/sys/kernel/random/uuid", "/random"])


def _built(step: Step) -> Step:
    assert step.code == 0, step.log
    return step


def _define(work: Workplace, **targets: Mapping[str, object]) -> None:
    document = {"group": {"default": {"targets": list(targets)}}, "target": targets}
    (work.folder / "docker-bake.json").write_text(json.dumps(document))


def _digests(step: Step) -> dict[str, dict[str, str]]:
    return dict(json.loads(step.outputs["digests"]))


def test_set_overrides_arguments_labels_tags_platforms_outputs_and_caches(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch\nARG X\nCOPY hello.txt /\nLABEL x=$X\n")
    _define(work, web={"args": {"X": "0"}}, api={})
    overrides = lines(
        "web.args.X=1",
        "*.labels.y=2",
        f"web.tags={work.image}:web",
        f"api.tags={work.image}:api",
        "*.platform=linux/arm64",
        "*.output=type=image,push=true",
        "web.output+=type=oci,dest=web.tar",
        "web.cache-to=type=local,dest=cache",
        "api.cache-from=type=local,src=nowhere",
        "*.attest=type=provenance,disabled=true",
    )
    step = _built(work.bake_step(source=".", set=overrides, builder="default", verify="true", record="true"))
    web, manifest = served(work.image, "web")
    assert _digests(step) == {
        "web": {"0": web, "1": tar_digest(work.folder / "web.tar")},
        "api": {"0": served_digest(work.image, "api")},
    }
    config = json.loads(served_blob(work.image, manifest["config"]["digest"]))
    assert config["architecture"] == "arm64"
    assert config["config"]["Labels"] == {"x": "1", "y": "2"}
    assert (work.folder / "cache/index.json").is_file()
    assert Path(step.outputs["record"]).stat().st_size


def test_the_comment_has_a_row_for_each_target(work: Workplace, github: GitHub) -> None:
    _define(work, **{name: {"output": [f"type=image,name={work.image}:{name},push=true"]} for name in ("web", "api")})
    _built(work.bake_step(source=".", comment="true", github_token=TOKEN, sbom="false"))
    (comment,) = github.own
    assert all(f'title="{served_digest(work.image, name)}"'.replace(":", "&#58;") in comment for name in ("web", "api"))


def test_load_keeps_each_targets_image_in_the_engine(work: Workplace) -> None:
    tags = {name: f"{work.name}-{name}:1" for name in ("web", "api")}
    _define(work, **{name: {"tags": [tag], "labels": {"name": name}} for name, tag in tags.items()})
    step = _built(work.bake_step(source=".", load="true"))
    try:
        ids = {name: work.docker("image", "inspect", "--format", "{{.Id}}", tag) for name, tag in tags.items()}
    finally:
        work.docker("image", "rm", *tags.values())
    assert json.loads(step.outputs["imageids"]) == {name: {"0": identity} for name, identity in ids.items()}


def test_with_push_and_load_an_output_of_the_file_keeps_its_place(work: Workplace) -> None:
    # buildx prints the same outputs for the first target as, in one of two runs, for a target without any.
    tags = {name: f"{work.image}-{name}:1" for name in ("own", "none")}
    _define(work, own={"tags": [tags["own"]], "output": ["type=docker"]}, none={"tags": [tags["none"]]})
    # Both outputs of a target make the same tag, which can fail (docker/buildx#3576).
    step = _built(work.bake_step(source=".", push="true", load="true", retries="9", retry_delay="0"))
    work.docker("image", "rm", *tags.values())
    exporters = json.loads(step.outputs["exporters"])
    assert [(each["key"], each["type"], each["push"]) for each in exporters["own"]] == [
        ("0", "docker", False),
        ("1", "image", True),
    ]
    assert [(each["key"], each["type"], each["push"]) for each in exporters["none"]] == [
        ("0", "image", True),
        ("1", "docker", False),
    ]


@pytest.mark.usefixtures("busybox")
def test_no_cache_bakes_anew_what_is_in_the_cache(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text(
        f"FROM scratch AS ran\nCOPY busybox /bin/busybox\nRUN --network=none {_RANDOM}\n"
        "FROM scratch\nCOPY --from=ran /random /\n"
    )
    _define(work, web={"output": ["out"]})
    seen = []
    for no_cache in ("false", "false", "true"):
        _built(work.bake_step(source=".", no_cache=no_cache))
        seen.append((work.folder / "out/random").read_text())
    assert seen[0] == seen[1] != seen[2]


def test_pull_looks_for_a_newer_base_image(work: Workplace) -> None:
    base = f"{work.image}:base"
    _define(work, base={"tags": [base]}, next={"dockerfile-inline": f"FROM {base}\n", "output": ["out"]})
    try:
        for text, where in (("new", "push"), ("old", "load")):
            (work.folder / "hello.txt").write_text(text)
            _built(work.bake_step(source=".", targets="base", **{where: "true"}))
        for text, pull in (("old", "false"), ("new", "true")):
            _built(work.bake_step(source=".", targets="next", pull=pull))
            assert (work.folder / "out/hello.txt").read_text() == text
    finally:
        work.docker("image", "rm", "--force", base)


def test_provenance_is_attached_to_each_target(work: Workplace) -> None:
    _define(work, web={"output": [f"type=image,name={work.image}:web,push=true"]})
    step = _built(work.bake_step(source=".", provenance="mode=min"))
    digest, index = served(work.image, "web")
    assert _digests(step) == {"web": {"0": digest}}
    assert len(index["manifests"]) == len(image_manifests(index)) + 1


@pytest.mark.parametrize(("call", "said"), [("targets", r"two \(default\)"), ("outline", r"TARGET:\s+two")])
def test_call_asks_the_bake_instead(work: Workplace, call: str, said: str) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch AS one\nFROM scratch AS two\nCOPY hello.txt /\n")
    _define(work, web={})
    step = _built(work.bake_step(source=".", call=call))
    assert re.search(said, step.log)
    assert _digests(step) == {"web": {}}


def test_the_working_directory_is_where_paths_start_and_source_names_the_definition(
    work: Workplace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (work.folder / "inner").mkdir()
    (work.folder / "inner" / "a").write_text("inner")
    inline = "FROM scratch\nCOPY a /\n"
    _define(work, web={"dockerfile-inline": inline, "output": ["out"]})
    files = {"docker-bake.json": json.dumps({"target": {"web": {"dockerfile-inline": inline, "output": ["out"]}}})}
    _built(work.bake_step(workdir="inner", files="../docker-bake.json", targets="web"))
    assert (work.folder / "inner/out/a").read_text() == "inner"
    with git_server(tmp_path_factory.mktemp("git"), {**files, "a": "git"}) as git:
        work.environment = {**work.environment, **git.environment}
        _built(work.bake_step(source="{{defaultContext}}", workdir="inner", targets="web"))
    assert (work.folder / "inner/out/a").read_text() == "git"


def test_an_sbom_is_attached_to_each_target(work: Workplace, scanner: str) -> None:
    _define(work, web={"output": [f"type=image,name={work.image}:web,push=true"]})
    step = work.bake_step(source=".", sbom=f"generator={scanner}")
    if "network bridge not found" in step.log:
        cannot_use("bake: sbom: generator")
        pytest.skip("this engine has no network for a scanner")
    digest, index = served(work.image, "web")
    assert _digests(_built(step)) == {"web": {"0": digest}}
    (entry,) = [each for each in index["manifests"] if each["platform"]["os"] == "unknown"]
    types = [
        each["annotations"]["in-toto.io/predicate-type"] for each in served(work.image, entry["digest"])[1]["layers"]
    ]
    assert "https://spdx.dev/Document" in types
