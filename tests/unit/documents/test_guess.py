"""Which schema a document is meant for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action.documents.schema import guess_schema, schema_text
from action.evidence.validation import validate_file

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    "key",
    [
        *("buildx.build.ref", "containerimage.digest", "image.name", "cache.manifest", "result.json"),
        *("frontend.caps", "exporter.type", "exporterResponses", "ExporterResponses"),
    ],
)
def test_a_key_that_buildx_or_buildkit_writes_is_one_of_metadata(key: str) -> None:
    assert guess_schema({key: 1}) == "metadata"
    assert guess_schema({"web": {key: "x"}}) == "bake"


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ({"buildx.build.warnings": []}, "metadata"),
        ({"web": {"x": 1}, "buildx.build.warnings": None}, "bake"),
        ({"web": [{}], "buildx.build.warnings": None}, "bake"),
        ({"web": {}}, "bake"),
        ({"web": {"x": 1}}, "bake"),
        ({"web": {"image": DIGEST}, "api": {}}, "bake"),
        ({"web": {"image": DIGEST}, "api": {"0": DIGEST}}, "digests"),
        ({"version": DIGEST}, "digests"),
        ({"targets": DIGEST}, "digests"),
        ({"version": {"image.name": "a"}}, "bake"),
        ({"version": 1, "targets": {}}, "results"),
        ({"version": 1, "exporters": []}, "results"),
        ({"version": 1}, None),
    ],
)
def test_the_form_of_a_document_says_what_it_is_meant_for(value: object, schema: str | None) -> None:
    assert guess_schema(value) == schema


@pytest.mark.parametrize("value", [{"a": 1}, "x", {}])
def test_a_document_of_no_known_form_is_named_with_what_to_do(tmp_path: Path, value: object) -> None:
    file = tmp_path / "m.json"
    file.write_text(json.dumps(value))
    (fault,) = validate_file(file, None)
    said = "expected a metadata, bake, results or digests document, found another; name it with --schema"
    assert (str(fault), fault.pointer) == (f"{file}: at the top: {said}", "")


def test_a_schema_that_is_not_there_is_named_with_the_installation() -> None:
    with pytest.raises(FileNotFoundError, match=r"^schema none is missing from the installation at /.*/action$"):
        schema_text("none")
