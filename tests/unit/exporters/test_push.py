"""What was pushed, as far as the builder and its image store let it be."""

from __future__ import annotations

import pytest

from action.exporters.attribution import attribute
from action.exporters.build_evidence import BuildEvidence
from action.exporters.output import parse_outputs
from action.exporters.requested import requested_exporters
from action.oci.image import Image
from tests.unit.exporters.test_imageid import INDEX, MANIFEST, A, B, C, image, recorded, requested, response


@pytest.mark.parametrize(
    ("output", "docker", "classic", "pushed"),
    [
        ("type=image,name=a,push=true", True, True, True),
        ("type=image,name=a,push=", True, True, False),
        ("type=image,name=a,push=", True, False, True),
        ("type=image,name=a,push=", False, False, True),
        ("type=registry,name=a,push=", True, True, True),
        ("type=docker,name=a,push=true", True, True, True),
        ("type=docker,name=a,push=true", True, False, True),
        ("type=docker,name=a,push=", True, True, False),
        ("type=docker,name=a,push=", True, False, True),
        ("type=docker,name=a,push=true", False, False, False),
        ("type=docker,name=a,push=", False, False, False),
    ],
)
def test_the_builder_decides_what_a_push_attribute_means(
    output: str, *, docker: bool, classic: bool, pushed: bool
) -> None:
    metadata = response(C, C, None) if classic else response(A, C, MANIFEST)
    (exporter,) = attribute(requested(output), BuildEvidence(metadata, docker=docker)).exporters
    assert exporter.push is pushed


def test_a_push_input_gives_the_attribute_its_value() -> None:
    (exporter,) = attribute(
        requested("type=image,name=a,push=", push=True), BuildEvidence(response(C, C, None), docker=True)
    ).exporters
    assert exporter.push


def test_an_empty_push_beside_files_is_none_where_the_record_holds_a_config() -> None:
    asked = requested("type=image,name=a,push=", "type=image,name=b,push=true")
    made = recorded(("image", {"name": "a"}, Image(imageid=C)), ("image", {"name": "b"}, Image(imageid=C)))
    assert [each.push for each in attribute(asked, BuildEvidence(record=made, docker=True)).exporters] == [False, True]


def test_an_image_that_was_loaded_beside_the_pushed_one_is_not_pushed() -> None:
    made = recorded(
        ("image", {"name": "a", "push": "true"}, image(A, INDEX)), ("image", {"name": "a"}, image(B, INDEX))
    )
    asked = requested_exporters(parse_outputs(()), tags=("a",), push=True, load=True)
    exporters = attribute(asked, BuildEvidence(record=made, docker=True)).exporters
    assert [(each.push, each.digest) for each in exporters] == [(True, A), (False, B)]
