"""What is kept, distrusted and reported of a metadata file with faults in several places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action.documents.schema import faults
from action.evidence.metadata_file import read_metadata_file
from action.evidence.metadata_long import read_known, read_known_bake
from action.evidence.metadata_places import Judged, judge
from action.evidence.validation import validate_file

DIGEST = "sha256:" + "a" * 64
GOOD: dict[str, object] = {"buildx.build.ref": "b/n/r", "containerimage.digest": DIGEST}


def test_a_document_without_a_fault_is_kept_whole() -> None:
    assert judge(GOOD) == Judged(GOOD, distrusted=False)
    assert judge([GOOD, {"x": 1}]) == Judged([GOOD, {"x": 1}], distrusted=False)


@pytest.mark.parametrize(
    ("change", "ref"),
    [({"containerimage.digest": "latest"}, "b/n/r"), ({"buildx.build.ref": "no reference"}, None)],
)
def test_what_deviates_beside_a_fault_is_named_too(tmp_path: Path, change: dict[str, str], ref: str | None) -> None:
    file = tmp_path / "m.json"
    value = {**GOOD, **change, "cache.manifest": 1}
    file.write_text(json.dumps(value))
    read = read_metadata_file(file)
    assert (read.build.metadata.ref, read.build.metadata.merged.image.digest) == (ref, None)
    assert read.build.metadata.distrusted is (ref is not None)
    assert read.deviations == ("/cache.manifest",)
    file.write_text(json.dumps({"web": value, "ok": GOOD}))
    bake = read_metadata_file(file, bake=True)
    assert bake.deviations == ("/web/cache.manifest",)
    assert bake.targets["ok"].metadata.distrusted is False


@pytest.mark.parametrize("key", ["containerimage.digest", "image.name", "exporter.type", "exporter.id"])
def test_in_a_list_of_responses_each_key_that_tells_them_apart_is_distrusted(key: str) -> None:
    value = [{"buildx.build.ref": "b/n/r"}, {"exporter.type": "image", "containerimage.digest": DIGEST, key: 1}]
    assert judge(value) == Judged({"buildx.build.ref": "b/n/r"}, distrusted=True)


def test_a_faulty_reference_in_a_list_costs_all_and_is_no_deviation() -> None:
    assert judge([{"buildx.build.ref": "no reference"}, GOOD]) == Judged(None, distrusted=True)


@pytest.mark.parametrize("key", ["exporter.type", "exporter.id"])
def test_an_empty_type_or_id_is_none(key: str) -> None:
    assert judge({**GOOD, key: ""}).deviations == (f"/{key}",)
    assert judge([GOOD, {key: ""}]).distrusted
    assert [fault.pointer for fault in faults({key: ""}, "metadata", "x")] == [f"/{key}"]


@pytest.mark.parametrize("before", [1, {}])
def test_what_deviates_in_a_separate_response_is_named(before: object) -> None:
    judged = judge({**GOOD, "ExporterResponses": [before, {"cache.manifest": 1, "data": {"cache.manifest": 1}}]})
    place = "/ExporterResponses/1"
    assert judged.deviations == (f"{place}/cache.manifest", f"{place}/data/cache.manifest")
    assert judged.distrusted is (before == 1)


def test_what_deviates_in_a_list_of_responses_is_named_with_its_place(tmp_path: Path) -> None:
    value = [GOOD, {"exporter.type": "oci", "cache.manifest": 1}]
    assert judge(value).deviations == ("/1/cache.manifest",)
    assert judge(value).distrusted is False
    file = tmp_path / "m.json"
    file.write_text(json.dumps({"web": value}))
    assert read_metadata_file(file, bake=True).deviations == ("/web/1/cache.manifest",)


@pytest.mark.parametrize("key", ["cache.manifest", "buildx.build.provenance"])
def test_a_file_with_a_key_twice_that_no_digest_is_derived_from_is_read_and_not_called_valid(key: str) -> None:
    target = f'{{"containerimage.digest": "{DIGEST}", "{key}": 1, "x": {{"{key}": 1}}, "{key}": %s}}'
    good = json.dumps({"mediaType": "x", "digest": DIGEST, "size": 1})
    for value, deviations in ((good, ()), ("1", (f"/{key}",))):
        flat = read_known((target % value).encode())
        bake = read_known_bake(f'{{"web": {target % value}}}'.encode())
        assert flat is not None
        assert bake is not None
        assert (flat.document, flat.is_valid) == ({"containerimage.digest": DIGEST}, False)
        assert (bake.document, bake.is_valid) == ({"web": {"containerimage.digest": DIGEST}}, False)
        assert flat.deviations == deviations
        assert bake.deviations == tuple(f"/web{place}" for place in deviations)


def test_a_bake_with_a_deviation_is_not_called_valid() -> None:
    known = read_known_bake(json.dumps({"web": {**GOOD, "buildx.build.provenance": 1}, "api": GOOD}).encode())
    assert known is not None
    assert (known.is_valid, known.deviations) == (False, ("/web/buildx.build.provenance",))


def test_faults_are_named_in_the_order_of_their_places(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    faulty = {"data": {"containerimage.digest": 1}}
    file.write_text(json.dumps({"exporter.responses": [faulty] * 12, "cache.manifest": 1, "ExporterResponses": [1]}))
    lists = [f"/exporter.responses/{place}/data/containerimage.digest" for place in range(12)]
    found = [fault.pointer for fault in validate_file(file, "metadata")]
    assert list(dict.fromkeys(found)) == ["/ExporterResponses/0", "/cache.manifest", *lists]


def test_a_fault_of_the_whole_document_is_named_once(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_text('"x"')
    read = read_metadata_file(file)
    form = "expected a metadata file: one object, or a list of a generic object and one per exporter"
    assert str(read.fault) == f'{file}: at the top: {form}, found "x"'
