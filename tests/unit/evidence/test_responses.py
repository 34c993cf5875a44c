"""Responses of exporters, in each shape of the metadata file."""

from __future__ import annotations

import json
from pathlib import Path

from action.evidence.responses import Metadata, read_responses

FOLDER = Path(__file__).parents[1] / "documents"
DIGEST = "sha256:" + "a" * 64


def _response(name: str) -> Metadata:
    return read_responses(json.loads((FOLDER / f"valid/metadata/{name}.json").read_text()))


def test_the_flat_shape_is_one_merged_response() -> None:
    metadata = _response("flat")
    assert metadata.ref == "default/default/kjud1"
    assert metadata.separate is None
    assert metadata.merged.names == ("ghcr.io/o/app:1", "ghcr.io/o/app:latest")
    image = metadata.merged.image
    assert (image.digest, image.imageid) == ("sha256:" + "b" * 64, "sha256:" + "a" * 64)
    assert image.descriptor is not None
    assert image.descriptor.size == 855


def test_a_digest_that_is_the_configs_is_the_image_id() -> None:
    image = _response("flat-classic").merged.image
    assert (image.digest, image.imageid) == (None, "sha256:" + "f" * 64)


def test_an_index_that_is_called_the_configs_digest_too_has_a_digest_and_no_image_id() -> None:
    # buildx 0.13 fills in the config's digest after a push by the docker driver, also where the image is an index.
    image = _response("flat-config-is-index").merged.image
    assert (image.digest, image.imageid) == ("sha256:" + "e" * 64, None)


def test_the_list_shape_has_a_response_per_exporter() -> None:
    metadata = _response("list-2760")
    assert metadata.ref == "b/n/r"
    assert [(each.type, each.id, each.image.digest) for each in metadata.separate or ()] == [
        ("image", None, "sha256:" + "3" * 64),
        ("oci", None, "sha256:" + "4" * 64),
    ]
    assert metadata.merged.image.digest is None


def test_separate_responses_have_ids_types_and_maps() -> None:
    metadata = _response("separate-4532")
    assert [(each.id, each.type, each.image.digest) for each in metadata.separate or ()] == [
        ("release", "image", "sha256:" + "5" * 64),
        ("1", "oci", "sha256:" + "6" * 64),
    ]
    metadata = _response("separate-5586")
    assert [(each.id, each.type, each.image.digest) for each in metadata.separate or ()] == [
        ("release", "image", "sha256:" + "5" * 64),
        (None, "local", None),
        ("tar", "oci", "sha256:" + "6" * 64),
    ]


def test_a_descriptor_of_another_digest_is_not_taken() -> None:
    value = json.loads((FOLDER / "valid/metadata/flat.json").read_text())
    value["containerimage.digest"] = "sha256:" + "0" * 64
    image = read_responses(value).merged.image
    assert (image.digest, image.descriptor) == ("sha256:" + "0" * 64, None)


def test_an_empty_string_is_no_digest() -> None:
    read = read_responses({"buildx.build.ref": "", "containerimage.digest": ""})
    assert (read.ref, read.merged.image.digest, read.merged.image.imageid) == (None, None, None)
    listed = read_responses([{"exporter.id": "a", "containerimage.digest": DIGEST}])
    assert listed.separate is not None
    assert [(each.id, each.type, each.image.digest) for each in listed.separate] == [("a", None, DIGEST)]
