"""Documents against the schemas.

A new case is a new file: in `valid/SCHEMA`, or in `invalid/SCHEMA` with pointer and problem in a text file beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from action.documents.schema import SCHEMAS, faults, guess_schema, schema_text
from action.evidence.validation import validate_file
from tests.measured import Measured, measured

FOLDER = Path(__file__).parent
DIGEST = "sha256:" + "a" * 64
VALID = sorted(FOLDER.glob("valid/*/*.json"))
INVALID = sorted(FOLDER.glob("invalid/*/*.json"))


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", VALID, ids=_name)
def test_a_valid_document_has_no_fault_and_its_schema_is_guessed(path: Path) -> None:
    assert list(validate_file(path, None)) == []
    assert list(validate_file(path, path.parent.name)) == []
    assert guess_schema(json.loads(path.read_text())) == path.parent.name


@pytest.mark.parametrize("path", INVALID, ids=_name)
def test_a_fault_is_reported_with_pointer_and_expectation(path: Path) -> None:
    pointer, problem = path.with_suffix(".txt").read_text().removesuffix("\n").split("\n")
    found = list(validate_file(path, path.parent.name))
    assert [fault.pointer for fault in found] == [pointer] * len(found)
    assert any(problem in fault.problem for fault in found), [fault.problem for fault in found]
    assert all(str(path) in str(fault) for fault in found)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_2020_12_with_an_id(name: str) -> None:
    schema = json.loads(schema_text(name))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(f"/schemas/{name}.schema.json")


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_typed_node_of_a_schema_has_a_description(name: str) -> None:
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


def test_at_most_a_hundred_faults_are_reported() -> None:
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
def test_the_time_to_refuse_a_document_grows_in_proportion_to_its_size_and_memory_stays_under_400_mib(
    tmp_path: Path, name: str, before: str, piece: str, after: str
) -> None:
    def refuse(count: int) -> Measured:
        file = tmp_path / "x.json"
        file.write_text(before + "".join(map(piece.format, range(count))) + after)
        return measured(
            "from pathlib import Path; from action.evidence.validation import validate_file",
            f"print(len(list(validate_file(Path({str(file)!r}), {name!r}))))",
        )

    small, large = refuse(15_000), refuse(120_000)
    assert small.said == large.said == "100"
    # Eight times the data takes eight times as long, and 64 times if the time grows with the square of the size.
    assert large.seconds < small.seconds * 24
    assert large.memory < 400


@pytest.mark.parametrize("value", [1, "x", None, {}, {"a": 1}, {"a": [1], "b": 2}])
def test_no_schema_is_guessed_for_a_document_of_unknown_form(value: object) -> None:
    assert guess_schema(value) is None


@pytest.mark.parametrize(
    "key",
    [
        *("buildx.build.ref", "containerimage.digest", "image.name", "cache.manifest", "result.json"),
        *("frontend.caps", "exporter.type", "exporterResponses", "ExporterResponses"),
    ],
)
def test_a_key_that_buildx_or_buildkit_writes_means_metadata(key: str) -> None:
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
def test_the_form_of_a_document_shows_its_schema(value: object, schema: str | None) -> None:
    assert guess_schema(value) == schema


@pytest.mark.parametrize(
    ("value", "found"),
    [({"a": 1}, "another"), ("x", "another"), ({}, "an empty object, which each of them can be")],
)
def test_the_fault_of_a_document_of_unknown_form_says_what_to_do(tmp_path: Path, value: object, found: str) -> None:
    file = tmp_path / "m.json"
    file.write_text(json.dumps(value))
    (fault,) = validate_file(file, None)
    rule = "name the schema, for example with --schema metadata"
    said = f"expected a metadata, bake, results or digests document, found {found}; {rule}"
    assert (str(fault), fault.pointer) == (f"{file}: at the top: {said}", "")


def test_a_missing_schema_is_reported_with_the_installation() -> None:
    with pytest.raises(FileNotFoundError, match=r"^schema none is missing from the installation at /.*/action$"):
        schema_text("none")


def write(folder: Path, value: object) -> Path:
    file = folder / "m.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return file


@pytest.mark.parametrize(("length", "end"), [(118, '"'), (119, "…")])
def test_an_unexpected_value_is_shown_up_to_a_maximum_length(tmp_path: Path, length: int, end: str) -> None:
    file = write(tmp_path, {"containerimage.digest": "é" * length})
    found = [str(fault) for fault in validate_file(file, "metadata")]
    assert found
    assert all(each.endswith(f'found "{"é" * length}"'[:126] + ("…" if end == "…" else "")) for each in found), found
