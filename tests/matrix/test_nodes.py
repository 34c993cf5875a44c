"""A builder of several nodes: buildx joins the images of one output, and each node pushes its own of any other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from engine.errors import EngineError
from tests.engine.conftest import Workplace, lines, workplace
from tests.engine.other_end import image_manifests, served
from tests.matrix.engines import Engine, started

pytestmark = pytest.mark.timeout(3600)

_PLATFORMS = "linux/amd64,linux/arm64"


@pytest.fixture(scope="module")
def environment(registry: str) -> Iterator[Mapping[str, str]]:
    try:
        with started(Engine("0.38", driver="remote", buildkit="0.34", nodes=2), registry) as docker:
            yield docker.environment
    except EngineError as error:
        pytest.skip(f"no builder of two nodes: {error}")


@pytest.fixture
def nodes(tmp_path: Path, environment: Mapping[str, str], registry: str) -> Workplace:
    """A folder, and a builder with a node for each of two platforms."""
    return workplace(tmp_path, environment, registry)


def count(image: str, tag: str) -> int:
    """How many platforms a registry serves for a tag."""
    _, document = served(image, tag)
    return len(image_manifests(document)) if "manifests" in document else 1


@pytest.mark.parametrize("provenance", ["false", "mode=max"])
def test_of_two_pushed_images_only_the_joined_one_has_a_digest(nodes: Workplace, provenance: str) -> None:
    # Names in one repository: buildx looks for what the nodes pushed last in the repository of the first output.
    step = nodes.step(
        platforms=_PLATFORMS,
        outputs=lines(
            f"type=image,name={nodes.image}:1,push=true,id=release", f"type=image,name={nodes.image}:2,push=true"
        ),
        provenance=provenance,
    )
    assert step.code == 0, step.log
    digest, _ = served(nodes.image, "1")
    assert count(nodes.image, "1") == 2
    # The second name leads to what one of the nodes made.
    assert count(nodes.image, "2") == 1
    assert step.digests == {"release": digest}
    assert step.outputs["digest"] == step.outputs["imageid"] == digest
    assert json.loads(step.outputs["refs"]) == [f"{nodes.image}@{digest}"]
    assert "::warning::exporter 1 has no digest: several nodes built it, and buildx joins" in step.log


def test_an_image_that_is_kept_in_front_takes_no_digest_of_the_pushed_one(nodes: Workplace) -> None:
    step = nodes.step(
        platforms=_PLATFORMS,
        outputs=lines(f"type=image,name={nodes.image}:1", f"type=image,name={nodes.image}:2,push=true,id=release"),
    )
    assert step.code == 0, step.log
    assert count(nodes.image, "2") == 2
    assert step.digests == {"release": served(nodes.image, "2")[0]}
    assert "digest" not in step.outputs


@pytest.mark.parametrize("beside", ["", "type=image,name=IMAGE:2,push=true,id=release"])
def test_a_push_without_a_value_is_joined_by_nobody(nodes: Workplace, beside: str) -> None:
    outputs = [f"type=image,name={nodes.image}:1,push=", *([beside.replace("IMAGE", nodes.image)] if beside else [])]
    step = nodes.step(platforms=_PLATFORMS, outputs=lines(*outputs))
    assert step.code == 0, step.log
    assert count(nodes.image, "1") == 1
    assert step.digests == ({"release": served(nodes.image, "2")[0]} if beside else {})
    assert served(nodes.image, "1")[0] not in step.outputs["exporters"] + step.outputs["refs"]


def test_a_bake_gives_no_nodes_digest_either(nodes: Workplace) -> None:
    (nodes.folder / "docker-bake.hcl").write_text(
        f"""
        target "default" {{
          platforms = ["linux/amd64", "linux/arm64"]
          output = ["type=image,name={nodes.image}:1,push=true", "type=image,name={nodes.image}:2,push=true"]
        }}
        """
    )
    step = nodes.bake_step(source=".")
    assert step.code == 0, step.log
    assert json.loads(step.outputs["digests"]) == {"default": {"0": served(nodes.image, "1")[0]}}


def test_verify_does_not_accept_the_others(nodes: Workplace) -> None:
    step = nodes.step(
        platforms=_PLATFORMS,
        outputs=lines(f"type=image,name={nodes.image}:1,push=true", f"type=image,name={nodes.image}:2,push=true"),
        verify="true",
    )
    assert step.code == 1
    assert "::error::exporter 1 (image) is not verified: it has no digest that could be verified" in step.log
    assert step.digests == {"0": served(nodes.image, "1")[0]}
