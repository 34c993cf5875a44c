"""What a faulty metadata file or document is called, where its fault is, and what is expected there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action.documents.strict_json import MAX_DEPTH, parse_document, read_document, read_file
from action.errors import DocumentError
from action.evidence.metadata_file import MAX_TEXT_BYTES, read_metadata_file
from action.evidence.responses import Metadata, read_responses
from action.evidence.validation import validate_file

DIGEST = "sha256:" + "a" * 64


def write(folder: Path, value: object) -> Path:
    file = folder / "m.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return file


def message(path: Path, schema: str | None = None) -> str:
    """Return the message of the only fault of a file."""
    (fault,) = validate_file(path, schema)
    return str(fault)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing.json", "there is no such file"), (".", "Is a directory"), ("m.json/x", "Not a directory")],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    write(tmp_path, {})
    with pytest.raises(DocumentError) as error:
        read_file(tmp_path / name)
    assert str(error.value) == f"{tmp_path / name}: at the top: expected a JSON file, but {reason}"
    assert error.value.pointer == ""
    document = read_document(tmp_path / name)
    assert (document.source, str(document.fault)) == (str(tmp_path / name), str(error.value))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "at the top: expected a JSON document, found nothing"),
        (b'{"a": [\xff]}', "at /a/0: expected UTF-8, found the byte 0xff at offset 7"),
        (b'{"a": 1', "at /a: expected the rest of a JSON document that ends here, cut off (line 1)"),
        (b'{"b": [{"a": {"x": 1, "x": 2}}, {}], "c": {}}', "at /b/0/a/x: expected each key once, found 'x' twice"),
        (b'{"c": {"a": 1, "a": 2}, "b": [{}, []]}', "at /c/a: expected each key once, found 'a' twice"),
    ],
)
def test_a_broken_document_is_named_with_its_file_and_place(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "m.json"
    file.write_bytes(data)
    document = read_document(file)
    assert (document.source, str(document.fault)) == (str(file), f"{file}: {said}")


@pytest.mark.parametrize(
    "data", [b"", b'{"a": [\xff]}', b'{"a": 1', b'{"containerimage.digest": "", "containerimage.digest": ""}']
)
def test_a_broken_metadata_file_is_named_as_the_document_is(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "m.json"
    file.write_bytes(data)
    said = str(read_document(file).fault)
    assert str(read_metadata_file(file).fault) == str(read_metadata_file(file, bake=True).fault) == said


def test_nesting_has_a_bound_on_both_sides() -> None:
    def nested(depth: int) -> str:
        return "[" * depth + "]" * depth

    assert parse_document(nested(MAX_DEPTH), "x") is not None
    with pytest.raises(DocumentError, match=f"expected at most {MAX_DEPTH} levels of nesting, found more"):
        parse_document(nested(MAX_DEPTH + 1), "x")


def test_metadata_that_buildx_did_not_write_has_no_text_and_nothing_else(tmp_path: Path) -> None:
    file = write(tmp_path, {"containerimage.digest": DIGEST})
    said = f"{file}: at the top: expected the metadata of this build, but buildx wrote none: update buildx"
    read = read_metadata_file(file, written=False)
    assert (read.text, read.build.metadata, str(read.fault)) == (None, Metadata(), said)
    assert [fault.pointer for fault in read.faults] == [""]
    bake = read_metadata_file(file, written=False, bake=True)
    assert (bake.text, bake.targets, str(bake.fault)) == (None, {}, said)


def test_a_file_that_is_cut_off_has_its_text_and_nothing_else(tmp_path: Path) -> None:
    file = write(tmp_path, '{"containerimage.digest": "')
    read, bake = read_metadata_file(file), read_metadata_file(file, bake=True)
    assert read.text == bake.text == '{"containerimage.digest": "'
    assert (read.build.metadata, bake.targets) == (Metadata(), {})
    assert (read.too_long, bake.too_long) == (None, None)
    long = write(tmp_path, '{"containerimage.digest": "' + "x" * MAX_TEXT_BYTES)
    assert read_metadata_file(long).too_long == read_metadata_file(long, bake=True).too_long is not None


@pytest.mark.parametrize("count", [4, 5, 12])
def test_each_of_the_first_five_faults_is_named_and_the_others_are_counted(tmp_path: Path, count: int) -> None:
    responses = [{"id": "a", "type": "image", "data": {"containerimage.digest": 1}} for _ in range(count)]
    file = write(tmp_path, {"exporter.responses": responses})
    found = list(validate_file(file, "metadata"))
    assert len(found) == count
    rest = [f"at {fault.pointer}: {fault.problem}" for fault in found[1:5]]
    more = [f"and {count - 5} more"] if count > 5 else []
    read = read_metadata_file(file)
    said = "; ".join([found[0].problem, *rest, *more])
    assert str(read.build.response_fault or read.fault) == f"{file}: at {found[0].pointer}: {said}"


@pytest.mark.parametrize("faults", [1, 2])
def test_a_bake_names_the_faults_of_each_target(tmp_path: Path, faults: int) -> None:
    bad = {"containerimage.digest": 1, **({"containerimage.config.digest": 2} if faults > 1 else {})}
    file = write(tmp_path, {"web": bad, "web2": {"containerimage.digest": 3}, "ok": {"containerimage.digest": DIGEST}})
    read = read_metadata_file(file, bake=True)
    said = {name: str(target.response_fault or target.fault or "") for name, target in read.targets.items()}
    assert said["ok"] == ""
    assert said["web"].startswith(f"{file}: at /web/containerimage.")
    assert said["web"].count("/web/") == faults
    assert said["web2"].startswith(f"{file}: at /web2/containerimage.digest: ")
    assert "/web/" not in said["web2"]
    assert "more" not in said["web"]


@pytest.mark.parametrize("warnings", [1, "x", [1]])
def test_faulty_warnings_of_a_bake_deviate_and_cost_no_digest(tmp_path: Path, warnings: object) -> None:
    whole = {"web": {"containerimage.digest": DIGEST}, "buildx.build.warnings": warnings}
    read = read_metadata_file(write(tmp_path, whole), bake=True)
    assert read.deviations == ("/buildx.build.warnings",)
    assert (read.fault, read.targets["web"].metadata.merged.image.digest) == (None, DIGEST)
    assert read.text == json.dumps(whole)


@pytest.mark.parametrize("value", [[], [1], 1])
def test_a_bakes_file_of_another_form_is_named(tmp_path: Path, value: object) -> None:
    file = write(tmp_path, value)
    read = read_metadata_file(file, bake=True)
    assert (read.targets, read.text) == ({}, json.dumps(value))
    assert str(read.fault).startswith(f"{file}: at the top: ")


def test_the_text_of_a_bakes_file_with_a_key_twice_is_handed_on_up_to_a_bound(tmp_path: Path) -> None:
    text = f'{{"web": {{"containerimage.digest": "{DIGEST}", "x": 1, "x": 2}}'
    read = read_metadata_file(write(tmp_path, text.ljust(MAX_TEXT_BYTES - 1) + "}"), bake=True)
    assert (read.too_long, len(read.text or "")) == (None, MAX_TEXT_BYTES)
    longer = read_metadata_file(write(tmp_path, text.ljust(MAX_TEXT_BYTES) + "}"), bake=True)
    assert longer.text is None
    assert f"has {MAX_TEXT_BYTES + 1} bytes, and as an output at most {MAX_TEXT_BYTES}" in str(longer.too_long)


def test_a_response_without_a_text_has_none() -> None:
    read = read_responses({"buildx.build.ref": "", "containerimage.digest": ""})
    assert (read.ref, read.merged.image.digest, read.merged.image.imageid) == (None, None, None)
    listed = read_responses([{"exporter.id": "a", "containerimage.digest": DIGEST}])
    assert listed.separate is not None
    assert [(each.id, each.type, each.image.digest) for each in listed.separate] == [("a", None, DIGEST)]


@pytest.mark.parametrize(("length", "end"), [(118, '"'), (119, "…")])
def test_a_value_that_is_not_as_expected_is_shown_up_to_a_length(tmp_path: Path, length: int, end: str) -> None:
    file = write(tmp_path, {"containerimage.digest": "é" * length})
    found = [str(fault) for fault in validate_file(file, "metadata")]
    assert found
    assert all(each.endswith(f'found "{"é" * length}"'[:126] + ("…" if end == "…" else "")) for each in found), found
