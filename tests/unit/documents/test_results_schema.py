"""The models of the results document and of `digests`, and the schemas that are generated from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from action.documents.results_schema import GENERATED, generated_text, main
from action.documents.schema import faults, schema_text
from action.oci.models import first_problem
from action.results import BakeResults, BuildResults, Digests

FOLDER = Path(__file__).parent
BUILD = json.loads((FOLDER / "valid/results/build.json").read_text(encoding="utf-8"))
DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_a_published_schema_is_the_one_that_the_models_make(name: str) -> None:
    assert schema_text(name) == generated_text(name), "run: make schemas"


def test_make_schemas_writes_each_generated_schema(tmp_path: Path) -> None:
    main(tmp_path)
    assert {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()} == {
        f"{name}.schema.json": schema_text(name) for name in ("digests", "results")
    }


def _changed(place: str, value: object) -> Any:  # noqa: ANN401  # JSON
    """Return a results document with one value replaced, or removed with `...`."""
    document = json.loads(json.dumps(BUILD))
    *path, last = (int(part) if part.isdecimal() else part for part in place.split("/"))
    owner: Any = document
    for part in path:
        owner = owner[part]
    if value is ...:
        del owner[last]
    else:
        owner[last] = value
    return document


def _each(place: str, *values: object) -> list[tuple[str, object]]:
    return [(place, value) for value in values]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *((name, ...) for name in ("ref", "digest", "imageid", "exporters")),
        *((f"exporters/0/{name}", ...) for name in ("key", "index", "id", "type", "names", "push", "dest", "digest")),
        *((f"exporters/0/{name}", ...) for name in ("imageid", "descriptor", "platforms", "evidence")),
        *((f"exporters/0/descriptor/{name}", ...) for name in ("mediaType", "digest", "size")),
        *((f"exporters/0/platforms/0/{name}", ...) for name in ("platform", "digest", "imageid")),
        *_each("digest", "sha256:" + "a" * 63, "sha256:" + "A" * 64, DIGEST + "\n", "latest", ""),
        *_each("digest", "a:" + "b" * 255, {}, 1),
        *((f"exporters/0/{name}", "sha256:1") for name in ("digest", "imageid")),
        *((f"exporters/0/platforms/0/{name}", "sha256:1") for name in ("digest", "imageid")),
        ("exporters/0/platforms/0/digest", None),
        ("exporters/0/descriptor/digest", None),
        *_each("exporters/0/descriptor/size", -1, "1", 1.5, None),
        *_each("exporters/0/index", -1, "1", 1.5, None),
        *_each("exporters/0/key", "", "a b", "a\n", "a/b", None, 1),
        *_each("exporters/0/id", "", "12", "a b", "a\n", 1),
        *_each("exporters/0/push", 0, 1, "true", None),
        *_each("exporters/0/evidence", "guess", "", 1),
        *_each("exporters/0/names", "app", None, {}),
        *_each("exporters/0/type", "", None, 1),
        *_each("ref", "a/b", "a/b/c/d", "a/b/c\n", "a/b/ c", 1),
        *_each("version", 2, "1", None),
        ("exporters/0/names/0", 1),
        *((name, True) for name in ("digest", "exporters/0/descriptor/size", "exporters/0/index", "version")),
        ("exporters", {}),
        ("exporters/0", []),
        ("exporters/0/descriptor", []),
        ("exporters/0/platforms", None),
    ],
)
def test_model_and_schema_refuse_the_same_place(place: str, value: object) -> None:
    document = _changed(place, value)
    pointer = "/" + place if value is not ... else "/".join(["", *place.split("/")[:-1]])
    assert {fault.pointer for fault in faults(document, "results", "x")} == {pointer}
    with pytest.raises(ValidationError) as raised:
        BuildResults.model_validate(document)
    assert first_problem(raised.value)[0] == pointer
    bake = {"version": 1, "targets": {"web": document}}
    assert {fault.pointer for fault in faults(bake, "results", "x")} == {f"/targets/web{pointer}"}
    with pytest.raises(ValidationError):
        BakeResults.model_validate_json(json.dumps(bake))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *_each("digest", None, DIGEST, "sha512:" + "B" * 128, "a:" + "b" * 254),
        *((f"exporters/0/{name}", None) for name in ("id", "dest", "digest", "imageid", "descriptor", "evidence")),
        *((f"exporters/0/platforms/0/{name}", None) for name in ("platform", "imageid")),
        *_each("exporters/0/id", "a", "1a", "a1", "1.", "_", "-"),
        ("exporters/0/descriptor/size", 0),
        ("exporters/0/descriptor/annotations", {"a": "b"}),
        ("exporters/0/platforms", []),
        ("exporters", []),
        ("ref", None),
        ("new", {"a": [1]}),
        ("exporters/0/new", None),
    ],
)
def test_model_and_schema_accept_the_same_document(place: str, value: object) -> None:
    document = _changed(place, value)
    assert list(faults(document, "results", "x")) == []
    BuildResults.model_validate(document)
    BuildResults.model_validate_json(json.dumps(document))


def test_a_results_document_is_read_into_the_models_and_written_again_without_change() -> None:
    known = json.loads(json.dumps(BUILD))
    for exporter in known["exporters"]:
        if exporter["descriptor"]:
            exporter["descriptor"] = {key: exporter["descriptor"][key] for key in ("mediaType", "digest", "size")}
    results = BuildResults.model_validate(BUILD)
    known["caches"] = known.get("caches", [])
    for exporter in known["exporters"]:
        for described in (exporter, *exporter["platforms"]):
            described.setdefault("size", None)
    assert json.loads(results.model_dump_json()) == known
    bake = BakeResults(targets={"web": results})
    assert json.loads(bake.model_dump_json()) == {"version": 1, "targets": {"web": known}}


def test_results_cannot_be_changed() -> None:
    results = BuildResults.model_validate(BUILD)
    with pytest.raises(ValidationError, match="frozen"):
        results.digest = DIGEST


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"release": DIGEST, "1": "sha512:" + "b" * 128}, None),
        ({"web": {"release": DIGEST}, "api": {}}, None),
        ({}, None),
        ([], ""),
        ({"release": None}, "/release"),
        ({"release": "latest"}, "/release"),
        ({"web": {"release": 1}}, "/web/release"),
        ({"web": {"a b": DIGEST}}, "/web"),
        ({"web": {"a\n": DIGEST}}, "/web"),
    ],
)
@pytest.mark.parametrize("read", [Digests.model_validate, lambda value: Digests.model_validate_json(json.dumps(value))])
def test_the_model_of_digests_accepts_what_its_schema_accepts(
    document: object, pointer: str | None, read: Callable[[object], Digests]
) -> None:
    assert {fault.pointer for fault in faults(document, "digests", "x")} == (set() if pointer is None else {pointer})
    if pointer is None:
        assert read(document).root == document
    else:
        with pytest.raises(ValidationError):
            read(document)


def test_the_digests_and_image_ids_of_a_bake_are_by_target_and_key() -> None:
    digest, other = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    exporter = {
        "key": "release",
        "index": 0,
        "id": "release",
        "type": "image",
        "names": [],
        "push": True,
        "dest": None,
        "digest": digest,
        "imageid": other,
        "descriptor": None,
        "platforms": [],
        "evidence": "record",
    }
    files = {**exporter, "key": "1", "index": 1, "id": None, "type": "local", "digest": None, "imageid": None}
    build = {"version": 1, "ref": None, "digest": digest, "imageid": other, "exporters": [exporter, files]}
    bake = BakeResults.model_validate_json(json.dumps({"version": 1, "targets": {"web": build}}))
    assert bake.digests == {"web": {"release": digest}}
    assert bake.imageids == {"web": {"release": other}}
