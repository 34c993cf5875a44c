"""Each bound of the reader, at the last size that is read and at the first one that is not.

White space makes a file long at no cost: it is part of the document, and nothing is built of it.
"""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest

from action.documents.pointer import pointer_at
from action.documents.schema import faults
from action.documents.strict_json import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_VALUES,
    MAX_WHOLE_BYTES,
    parse_bytes,
    parse_document,
    read_file,
)
from action.errors import DocumentError
from action.evidence.metadata_file import MAX_TEXT_BYTES, read_metadata_file
from action.evidence.metadata_long import MAX_TARGETS, read_known, read_known_bake
from action.evidence.metadata_places import judge
from action.evidence.validation import validate_file

DIGEST = "sha256:" + "a" * 64
DESCRIPTOR = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": DIGEST, "size": 855}
PART_BYTES = 256 * 1024
"""Longest descriptor, or list of warnings, that is looked into."""


def padded(value: object, size: int) -> bytes:
    """Return a JSON document of a size, with white space before its last bracket."""
    text = json.dumps(value)
    return (text[:-1].ljust(size - 1) + text[-1]).encode()


def test_a_file_is_read_up_to_a_bound_and_one_longer_is_named(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    with file.open("wb") as opened:
        opened.truncate(MAX_BYTES)
        assert len(read_file(file)) == MAX_BYTES
        opened.truncate(MAX_BYTES + 1)
    with pytest.raises(DocumentError) as error:
        read_file(file)
    said = f"{file}: at the top: expected at most {MAX_BYTES} bytes, found {MAX_BYTES + 1}"
    assert (str(error.value), error.value.pointer) == (said, "")


def test_a_document_is_read_whole_up_to_a_bound_and_one_longer_is_named() -> None:
    assert parse_bytes(padded({"a": 1}, MAX_WHOLE_BYTES), "x").value == {"a": 1}
    longer = parse_bytes(padded({"a": 1}, MAX_WHOLE_BYTES + 1), "x")
    assert longer.fault is not None
    said = f"x: at the top: expected at most {MAX_WHOLE_BYTES} bytes, found {MAX_WHOLE_BYTES + 1}"
    assert (str(longer.fault), longer.fault.pointer) == (said, "")
    assert (longer.source, longer.text, longer.value) == ("x", None, None)


def test_values_are_counted_up_to_a_bound_and_other_characters_are_not() -> None:
    letters = string.ascii_letters + string.digits + " :}]"
    text = "[" + "0," * (MAX_VALUES - 1) + json.dumps(letters) + "]"
    value = parse_document(text, "x")
    assert isinstance(value, list)
    assert (len(value), value[-1]) == (MAX_VALUES, letters)
    with pytest.raises(DocumentError) as error:
        parse_document(text[:-1] + ",0]", "x")
    said = f"x: at the top: expected at most {MAX_VALUES} values, found more"
    assert (str(error.value), error.value.pointer) == (said, "")


def test_many_lists_side_by_side_at_the_deepest_place_are_read() -> None:
    inner = ",".join(["[]"] * MAX_DEPTH)
    text = "[" * (MAX_DEPTH - 1) + inner + "]" * (MAX_DEPTH - 1)
    assert parse_document(text, "x") == json.loads(text)


@pytest.mark.parametrize(("depth", "more"), [(11, ""), (12, ""), (13, "/…")])
def test_a_place_is_shown_up_to_twelve_levels(depth: int, more: str) -> None:
    assert pointer_at('{"a":' * depth) == "/a" * min(depth, 12) + more


@pytest.mark.parametrize(("length", "distrusted"), [(256, False), (257, True)])
def test_a_digest_has_at_most_256_characters(length: int, *, distrusted: bool) -> None:
    value = {"containerimage.digest": "md5:".ljust(length, "0")}
    assert judge(value).distrusted is distrusted
    assert bool(list(faults(value, "metadata", "x"))) is distrusted


def test_of_the_faults_of_a_document_the_first_thousand_are_looked_for() -> None:
    few: dict[str, object] = {"exporter.responses": [1], "CacheExporterResponses": [1]}
    assert next(faults(few, "metadata", "x")).pointer == "/CacheExporterResponses/0"
    many = {**few, "exporter.responses": [1] * 1000}
    assert next(faults(many, "metadata", "x")).pointer == "/exporter.responses/0"


LONG = MAX_WHOLE_BYTES + 1
"""The least size of a file of which only what is known is read."""


def test_of_a_long_file_what_is_known_is_read(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    value = {"containerimage.digest": DIGEST, "x": "latest"}
    file.write_bytes(padded(value, LONG))
    read = read_metadata_file(file)
    assert (read.faults, read.build.metadata.merged.image.digest, read.text) == ((), DIGEST, None)
    assert f"has {LONG} bytes" in str(read.too_long)
    file.write_bytes(padded({"web": value}, LONG))
    bake = read_metadata_file(file, bake=True)
    assert (bake.faults, bake.targets["web"].metadata.merged.image.digest, bake.text) == ((), DIGEST, None)
    assert f"has {LONG} bytes" in str(bake.too_long)
    assert list(validate_file(file, None)) == list(validate_file(file, "bake")) == []


def test_a_long_file_with_a_fault_is_refused_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_bytes(padded({"containerimage.digest": 1}, LONG))
    said = (
        f"{file}: at the top: expected each known key once and valid; "
        f"of a file of {LONG} bytes only these keys are read"
    )
    for read in (read_metadata_file(file), read_metadata_file(file, bake=True)):
        assert read.fault is not None
        assert (str(read.fault), read.fault.pointer, read.text) == (said, "", None)
    said = f"{file}: at the top: expected at most {MAX_WHOLE_BYTES} bytes, found {LONG}"
    for schema in (None, "metadata", "bake", "digests", "results"):
        assert [str(fault) for fault in validate_file(file, schema)] == [said]


def test_a_file_at_the_bound_is_read_whole_and_its_fault_is_named(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_bytes(padded({"containerimage.digest": 1}, MAX_WHOLE_BYTES))
    assert "found 1" in str(read_metadata_file(file).build.response_fault)
    file.write_bytes(padded({"a": 1}, MAX_WHOLE_BYTES))
    (fault,) = validate_file(file, None)
    assert "name the schema" in str(fault)


def test_provenance_of_a_platform_that_is_no_object_is_left_to_the_whole_reader_where_it_reads() -> None:
    value = {"containerimage.digest": DIGEST, "buildx.build.provenance/linux/amd64": 1}
    assert read_known(padded(value, MAX_WHOLE_BYTES)) is None
    known = read_known(padded(value, LONG))
    assert known is not None
    assert known.document == {"containerimage.digest": DIGEST}
    assert not known.is_valid


@pytest.mark.parametrize("warnings", [0, 1, MAX_TARGETS])
def test_targets_and_warnings_are_read_up_to_a_bound(warnings: int) -> None:
    def bake(targets: int) -> bytes:
        named: dict[str, object] = {f"t{number}": {} for number in range(targets)}
        return json.dumps({**named, "buildx.build.warnings": [{}] * warnings}).encode()

    known = read_known_bake(bake(MAX_TARGETS - warnings))
    assert known is not None
    assert len(known.document) == MAX_TARGETS - warnings
    assert read_known_bake(bake(MAX_TARGETS - warnings + 1)) is None


def flat(key: str, value: object, size: int) -> bytes:
    """Return metadata with a key whose value has a size."""
    return b'{"' + key.encode() + b'": ' + padded(value, size) + b"}"


def test_warnings_are_looked_into_up_to_a_bound_and_beyond_it_nothing_is_said_of_them() -> None:
    lists: list[list[object]] = [[{}], [1]]
    found = [
        read_known(flat("buildx.build.warnings", value, size))
        for size in (PART_BYTES, PART_BYTES + 1)
        for value in lists
    ]
    assert [(each.is_valid, each.deviations) for each in found if each] == [
        (True, ()),
        (False, ("/buildx.build.warnings",)),
        (False, ()),
        (False, ()),
    ]


@pytest.mark.parametrize("before", ["", "a"])
def test_a_long_text_that_is_not_ascii_is_known_wherever_its_characters_begin(before: str) -> None:
    # It is checked a mebibyte at a time: in one of the two a character lies across that.
    value = {"containerimage.digest": DIGEST, "x": before + "é" * 1024 * 1024}
    known = read_known(json.dumps(value, ensure_ascii=False).encode())
    assert known is not None
    assert known.is_valid


def test_a_long_cache_manifest_does_not_deviate() -> None:
    known = read_known(flat("cache.manifest", DESCRIPTOR, PART_BYTES + 1))
    assert known is not None
    assert (known.is_valid, known.deviations) == (False, ())


def test_a_descriptor_is_looked_into_up_to_a_bound() -> None:
    known = read_known(flat("containerimage.descriptor", DESCRIPTOR, PART_BYTES))
    assert known is not None
    assert known.document == {"containerimage.descriptor": DESCRIPTOR}
    assert read_known(flat("containerimage.descriptor", DESCRIPTOR, PART_BYTES + 1)) is None


@pytest.mark.parametrize("extra", [{}, {"exporter.responses": []}], ids=["known", "whole"])
def test_the_text_of_a_file_is_handed_on_up_to_a_bound(tmp_path: Path, extra: dict[str, object]) -> None:
    file = tmp_path / "m.json"
    said = (
        f"the metadata file has {MAX_TEXT_BYTES + 1} bytes, and an output can have {MAX_TEXT_BYTES}: "
        "metadata is not set"
    )
    value: dict[str, object] = {"containerimage.digest": DIGEST, **extra}
    for document, bake in ((value, False), ({"web": value}, True)):
        file.write_bytes(padded(document, MAX_TEXT_BYTES))
        read = read_metadata_file(file, bake=bake)
        assert (read.faults, read.too_long, len(read.text or "")) == ((), None, MAX_TEXT_BYTES)
        file.write_bytes(padded(document, MAX_TEXT_BYTES + 1))
        read = read_metadata_file(file, bake=bake)
        assert (read.faults, read.too_long, read.text) == ((), said, None)


def test_a_list_that_is_too_long_for_an_output_is_no_bakes_metadata_and_both_is_said(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_bytes(padded([], MAX_TEXT_BYTES + 1))
    read = read_metadata_file(file, bake=True)
    assert "expected a bake metadata file" in str(read.fault)
    assert f"has {MAX_TEXT_BYTES + 1} bytes" in str(read.too_long)
