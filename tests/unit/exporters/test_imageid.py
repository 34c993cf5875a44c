"""The image ID: what `docker image inspect` finds on the engine that keeps the image, else buildx's own rule."""

from __future__ import annotations

import pytest

from action.evidence.record import Record, RecordedExporter
from action.evidence.responses import Metadata, Response
from action.exporters.attribution import attribute
from action.exporters.build_evidence import BuildEvidence
from action.exporters.output import parse_outputs
from action.exporters.requested import Requested, requested_exporters
from action.oci.image import Image, ManifestDescriptor, PlatformImage
from tests.unit.exporters.simulation import digest_of

A, B, C = (digest_of(name) for name in "abc")
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def requested(*outputs: str, push: bool = False, load: bool = False) -> Requested:
    return requested_exporters(parse_outputs(outputs), push=push, load=load)


def response(digest: str, config: str | None, media_type: str | None) -> Metadata:
    values: dict[str, object] = {"buildx.build.ref": "b/n/r", "containerimage.digest": digest}
    if config:
        values["containerimage.config.digest"] = config
    if media_type:
        values["containerimage.descriptor"] = {"mediaType": media_type, "digest": digest, "size": 1}
    return Metadata("b/n/r", Response(values))


def image(digest: str, media_type: str, config: str | None = None) -> Image:
    return Image(digest, config, ManifestDescriptor(media_type, digest, 1))


def recorded(*exporters: tuple[str, dict[str, str], Image]) -> Record:
    listed = tuple(RecordedExporter(kind, attributes) for kind, attributes, _ in exporters)
    return Record("record", "r", listed, {place: made for place, (_, _, made) in enumerate(exporters)}, {})


def imageids(asked: Requested, observed: BuildEvidence) -> dict[str, str | None]:
    return {each.key: each.imageid for each in attribute(asked, observed).exporters}


@pytest.mark.parametrize("output", ["type=image,name=a", "type=registry,name=a", "type=docker", "type=moby,name=a"])
def test_an_image_in_dockers_containerd_store_has_its_digest(output: str) -> None:
    observed = BuildEvidence(response(A, C, MANIFEST), docker=True)
    assert imageids(requested(output), observed) == {"0": A}


def test_an_image_that_docker_was_told_not_to_store_has_its_config() -> None:
    asked = requested("type=image,name=a,push=true,store=false")
    assert imageids(asked, BuildEvidence(response(A, C, MANIFEST), docker=True)) == {"0": C}


@pytest.mark.parametrize("output", ["type=oci,dest=a.tar", "type=docker,dest=a.tar"])
def test_a_tar_that_docker_writes_has_its_config(output: str) -> None:
    assert imageids(requested(output), BuildEvidence(response(A, C, MANIFEST), docker=True)) == {"0": C}


def test_an_image_in_dockers_classic_store_has_its_config() -> None:
    asked = requested("type=image,name=r/a,push=true")
    assert imageids(asked, BuildEvidence(response(A, C, None), docker=True)) == {"0": C}
    assert imageids(asked, BuildEvidence(response(C, C, None), docker=True)) == {"0": C}


def test_elsewhere_it_is_the_config_if_buildx_names_one_and_else_the_digest() -> None:
    asked = requested("type=image,name=a")
    assert imageids(asked, BuildEvidence(response(A, C, MANIFEST))) == {"0": C}
    assert imageids(asked, BuildEvidence(response(A, None, INDEX))) == {"0": A}
    assert imageids(asked, BuildEvidence(response(A, None, None))) == {"0": A}
    assert imageids(requested("type=image,name=a,push=true"), BuildEvidence(response(A, None, None))) == {"0": A}


def test_an_index_of_one_platform_in_a_tar_has_its_own_digest_as_buildx_says() -> None:
    index = Image(A, None, ManifestDescriptor(INDEX, A, 1), (PlatformImage("linux/amd64", B, C),))
    asked = requested("type=oci,dest=a.tar")
    assert imageids(asked, BuildEvidence(response(A, None, INDEX), artifacts={0: index})) == {"0": A}
    assert imageids(asked, BuildEvidence(artifacts={0: index})) == {"0": A}


def test_each_of_several_exporters_has_the_one_that_it_would_have_alone() -> None:
    asked = requested("type=oci,dest=a.tar", "type=oci,dest=b.tar", "type=image,name=a")
    made = recorded(
        ("oci", {}, image(A, INDEX)), ("oci", {}, image(B, MANIFEST, C)), ("image", {"name": "a"}, image(B, MANIFEST))
    )
    assert imageids(asked, BuildEvidence(record=made)) == {"0": A, "1": C, "2": C}
    assert imageids(asked, BuildEvidence(record=made, docker=True)) == {"0": A, "1": C, "2": B}


def test_a_manifest_whose_config_nobody_names_has_none() -> None:
    asked = requested("type=oci,dest=a.tar", "type=oci,dest=b.tar")
    made = recorded(("oci", {}, image(A, MANIFEST)), ("oci", {}, image(B, MANIFEST)))
    assert imageids(asked, BuildEvidence(record=made)) == {"0": None, "1": None}


@pytest.mark.parametrize(
    ("kind", "attributes"), [("oci", {}), ("docker", {"prefer-image-digest": "true"}), ("oci", {"context": "x"})]
)
def test_an_image_loaded_from_another_builder_into_a_containerd_store_has_its_digest(
    kind: str, attributes: dict[str, str]
) -> None:
    # buildx sends OCI to a Docker that takes it, one with the containerd store (buildx 0.38, build/opt.go).
    made = recorded(
        ("image", {"name": "a", "push": "true"}, image(A, MANIFEST, C)), (kind, attributes, image(B, MANIFEST, C))
    )
    pushed_and_loaded = requested("type=image,name=a", push=True, load=True)
    assert imageids(pushed_and_loaded, BuildEvidence(record=made)) == {"0": C, "1": B}
    written = requested("type=image,name=a,push=true", "type=docker")
    assert imageids(written, BuildEvidence(record=made)) == {"0": C, "1": B}


def test_an_image_loaded_from_another_builder_into_a_classic_store_has_its_config() -> None:
    made = recorded(
        ("image", {"name": "a", "push": "true"}, image(A, MANIFEST, C)), ("docker", {}, image(B, MANIFEST, C))
    )
    asked = requested("type=image,name=a", push=True, load=True)
    assert imageids(asked, BuildEvidence(record=made)) == {"0": C, "1": C}


def test_an_oci_tar_on_standard_output_is_not_a_loaded_image() -> None:
    asked = requested("type=oci", "type=image,name=a")
    made = recorded(("oci", {}, image(A, MANIFEST, C)), ("image", {"name": "a"}, image(B, MANIFEST, C)))
    assert imageids(asked, BuildEvidence(record=made)) == {"0": C, "1": C}
    assert imageids(asked, BuildEvidence(record=made, docker=True)) == {"0": C, "1": B}


def test_a_docker_exporter_in_the_record_of_a_docker_engine_wrote_a_tar() -> None:
    # `inspect` knows no path of it.
    asked = requested("type=docker", "type=image,name=a")
    made = recorded(("docker", {}, image(A, MANIFEST, C)), ("image", {"name": "a"}, image(B, MANIFEST, C)))
    assert imageids(asked, BuildEvidence(record=made, docker=True)) == {"0": C, "1": B}
