"""Metadata files with a fault in one place: what a digest is derived from may fail a step, and nothing else may.

The real buildx writes no such file: the build is real, and a place of its file is changed afterwards.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import pytest

from tests.engine.conftest import Workplace, fake_docker, lines
from tests.engine.other_end import served_digest, tar_digest

CHANGE = """
import json, sys
value = json.load(open(sys.argv[1]))
for target, members in json.load(open("change.json")).items():
    (value[target] if target else value).update(members)
json.dump(value, open(sys.argv[1], "w"), indent=1)
"""
DEVIATIONS = {
    "cache.manifest": "latest",
    "buildx.build.provenance": ["x"],
    "buildx.build.provenance/linux/amd64": 1,
    "buildx.build.warnings": "none",
    "image.name": ["a"],
    "CacheExporterResponses": {"0": 1},
}


@pytest.fixture
def spoilt(work: Workplace) -> Workplace:
    """A workplace whose metadata files are changed by `change.json`: target, or empty for a build, to members."""
    (work.folder / "change.py").write_text(CHANGE)
    path = 'for a; do [ "$p" = --metadata-file ] && m=$a; p=$a; done'
    change = f'[ -n "$m" ] && [ $code = 0 ] && {sys.executable} -I change.py "$m"'
    fake_docker(work, f'"$REAL" "$@"; code=$?; {path}; {change}; exit $code')
    work.spoils_metadata = True
    return work


def change(work: Workplace, members: Mapping[str, object], target: str = "") -> None:
    (work.folder / "change.json").write_text(json.dumps({target: members}))


def said(log: str, kind: str) -> list[str]:
    return [line.removeprefix(f"::{kind}::") for line in log.splitlines() if line.startswith(f"::{kind}::")]


@pytest.mark.parametrize("key", DEVIATIONS)
def test_a_deviation_that_no_digest_is_derived_from_is_a_warning_and_metadata_stay_as_they_are(
    spoilt: Workplace, key: str
) -> None:
    change(spoilt, {key: DEVIATIONS[key]})
    step = spoilt.step(push="true", tags=f"{spoilt.image}:1", require_digests="true")
    assert step.code == 0, step.log
    assert step.outputs["digest"] == served_digest(spoilt.image, "1")
    assert step.digests == {"0": served_digest(spoilt.image, "1")}
    (warning,) = said(step.log, "warning")
    assert f"the metadata file is not as its schema says at /{key.replace('/', '~1')};" in warning
    assert json.loads(step.outputs["metadata"])[key] == DEVIATIONS[key]
    assert step.outputs["metadata"].startswith('{\n "')
    file = spoilt.folder / "metadata.json"
    file.write_text(step.outputs["metadata"])
    done = spoilt.python("-m", "action", "validate", str(file))
    assert done.returncode == 1
    assert f"metadata.json: at /{key.replace('/', '~1')}" in done.stdout


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
    assert " and 1 more; no digest depends on that" in warning


def test_a_fault_in_one_target_fails_the_step_and_costs_no_other_its_digest(spoilt: Workplace) -> None:
    targets = {name: {"output": [f"type=image,name={spoilt.image}:{name},push=true"]} for name in ("api", "db", "web")}
    (spoilt.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
    change(spoilt, {"containerimage.digest": "latest"}, "db")
    step = spoilt.bake_step(source=".", targets="web,api,db")
    assert step.code == 1
    assert json.loads(step.outputs["digests"]) == {
        "api": {"0": served_digest(spoilt.image, "api")},
        "db": {},
        "web": {"0": served_digest(spoilt.image, "web")},
    }
    (error,) = said(step.log, "error")
    assert error.startswith("target db: ")
    assert "at /db/containerimage.digest: expected a digest" in error


@pytest.mark.parametrize(
    "members",
    [
        {"containerimage.digest": "latest"},
        {"containerimage.config.digest": 1, "containerimage.descriptor": None},
        {"exporter.responses": {"release": {}}},
        {"buildx.build.ref": "no reference"},
    ],
)
def test_a_fault_that_the_digest_of_the_only_image_is_derived_from_fails_the_step(
    spoilt: Workplace, members: dict[str, object]
) -> None:
    change(spoilt, members)
    step = spoilt.step(push="true", tags=f"{spoilt.image}:1")
    assert step.code == 1
    assert not step.outputs.get("digest")
    (error,) = said(step.log, "error")
    assert any(f"at /{key}: expected" in error for key in members)
    assert json.loads(step.outputs["metadata"]).items() >= members.items()


@pytest.mark.parametrize("provenance", ["false", "mode=max"])
@pytest.mark.parametrize("kind", ["push", "load", "oci"])
def test_a_faulty_descriptor_costs_at_most_what_it_says(spoilt: Workplace, kind: str, provenance: str) -> None:
    change(spoilt, {"containerimage.descriptor": {"mediaType": "", "digest": "latest"}})
    ways = {
        "push": {"push": "true", "tags": f"{spoilt.image}:1"},
        "load": {"load": "true", "tags": f"{spoilt.name}:1"},
        "oci": {"outputs": "type=oci,dest=a.tar"},
    }
    step = spoilt.step(provenance=provenance if kind != "load" else "false", **ways[kind])
    assert step.code == 0, step.log
    assert "at /containerimage.descriptor; no digest depends on that" in said(step.log, "warning")[0]
    if kind == "push":
        truth = served_digest(spoilt.image, "1")
    elif kind == "oci":
        truth = tar_digest(spoilt.folder / "a.tar")
    else:
        truth = json.loads(spoilt.docker("image", "inspect", f"{spoilt.name}:1"))[0]["Descriptor"]["digest"]
    assert step.outputs["digest"] == truth


@pytest.mark.parametrize(
    "members", [{"containerimage.digest": "latest"}, {"exporter.responses": [1]}, {"containerimage.config.digest": ""}]
)
def test_of_several_images_the_record_tells_each_ones_digest_whatever_the_merged_response_says(
    spoilt: Workplace, members: dict[str, object]
) -> None:
    change(spoilt, {**members, "containerimage.descriptor": 1})
    step = spoilt.step(
        outputs=lines(f"type=image,name={spoilt.image}:1,push=true,id=release", "type=oci,dest=a.tar"),
        require_digests="true",
    )
    assert step.code == 0, step.log
    assert step.digests == {"release": served_digest(spoilt.image, "1"), "1": tar_digest(spoilt.folder / "a.tar")}
    assert [warning for warning in said(step.log, "warning") if "no digest depends on that" in warning]


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
    expected = "warning: the metadata file is not as its schema says at /cache.manifest; no digest depends on that"
    assert expected in done.stderr
    push = ("--push", "-t", f"{spoilt.image}:1")
    inspected = spoilt.python("-m", "action", "inspect", "m.json", *push, "--format", "json")
    assert inspected.returncode == 0, inspected.stderr
    assert json.loads(inspected.stdout)["digest"] == served_digest(spoilt.image, "1")
    assert expected in inspected.stderr
