"""Metadata files with a fault in one place: what a digest is derived from may fail a step, and nothing else may.

The real buildx writes no such file: the build is real, and a place of its file is changed afterwards.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping

import pytest

from tests.engine.conftest import ASKS_FOR_RECORD, Workplace, fake_docker, lines
from tests.engine.other_end import served_digest, tar_config, tar_digest

CHANGE = """
import json, sys
value = json.load(open(sys.argv[1]))
for target, members in json.load(open("change.json")).items():
    (value[target] if target else value).update(members)
json.dump(value, open(sys.argv[1], "w"), indent=1)
"""
FIRST_DEVIATIONS: dict[str, object] = {
    "cache.manifest": "latest",
    "buildx.build.provenance": ["x"],
    "buildx.build.provenance/linux/amd64": 1,
}
MORE_DEVIATIONS: dict[str, object] = {
    "buildx.build.warnings": "none",
    "image.name": ["a"],
    "CacheExporterResponses": {"0": 1},
}
DEVIATIONS = {**FIRST_DEVIATIONS, **MORE_DEVIATIONS}


@pytest.fixture
def spoilt(work: Workplace) -> Workplace:
    """A workplace whose metadata files are changed by `change.json`: target, or empty for a build, to members."""
    (work.folder / "change.py").write_text(CHANGE)
    path = 'for a; do [ "$p" = --metadata-file ] && m=$a; p=$a; done'
    change = f'[ -n "$m" ] && [ $code = 0 ] && {sys.executable} -I change.py "$m"'
    history = f"{ASKS_FOR_RECORD} && [ -e no-history ] && exit 1"
    fake_docker(work, f'{history}; "$REAL" "$@"; code=$?; {path}; {change}; exit $code')
    work.spoils_metadata = True
    return work


def change(work: Workplace, members: Mapping[str, object], target: str = "") -> None:
    (work.folder / "change.json").write_text(json.dumps({target: members}))


def said(log: str, kind: str) -> list[str]:
    return [line.removeprefix(f"::{kind}::") for line in log.splitlines() if line.startswith(f"::{kind}::")]


@pytest.mark.parametrize("deviations", [FIRST_DEVIATIONS, MORE_DEVIATIONS], ids=["first", "more"])
def test_deviations_that_no_digest_is_derived_from_are_a_warning_and_metadata_stay_as_they_are(
    spoilt: Workplace, deviations: dict[str, object]
) -> None:
    change(spoilt, deviations)
    step = spoilt.step(push="true", tags=f"{spoilt.image}:1", require_digests="true")
    assert step.code == 0, step.log
    assert step.outputs["digest"] == served_digest(spoilt.image, "1")
    assert step.digests == {"0": served_digest(spoilt.image, "1")}
    (warning,) = said(step.log, "warning")
    places = [f"/{key.replace('/', '~1')}" for key in deviations]
    named = re.search(r"the metadata file is not as its schema says at (.*?);", warning)
    assert named is not None, warning
    assert sorted(re.findall(r"/\S+?(?=,|\s|$)", named[1])) == sorted(places)
    assert json.loads(step.outputs["metadata"]).items() >= deviations.items()
    assert step.outputs["metadata"].startswith('{\n "')
    file = spoilt.folder / "metadata.json"
    file.write_text(step.outputs["metadata"])
    done = spoilt.python("-m", "action", "validate", str(file))
    assert done.returncode == 1
    assert all(f"metadata.json: at {place}" in done.stdout for place in places)


def test_deviations_in_a_target_cost_no_digest_and_are_named_once(spoilt: Workplace) -> None:
    outputs = ["type=oci,dest=a.tar,id=tar", f"type=image,name={spoilt.image}:1,push=true,id=release"]
    definition = {"target": {"web": {"output": outputs}, "api": {"output": ["type=oci,dest=b.tar"]}}}
    (spoilt.folder / "docker-bake.json").write_text(json.dumps(definition))
    change(spoilt, DEVIATIONS, "web")
    step = spoilt.bake_step(source=".", targets="web,api", require_digests="true")
    assert step.code == 0, step.log
    assert json.loads(step.outputs["digests"]) == {
        "web": {"tar": tar_digest(spoilt.folder / "a.tar"), "release": served_digest(spoilt.image, "1")},
        "api": {"0": tar_digest(spoilt.folder / "b.tar")},
    }
    (warning,) = said(step.log, "warning")
    assert "at /web/" in warning
    assert warning.count("/web/") == 5
    assert " and 1 more; these places are ignored" in warning


def test_a_fault_in_one_target_fails_the_step_and_costs_no_other_its_digest(spoilt: Workplace) -> None:
    # Each in a repository of its own: pushes of one blob to one repository at once can fail in the registry.
    names = {name: f"{spoilt.image}-{name}" for name in ("api", "db", "web")}
    targets = {target: {"output": [f"type=image,name={name}:1,push=true"]} for target, name in names.items()}
    (spoilt.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
    change(spoilt, {"buildx.build.ref": "latest"}, "db")
    step = spoilt.bake_step(source=".", targets="web,api,db")
    assert step.code == 1
    assert json.loads(step.outputs["digests"]) == {
        "api": {"0": served_digest(names["api"], "1")},
        "db": {},
        "web": {"0": served_digest(names["web"], "1")},
    }
    (error,) = said(step.log, "error")
    assert error.startswith("target db: ")
    assert "at /db/buildx.build.ref: expected a build reference" in error


FAULTS: dict[str, dict[str, object]] = {
    "digest": {"containerimage.digest": "latest"},
    "config": {"containerimage.config.digest": 1, "containerimage.descriptor": None},
    "descriptor": {"containerimage.descriptor": {"mediaType": "", "digest": "latest"}},
    "responses": {"exporter.responses": {"release": {}}},
}
"""Faults in what a file says of images; its reference is good."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_the_digest_of_the_only_image_is_derived_from_fails_the_step_without_a_record(
    spoilt: Workplace, fault: str
) -> None:
    change(spoilt, FAULTS[fault])
    (spoilt.folder / "no-history").touch()
    step = spoilt.step(push="true", tags=f"{spoilt.image}:1")
    assert step.code == 1
    assert not step.outputs.get("digest")
    assert not step.outputs.get("imageid")
    (error,) = said(step.log, "error")
    assert any(f"at /{key}" in error for key in FAULTS[fault])
    assert json.loads(step.outputs["metadata"]).items() >= FAULTS[fault].items()


@pytest.mark.parametrize("push", [True, False])
def test_a_faulty_reference_fails_the_step_if_the_build_makes_an_image(spoilt: Workplace, *, push: bool) -> None:
    change(spoilt, {"buildx.build.ref": "no reference"})
    images = f"type=image,name={spoilt.image}:1,push=true"
    step = spoilt.step(outputs=lines("type=local,dest=out", images) if push else "type=local,dest=out")
    assert step.code == int(push)
    assert not step.outputs.get("digest")
    assert "at /buildx.build.ref: expected a build reference" in said(step.log, "error" if push else "warning")[0]


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        *(("push", fault) for fault in FAULTS),
        # Each kind with a fault in what says its digest and in what says its image ID, each fault with several kinds.
        *(("index", fault) for fault in ("digest", "config")),
        *(("load", fault) for fault in ("descriptor", "config")),
        *(("oci", fault) for fault in ("digest", "config")),
        *(("default", fault) for fault in ("responses", "config")),
    ],
)
def test_the_record_tells_the_digest_and_the_image_id_that_a_faulty_response_does_not(
    spoilt: Workplace, kind: str, fault: str
) -> None:
    change(spoilt, FAULTS[fault])
    ways = {
        "push": {"push": "true", "tags": f"{spoilt.image}:1", "provenance": "false"},
        "index": {"push": "true", "tags": f"{spoilt.image}:1", "provenance": "mode=max"},
        "load": {"load": "true", "tags": f"{spoilt.image}:1"},
        "oci": {"outputs": "type=oci,dest=a.tar", "provenance": "false"},
        "default": {"tags": f"{spoilt.image}:1"},
    }
    step = spoilt.step(require_digests="true", **ways[kind])
    assert step.code == 0, step.log
    (warning,) = said(step.log, "warning")
    assert "; no digest depends on that" in warning
    if kind == "oci":
        assert step.outputs["digest"] == tar_digest(spoilt.folder / "a.tar")
        assert step.outputs["imageid"] == tar_config(spoilt.folder / "a.tar")
        return
    image = json.loads(spoilt.docker("image", "inspect", f"{spoilt.image}:1"))[0]
    assert step.outputs["digest"] == image["Descriptor"]["digest"]
    assert step.outputs["imageid"] == image["Id"]
    if kind in {"push", "index"}:
        assert step.outputs["digest"] == served_digest(spoilt.image, "1")


def test_in_a_bake_the_record_tells_the_digest_that_a_faulty_response_does_not(spoilt: Workplace) -> None:
    targets = {name: {"output": [f"type=image,name={spoilt.image}:{name},push=true"]} for name in ("api", "web")}
    (spoilt.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
    change(spoilt, FAULTS["digest"], "web")
    step = spoilt.bake_step(source=".", targets="api,web", require_digests="true")
    assert step.code == 0, step.log
    served = {name: {"0": served_digest(spoilt.image, name)} for name in targets}
    assert json.loads(step.outputs["digests"]) == served
    (warning,) = said(step.log, "warning")
    assert warning.startswith("target web: ")
    assert "at /web/containerimage.digest: expected a digest" in warning


@pytest.mark.parametrize("fault", FAULTS)
def test_of_several_images_the_record_tells_each_ones_digest_whatever_the_merged_response_says(
    spoilt: Workplace, fault: str
) -> None:
    change(spoilt, FAULTS[fault])
    step = spoilt.step(
        outputs=lines(f"type=image,name={spoilt.image}:1,push=true,id=release", "type=oci,dest=a.tar"),
        require_digests="true",
    )
    assert step.code == 0, step.log
    assert step.digests == {"release": served_digest(spoilt.image, "1"), "1": tar_digest(spoilt.folder / "a.tar")}
    (warning,) = said(step.log, "warning")
    assert "; no digest depends on that" in warning


@pytest.mark.parametrize(
    "inputs", [{"outputs": "type=local,dest=out"}, {"outputs": "type=cacheonly"}, {"call": "check"}]
)
def test_where_there_is_no_digest_to_derive_no_fault_fails_the_step(spoilt: Workplace, inputs: dict[str, str]) -> None:
    change(spoilt, {"buildx.build.ref": "x", "containerimage.digest": "latest"})
    step = spoilt.step(**inputs)
    assert step.code == 0, step.log
    assert not step.outputs.get("digest")
    assert said(step.log, "error") == []
    assert "buildx.build.ref: expected a build reference" in said(step.log, "warning")[0]


def test_in_the_terminal_a_deviation_is_a_warning_too(spoilt: Workplace) -> None:
    change(spoilt, {"cache.manifest": "latest"})
    done = spoilt.python(
        *("-m", "action", "build", "--require-digests", "--format", "json", "--"),
        *("--metadata-file", "m.json", "--push", "-t", f"{spoilt.image}:1", "."),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["digest"] == served_digest(spoilt.image, "1")
    expected = "warning: the metadata file is not as its schema says at /cache.manifest; these places are ignored"
    assert expected in done.stderr
    push = ("--push", "-t", f"{spoilt.image}:1")
    inspected = spoilt.python("-m", "action", "inspect", "m.json", *push, "--format", "json")
    assert inspected.returncode == 0, inspected.stderr
    assert json.loads(inspected.stdout)["digest"] == served_digest(spoilt.image, "1")
    assert expected in inspected.stderr
