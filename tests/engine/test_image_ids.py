"""`imageid`: what the engine that keeps the image finds it by, else what docker/build-push-action says.

docker/build-push-action gives what buildx writes to `--iidfile`: the config's digest if the response has one, and else
the digest (docker/buildx 0.38, commands/build.go, getImageID).
"""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.engine.conftest import Step, Workplace, lines, push_and_load
from tests.engine.other_end import served, served_digest, tar_config, tar_digest


def peers(step: Step) -> str:
    """What docker/build-push-action would say of the same build."""
    metadata = json.loads(step.outputs["metadata"])
    return str(metadata.get("containerimage.config.digest", metadata["containerimage.digest"]))


def is_known(work: Workplace, imageid: str) -> bool:
    """Whether the engine finds an image by an ID."""
    done = subprocess.run(
        ["docker", "image", "inspect", imageid], env=work.environment, capture_output=True, timeout=120, check=False
    )
    return done.returncode == 0


def inspected(work: Workplace, name: str) -> str:
    return work.docker("image", "inspect", "--format", "{{.Id}}", name)


_KEPT = [
    {"push": "true"},
    {"push": "true", "provenance": "false"},
    {"push": "true", "provenance": "mode=max"},
    {"load": "true"},
    {"load": "true", "provenance": "false"},
    {},
    {"provenance": "false"},
    {"push": "true", "platforms": "linux/amd64,linux/arm64"},
    {"push": "true", "platforms": "linux/amd64,linux/arm64", "provenance": "false"},
]


@pytest.mark.parametrize("inputs", _KEPT, ids=lambda inputs: ",".join(f"{k}={v}" for k, v in inputs.items()) or "none")
def test_one_output_that_the_engine_keeps_has_the_id_that_the_engine_finds(
    work: Workplace, inputs: dict[str, str]
) -> None:
    step = work.step(tags=f"{work.image}:1", **inputs)
    assert step.code == 0, step.log
    assert step.outputs["imageid"] == inspected(work, f"{work.image}:1")
    assert step.imageids == {"0": step.outputs["imageid"]}
    if inputs.get("push"):
        assert step.outputs["digest"] == served_digest(work.image, "1")
    # buildx before 0.36 names the config here, which no program finds an image by (docker/buildx, build/opt.go).
    assert step.outputs["imageid"] == peers(step) or not is_known(work, peers(step))


def test_push_with_load_gives_each_the_id_that_the_engine_finds(work: Workplace) -> None:
    step = push_and_load(work, f"{work.image}:both")
    assert step.code == 0, step.log
    pushed, loaded = step.imageids["0"], step.imageids["1"]
    assert step.outputs["imageid"] == pushed == served_digest(work.image, "both")
    assert inspected(work, f"{work.image}:both") in {pushed, loaded}
    assert all(is_known(work, imageid) for imageid in (pushed, loaded))
    assert json.loads(step.outputs["refs"]) == [f"{work.image}@{pushed}"]


@pytest.mark.parametrize(
    ("output", "inputs"),
    [
        ("type=oci,dest=image.tar", {"provenance": "mode=max"}),
        ("type=oci,dest=image.tar", {"provenance": "mode=max", "platforms": "linux/amd64,linux/arm64"}),
        ("type=oci,dest=image.tar", {"provenance": "false"}),
        ("type=docker,dest=image.tar", {}),
        ("type=image,name=IMAGE,push=true,store=false", {"provenance": "false"}),
    ],
)
def test_one_output_that_no_engine_keeps_has_the_id_that_the_peer_gives(
    work: Workplace, output: str, inputs: dict[str, str]
) -> None:
    step = work.step(outputs=output.replace("IMAGE", f"{work.image}:1"), **inputs)
    assert step.code == 0, step.log
    assert step.outputs["imageid"] == peers(step)
    if "dest" in output and not inputs.get("provenance", "false").startswith("mode"):
        assert step.outputs["imageid"] == tar_config(work.folder / "image.tar")
    elif "dest" in output:
        assert step.outputs["imageid"] == tar_digest(work.folder / "image.tar")


def test_each_of_several_outputs_has_the_id_that_it_would_have_alone(work: Workplace) -> None:
    step = work.step(
        outputs=lines(
            "type=oci,dest=oci.tar", f"type=image,name={work.image}:1,push=true,id=release", "type=docker,dest=d.tar"
        ),
        provenance="false",
    )
    assert step.code == 0, step.log
    assert step.imageids == {
        "0": tar_config(work.folder / "oci.tar"),
        "release": inspected(work, f"{work.image}:1"),
        "2": tar_config(work.folder / "d.tar"),
    }
    # Both are of the first one.
    assert step.outputs["imageid"] == step.imageids["0"]
    assert step.outputs["digest"] == tar_digest(work.folder / "oci.tar")


@pytest.mark.parametrize("inputs", [{"push": "true"}, {"load": "true"}, {}, {"push": "true", "load": "true"}])
def test_the_classic_store_finds_an_image_by_its_config(classic: Workplace, inputs: dict[str, str]) -> None:
    step = classic.step(tags=f"{classic.image}:1", **inputs)
    assert step.code == 0, step.log
    assert step.outputs["imageid"] == inspected(classic, f"{classic.image}:1") == peers(step)
    assert set(step.imageids.values()) == {step.outputs["imageid"]}
    if "push" in inputs:
        digest, manifest = served(classic.image, "1")
        assert (step.outputs["digest"], step.outputs["imageid"]) == (digest, manifest["config"]["digest"])


def test_a_bake_gives_the_same_ids(work: Workplace) -> None:
    (work.folder / "docker-bake.hcl").write_text(f'target "default" {{ tags = ["{work.image}:1"] }}')
    step = work.bake_step(source=".", push="true", provenance="false")
    assert step.code == 0, step.log
    assert json.loads(step.outputs["imageids"]) == {"default": {"0": inspected(work, f"{work.image}:1")}}
