"""Documents against the schemas.

A new case is a new file: in `valid/SCHEMA`, or in `invalid/SCHEMA` with pointer and problem in a text file beside it.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from action.documents.schema import SCHEMAS, faults, guess_schema, schema_text
from action.evidence.metadata_file import read_metadata_file
from action.evidence.responses import Metadata, read_responses
from action.evidence.validation import validate_file
from action.results import BuildResults, ExporterResult, PlatformResult, ResultDescriptor
from tests.measured import measured

FOLDER = Path(__file__).parent
VALID = sorted(FOLDER.glob("valid/*/*.json"))
INVALID = sorted(FOLDER.glob("invalid/*/*.json"))


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", VALID, ids=_name)
def test_a_valid_document_has_no_fault_and_its_schema_is_found_out(path: Path) -> None:
    assert list(validate_file(path, None)) == []
    assert list(validate_file(path, path.parent.name)) == []
    assert guess_schema(json.loads(path.read_text())) == path.parent.name


@pytest.mark.parametrize("path", INVALID, ids=_name)
def test_an_invalid_document_has_its_fault_named_with_pointer_and_expectation(path: Path) -> None:
    pointer, problem = path.with_suffix(".txt").read_text().removesuffix("\n").split("\n")
    found = list(validate_file(path, path.parent.name))
    assert [fault.pointer for fault in found] == [pointer] * len(found)
    assert any(problem in fault.problem for fault in found), [fault.problem for fault in found]
    assert all(str(path) in str(fault) for fault in found)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_of_2020_12_and_has_an_id(name: str) -> None:
    schema = json.loads(schema_text(name))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(f"/schemas/{name}.schema.json")


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_typed_place_of_a_schema_says_what_is_expected_there(name: str) -> None:
    nameless = [
        place
        for place, node in _nodes(json.loads(schema_text(name)), "")
        if "type" in node and "description" not in node and not place.endswith(("/if", "/properties"))
    ]
    assert nameless == []


def _nodes(node: object, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        yield place, node
        for key, value in node.items():
            if key not in {"enum", "const", "required"}:
                yield from _nodes(value, f"{place}/{key}")


def test_the_results_models_have_the_members_of_the_schema() -> None:
    defs = json.loads(schema_text("results"))["$defs"]
    metadata = json.loads(schema_text("metadata"))["$defs"]
    assert (
        set(typing.get_type_hints(ExporterResult))
        == set(defs["exporter"]["required"])
        == set(defs["exporter"]["properties"])
    )
    assert set(typing.get_type_hints(BuildResults)) - {"version"} == set(defs["build"]["required"])
    platform = defs["exporter"]["properties"]["platforms"]["items"]
    assert set(typing.get_type_hints(PlatformResult)) == set(platform["required"])
    assert set(typing.get_type_hints(ResultDescriptor)) == set(metadata["descriptor"]["required"])


def test_a_results_document_reads_into_the_models_and_out_again() -> None:
    text = (FOLDER / "valid/results/build.json").read_bytes()
    value = json.loads(text)
    for exporter in value["exporters"]:
        if exporter["descriptor"]:
            exporter["descriptor"] = {key: exporter["descriptor"][key] for key in ("mediaType", "digest", "size")}
    assert json.loads(msgspec.json.encode(msgspec.json.decode(text, type=BuildResults))) == value


def test_at_most_a_hundred_faults_are_told() -> None:
    assert len(list(faults({str(number): "x" for number in range(1000)}, "digests", "x"))) == 100


@pytest.mark.parametrize(
    ("name", "before", "piece", "after"),
    [
        ("digests", "{", '"{}": "x", ', '"last": "x"}'),
        ("results", '{"version": 1, "targets": {', '"{}": {{}}, ', '"last": {}}}'),
        (
            "results",
            '{"version": 1, "ref": null, "digest": null, "imageid": null, "exporters": [',
            "{{}}, ",
            "{}]}",
        ),
        ("metadata", "[", '{{"containerimage.digest": {}}}, ', "{}]"),
        ("bake", "{", '"{}": {{"containerimage.digest": 1}}, ', '"last": {}}'),
    ],
    ids=["digests", "targets", "exporters", "responses", "bake"],
)
def test_a_document_of_nothing_but_faults_is_refused_within_3_s_and_400_mib(
    tmp_path: Path, name: str, before: str, piece: str, after: str
) -> None:
    file = tmp_path / "x.json"
    file.write_text(before + "".join(map(piece.format, range(240_000))) + after)
    found = measured(
        "from pathlib import Path; from action.evidence.validation import validate_file",
        f"print(len(list(validate_file(Path({str(file)!r}), {name!r}))))",
    )
    assert found.said == "100"
    assert found.seconds < 3
    assert found.memory < 400


@pytest.mark.parametrize("number", [1, 99, 100, 101, 1500])
def test_a_target_with_a_fault_is_never_believed_and_costs_no_other_however_many_there_are(
    tmp_path: Path, number: int
) -> None:
    bad = {f"t{place:03}": {"containerimage.digest": "latest"} for place in range(number)}
    good = {"containerimage.digest": "sha256:" + "a" * 64}
    file = tmp_path / "x.json"
    file.write_text(json.dumps({**bad, "zgood": good}))
    read = read_metadata_file(file, bake=True)
    assert [name for name, target in read.targets.items() if target.metadata.merged.image.digest] == ["zgood"]
    assert len(read.faults) == number


@pytest.mark.parametrize("value", [1, "x", None, {}, {"a": 1}, {"a": [1], "b": 2}])
def test_a_document_of_no_known_form_has_no_schema(value: object) -> None:
    assert guess_schema(value) is None


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
