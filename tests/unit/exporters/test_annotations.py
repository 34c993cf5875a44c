"""buildx overwrites an output's own annotations with those of the whole build."""

from __future__ import annotations

import pytest

from action.exporters.attribution import attribute
from action.exporters.build_evidence import BuildEvidence
from action.exporters.output import parse_outputs
from action.exporters.requested import Requested, requested_exporters
from action.oci.image import Image
from tests.unit.exporters.test_imageid import A, B, recorded

_OUTPUTS = ("type=image,name=a,annotation-manifest.k=own", "type=oci,dest=x")


def asked(*annotations: str) -> Requested:
    return requested_exporters(parse_outputs(_OUTPUTS), annotations=annotations)


def digests(requested: Requested, attributes: dict[str, str]) -> dict[str, str | None]:
    made = recorded(("image", {"name": "a", **attributes}, Image(A)), ("oci", {}, Image(B)))
    return {each.key: each.digest for each in attribute(requested, BuildEvidence(record=made)).exporters}


@pytest.mark.parametrize("annotation", ["manifest:k=v", "index,manifest:k=v"])
def test_an_annotation_that_was_overwritten_costs_no_digest(annotation: str) -> None:
    assert digests(asked(annotation), {"annotation-manifest.k": "v"}) == {"0": A, "1": B}


def test_a_platform_of_an_annotation_may_be_written_in_another_way() -> None:
    outputs = parse_outputs(["type=image,name=a,annotation-manifest[linux/arm64/v8].k=own", "type=oci,dest=x"])
    requested = requested_exporters(outputs, annotations=("manifest[linux/arm64/v8]:k=v",))
    recorded_attributes = {"annotation-manifest[linux/arm64/v8].k": "v", "annotation-manifest[linux/arm64].k": "v"}
    assert digests(requested, recorded_attributes) == {"0": A, "1": B}


@pytest.mark.parametrize("annotation", ["k=v", "manifest:other=v", "manifest-descriptor:k=v"])
def test_an_annotation_that_nobody_overwrote_still_tells_exporters_apart(annotation: str) -> None:
    assert digests(asked(annotation), {"annotation-manifest.k": "another"})["0"] is None


@pytest.mark.parametrize("name", ["prefer-image-digest", "buildinfo-attrs", "push-by-digest", "unpack", "push"])
def test_an_attribute_that_buildx_sets_itself_costs_no_digest(name: str) -> None:
    requested = requested_exporters(parse_outputs([f"type=image,name=a,{name}=false", "type=oci,dest=x"]))
    assert digests(requested, {name: "true"}) == {"0": A, "1": B}
