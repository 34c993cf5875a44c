"""Metadata files of a build and of a bake: their text, their faults, and what is read despite a fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action.documents.strict_json import read_document
from action.evidence.metadata_file import MAX_TEXT_BYTES, read_metadata_file
from action.evidence.responses import Metadata
from action.evidence.validation import validate_file

DIGEST = "sha256:" + "a" * 64


def write(folder: Path, value: object) -> Path:
    file = folder / "m.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "data", [b"", b'{"a": [\xff]}', b'{"a": 1', b'{"containerimage.digest": "", "containerimage.digest": ""}']
)
def test_an_invalid_metadata_file_has_the_fault_of_its_document(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "m.json"
    file.write_bytes(data)
    said = str(read_document(file).fault)
    assert str(read_metadata_file(file).fault) == str(read_metadata_file(file, bake=True).fault) == said


def test_metadata_that_buildx_did_not_write_has_a_fault_and_no_text(tmp_path: Path) -> None:
    file = write(tmp_path, {"containerimage.digest": DIGEST})
    said = f"{file}: at the top: expected the metadata of this build, but buildx wrote none: update buildx"
    read = read_metadata_file(file, written=False)
    assert (read.text, read.build.metadata, str(read.fault)) == (None, Metadata(), said)
    assert [fault.pointer for fault in read.faults] == [""]
    bake = read_metadata_file(file, written=False, bake=True)
    assert (bake.text, bake.targets, str(bake.fault)) == (None, {}, said)


def test_a_file_that_is_cut_off_has_its_text_and_no_metadata(tmp_path: Path) -> None:
    file = write(tmp_path, '{"containerimage.digest": "')
    read, bake = read_metadata_file(file), read_metadata_file(file, bake=True)
    assert read.text == bake.text == '{"containerimage.digest": "'
    assert (read.build.metadata, bake.targets) == (Metadata(), {})
    assert (read.too_long, bake.too_long) == (None, None)
    long = write(tmp_path, '{"containerimage.digest": "' + "x" * MAX_TEXT_BYTES)
    assert read_metadata_file(long).too_long == read_metadata_file(long, bake=True).too_long is not None


@pytest.mark.parametrize("count", [4, 5, 12])
def test_the_first_five_faults_are_named_and_the_others_are_counted(tmp_path: Path, count: int) -> None:
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
def test_invalid_warnings_of_a_bake_are_a_deviation_and_affect_no_digest(tmp_path: Path, warnings: object) -> None:
    whole = {"web": {"containerimage.digest": DIGEST}, "buildx.build.warnings": warnings}
    read = read_metadata_file(write(tmp_path, whole), bake=True)
    assert read.deviations == ("/buildx.build.warnings",)
    assert (read.fault, read.targets["web"].metadata.merged.image.digest) == (None, DIGEST)
    assert read.text == json.dumps(whole)


@pytest.mark.parametrize("value", [[], [1], 1])
def test_a_bakes_file_of_another_form_has_a_fault_and_its_text(tmp_path: Path, value: object) -> None:
    file = write(tmp_path, value)
    read = read_metadata_file(file, bake=True)
    assert (read.targets, read.text) == ({}, json.dumps(value))
    assert str(read.fault).startswith(f"{file}: at the top: ")


def test_the_text_of_a_bakes_file_with_a_duplicate_key_is_kept_up_to_a_maximum_length(tmp_path: Path) -> None:
    text = f'{{"web": {{"containerimage.digest": "{DIGEST}", "x": 1, "x": 2}}'
    read = read_metadata_file(write(tmp_path, text.ljust(MAX_TEXT_BYTES - 1) + "}"), bake=True)
    assert (read.too_long, len(read.text or "")) == (None, MAX_TEXT_BYTES)
    longer = read_metadata_file(write(tmp_path, text.ljust(MAX_TEXT_BYTES) + "}"), bake=True)
    assert longer.text is None
    assert f"has {MAX_TEXT_BYTES + 1} bytes, and an output can have {MAX_TEXT_BYTES}" in str(longer.too_long)


@pytest.mark.parametrize("number", [1, 99, 100, 101, 1500])
def test_targets_with_faults_have_no_digest_and_do_not_affect_the_others(tmp_path: Path, number: int) -> None:
    bad = {f"t{place:03}": {"containerimage.digest": "latest"} for place in range(number)}
    good = {"containerimage.digest": "sha256:" + "a" * 64}
    file = tmp_path / "x.json"
    file.write_text(json.dumps({**bad, "zgood": good}))
    read = read_metadata_file(file, bake=True)
    assert [name for name, target in read.targets.items() if target.metadata.merged.image.digest] == ["zgood"]
    assert len(read.faults) == number
