"""A builder of several nodes: buildx merges the images of one output only; each node pushes its own for the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from engine import EngineError
from tests.engine.conftest import Workplace, lines
from tests.engine.other_end import image_manifests, served
from tests.matrix.conftest import MakeWorkplace
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
def nodes(environment: Mapping[str, str], make_workplace: MakeWorkplace) -> Workplace:
    """Return a folder, and a builder with one node for each of two platforms."""
    return make_workplace(environment)


def count(image: str, tag: str) -> int:
    """Return the number of platforms that a registry serves for a tag."""
    _, document = served(image, tag)
    return len(image_manifests(document)) if "manifests" in document else 1


@pytest.mark.parametrize("provenance", ["false", "mode=max"])
def test_of_two_pushed_images_only_the_merged_one_has_a_digest(nodes: Workplace, provenance: str) -> None:
    # Both names are in one repository, because buildx reads what the nodes pushed from the first output's repository.
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
    # Both nodes pushed the second name, so it refers to the image of the node that pushed last.
    assert count(nodes.image, "2") == 1
    assert step.digests == {"release": digest}
    assert step.outputs["digest"] == step.outputs["imageid"] == digest
    assert json.loads(step.outputs["refs"]) == [f"{nodes.image}@{digest}"]
    assert "::warning::exporter 1 has no digest: several nodes built it, and buildx merges" in step.log


def test_an_unpushed_image_in_front_of_the_pushed_one_does_not_get_its_digest(nodes: Workplace) -> None:
    step = nodes.step(
        platforms=_PLATFORMS,
        outputs=lines(f"type=image,name={nodes.image}:1", f"type=image,name={nodes.image}:2,push=true,id=release"),
    )
    assert step.code == 0, step.log
    assert count(nodes.image, "2") == 2
    assert step.digests == {"release": served(nodes.image, "2")[0]}
    assert "digest" not in step.outputs


@pytest.mark.parametrize("beside", ["", "type=image,name=IMAGE:2,push=true,id=release"])
def test_buildx_does_not_merge_the_images_of_a_push_without_a_value(nodes: Workplace, beside: str) -> None:
    outputs = [f"type=image,name={nodes.image}:1,push=", *([beside.replace("IMAGE", nodes.image)] if beside else [])]
    step = nodes.step(platforms=_PLATFORMS, outputs=lines(*outputs))
    assert step.code == 0, step.log
    assert count(nodes.image, "1") == 1
    assert step.digests == ({"release": served(nodes.image, "2")[0]} if beside else {})
    assert served(nodes.image, "1")[0] not in step.outputs["exporters"] + step.outputs["refs"]


def test_a_bake_does_not_report_the_digest_of_a_single_node_either(nodes: Workplace) -> None:
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


def test_verify_fails_for_an_image_that_buildx_does_not_merge(nodes: Workplace) -> None:
    step = nodes.step(
        platforms=_PLATFORMS,
        outputs=lines(f"type=image,name={nodes.image}:1,push=true", f"type=image,name={nodes.image}:2,push=true"),
        verify="true",
    )
    assert step.code == 1
    assert "::error::exporter 1 (image) is not verified: it has no digest that could be verified" in step.log
    assert step.digests == {"0": served(nodes.image, "1")[0]}
