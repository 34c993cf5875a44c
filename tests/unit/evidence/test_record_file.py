"""Records as engines write them, and as they lie around in the wild."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from action.errors import EvidenceError
from action.evidence.record_file import RECORD_TYPE, read_record
from tests.unit.oci.layouts import INDEX, MANIFEST, descriptor, digest_of, encode, image, layout, tar_bytes, write_tar

AMD, AMD_CONFIG = image()


def result(data: bytes, media_type: str = MANIFEST) -> dict[str, object]:
    return {"media_type": media_type, "digest": digest_of(data), "size": len(data)}


def manifest_of(record: object, *blobs: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    config = encode(record)
    layers = [descriptor(blob, "application/json") for blob in blobs]
    log = descriptor(b"log", "application/vnd.buildkit.status.v0")
    return encode({"config": descriptor(config, RECORD_TYPE), "layers": [log, *layers]}), (config, b"log", *blobs)


def write(folder: Path, record: object, *blobs: bytes) -> Path:
    manifest, content = manifest_of(record, *blobs)
    members = layout(descriptor(manifest, MANIFEST), blobs=(manifest, *content))
    file = folder / "x.dockerbuild"
    file.write_bytes(gzip.compress(tar_bytes(members)))
    return file


def test_a_record_lists_its_exporters_and_what_each_made(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {
            "Ref": "r1",
            "Exporters": [{"Type": "image", "Attrs": {"name": "a", "id": "x"}}, {"Type": "local"}, {"Type": "oci"}],
            "Result": {"Results": {"0": result(AMD), "2": result(b"other")}, "ResultDeprecated": result(b"y")},
            "CreatedAt": {"seconds": 1},
        },
        AMD,
    )
    record = read_record(file, "r1")
    assert [(each.type, each.attributes) for each in record.exporters] == [
        ("image", {"name": "a", "id": "x"}),
        ("local", None),
        ("oci", None),
    ]
    assert {place: made.digest for place, made in record.images.items()} == {0: digest_of(AMD), 2: digest_of(b"other")}
    assert record.images[0].imageid == digest_of(AMD_CONFIG)


@pytest.mark.parametrize(
    "record",
    [
        {"Ref": "r1"},
        {"Ref": "r1", "Exporters": None, "Result": None},
        {"Ref": "r1", "Exporters": [], "Result": {}},
        {"Ref": "r1", "Exporters": [{"Type": "moby"}]},
        {"Ref": "r1", "Exporters": [{}]},
        {"Ref": "r1", "Result": {"Results": {"0": result(AMD)}}},
        {"Ref": "r1", "Result": {"Results": None}},
        {"Ref": "r1", "Future": {"x": [1]}},
        {},
    ],
)
def test_everything_in_a_record_may_be_absent(tmp_path: Path, record: dict[str, Any]) -> None:
    read = read_record(write(tmp_path, record), "r1")
    assert len(read.exporters) == len(record.get("Exporters") or [])


def test_a_descriptor_of_a_config_is_an_image_id(tmp_path: Path) -> None:
    config = result(b"config", "application/vnd.docker.container.image.v1+json")
    file = write(tmp_path, {"Ref": "r1", "Exporters": [{"Type": "moby"}], "Result": {"Results": {"0": config}}})
    made = read_record(file, "r1").images[0]
    assert (made.digest, made.imageid) == (None, digest_of(b"config"))


def _bundle(folder: Path) -> Path:
    first, first_blobs = manifest_of({"Ref": "r1", "Exporters": [{"Type": "image"}]})
    second, second_blobs = manifest_of({"Ref": "r2", "Exporters": [{"Type": "oci"}]})
    inner = encode({"manifests": [descriptor(first, MANIFEST), descriptor(second, MANIFEST)]})
    blobs = (inner, first, second, *first_blobs, *second_blobs)
    return write_tar(folder / "bundle.dockerbuild", layout(descriptor(inner, INDEX), blobs=blobs))


def test_a_bundle_of_records_has_each_by_its_reference(tmp_path: Path) -> None:
    file = _bundle(tmp_path)
    assert read_record(file, "r1").exporters[0].type == "image"
    assert read_record(file, "r2").exporters[0].type == "oci"


def test_the_only_record_of_a_file_is_not_taken_for_another_build(tmp_path: Path) -> None:
    file = write(tmp_path, {"Ref": "r1"})
    assert read_record(file, None).ref == read_record(file, "r1").ref == "r1"
    with pytest.raises(EvidenceError, match=r"x.dockerbuild: expected the record of build r2, found 0 in 1$"):
        read_record(file, "r2")
    with pytest.raises(EvidenceError, match=r"bundle.dockerbuild: expected exactly one record, found 2 in 2$"):
        read_record(_bundle(tmp_path), None)


def test_a_record_says_where_it_comes_from_and_how_long_each_manifest_is(tmp_path: Path) -> None:
    file = write(tmp_path, {"Ref": "r1", "Result": {"Results": {"0": result(AMD)}}}, AMD)
    record = read_record(file, "r1")
    assert record.source == str(file)
    assert record.blobs == {digest_of(AMD): AMD}
    descriptor_read = record.images[0].descriptor
    assert descriptor_read is not None
    assert descriptor_read.size == len(AMD)


def _nested(depth: int) -> tuple[dict[str, object], tuple[bytes, ...]]:
    """A record's manifest inside so many indexes."""
    manifest, content = manifest_of({"Ref": "r1"})
    entry, blobs = descriptor(manifest, MANIFEST), (manifest, *content)
    for _ in range(depth):
        index = encode({"manifests": [entry]})
        entry, blobs = descriptor(index, INDEX), (index, *blobs)
    return entry, blobs


def test_indexes_are_followed_three_deep_and_no_deeper(tmp_path: Path) -> None:
    entry, blobs = _nested(3)
    assert read_record(write_tar(tmp_path / "3.tar", layout(entry, blobs=blobs)), "r1").ref == "r1"
    entry, blobs = _nested(4)
    with pytest.raises(EvidenceError, match="found 0 in 0"):
        read_record(write_tar(tmp_path / "4.tar", layout(entry, blobs=blobs)), "r1")


def test_a_blob_that_is_missing_hides_no_record_after_it(tmp_path: Path) -> None:
    entry, blobs = _nested(0)
    members = layout(descriptor(b"missing", MANIFEST), entry, blobs=blobs)
    assert read_record(write_tar(tmp_path / "x.tar", members), "r1").ref == "r1"


@pytest.mark.parametrize("damage", ["index.json", "index", "manifest", "record"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    bad = b'{"manifests": 1, "config": 1, "Ref": 1}'
    manifest = encode({"config": descriptor(bad, RECORD_TYPE), "layers": []})
    members = {
        "index.json": {"index.json": bad},
        "index": layout(descriptor(bad, INDEX), blobs=(bad,)),
        "manifest": layout(descriptor(bad, MANIFEST), blobs=(bad,)),
        "record": layout(descriptor(manifest, MANIFEST), blobs=(manifest, bad)),
    }[damage]
    with pytest.raises(EvidenceError, match=r"x\.tar: "):
        read_record(write_tar(tmp_path / "x.tar", members), None)


def test_a_record_that_is_missing_is_named(tmp_path: Path) -> None:
    manifest, _ = manifest_of({"Ref": "r1"})
    members = layout(descriptor(manifest, MANIFEST), blobs=(manifest,))
    with pytest.raises(EvidenceError, match=r"x\.tar: the record sha256:\w+ is not in it"):
        read_record(write_tar(tmp_path / "x.tar", members), None)


@pytest.mark.parametrize("ref", ["r3", None])
def test_a_record_that_is_not_the_builds_is_not_taken(tmp_path: Path, ref: str | None) -> None:
    with pytest.raises(EvidenceError, match=r"bundle.dockerbuild: expected .*, found [02] in 2"):
        read_record(_bundle(tmp_path), ref)


@pytest.mark.parametrize(
    "record",
    [
        [],
        "x",
        {"Ref": 1},
        {"Exporters": {"0": {}}},
        {"Exporters": [{"Attrs": {"a": 1}}]},
        {"Result": {"Results": {"0": {"media_type": "m", "digest": "latest", "size": 1}}}},
    ],
)
def test_a_record_of_another_form_is_a_plain_error(tmp_path: Path, record: object) -> None:
    with pytest.raises(EvidenceError):
        read_record(write(tmp_path, record), "r1")


def test_a_result_at_no_place_is_passed_over(tmp_path: Path) -> None:
    file = write(
        tmp_path, {"Ref": "r1", "Result": {"Results": {"x": result(AMD), "-1": result(AMD), "1": result(AMD)}}}
    )
    assert list(read_record(file, "r1").images) == [1]


def test_a_tar_without_a_record_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"no build record \(it has no index.json\)"):
        read_record(write_tar(tmp_path / "x.tar", {"a": b""}), None)
    with pytest.raises(EvidenceError, match="found 0 in 0"):
        read_record(write_tar(tmp_path / "y.tar", layout(descriptor(AMD, MANIFEST), blobs=(AMD, AMD_CONFIG))), None)


def test_an_index_that_names_itself_ends(tmp_path: Path) -> None:
    nested = encode({"manifests": []})
    for _ in range(20):
        outer = encode({"manifests": [descriptor(nested, INDEX)]})
        nested = outer
    with pytest.raises(EvidenceError, match="found 0"):
        read_record(write_tar(tmp_path / "x.tar", layout(descriptor(nested, INDEX), blobs=(nested,))), None)
