"""OCI documents: what the models accept, and the place and the text of an error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from action.errors import EvidenceError
from action.oci.models import Descriptor, Document, Index, Manifest, parse, validate

DIGEST = "sha256:" + "a" * 64
DESCRIPTOR = {"mediaType": "m", "digest": DIGEST, "size": 1}
A_DIGEST = "expected a digest: algorithm, colon, encoded hash; for sha256 64 lower-case hexadecimal digits"


def index(**members: Any) -> bytes:  # noqa: ANN401  # JSON
    """Return an index of two entries; the members replace those of the second."""
    entry = {name: value for name, value in {**DESCRIPTOR, **members}.items() if value is not ...}
    return json.dumps({"manifests": [DESCRIPTOR, entry]}).encode()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"{", "expected JSON: EOF while parsing an object at line 1 column 1"),
        (b"[]", "expected an object"),
        (b"{}", "expected the member manifests"),
        (b'{"manifests": {}}', "at /manifests: expected a list"),
        (b'{"manifests": [1]}', "at /manifests/0: expected an object"),
        (index(digest=...), "at /manifests/1: expected the member digest"),
        (index(mediaType=...), "at /manifests/1: expected the member mediaType"),
        (index(mediaType=..., media_type="m"), "at /manifests/1: expected the member mediaType"),
        (index(mediaType=1), "at /manifests/1/mediaType: expected a string"),
        (index(digest="latest"), f"at /manifests/1/digest: {A_DIGEST}"),
        (index(digest=DIGEST + "\n"), f"at /manifests/1/digest: {A_DIGEST}"),
        (index(digest="a:" + "b" * 255), f"at /manifests/1/digest: {A_DIGEST}"),
        (index(size=-1), "at /manifests/1/size: expected at least 0"),
        (index(size="1"), "at /manifests/1/size: expected a whole number"),
        (index(size=1.0), "at /manifests/1/size: expected a whole number"),
        (index(size=True), "at /manifests/1/size: expected a whole number"),
        (index(annotations={"a/b": 1}), "at /manifests/1/annotations: expected an object of strings"),
        (index(platform={"os": None}), "at /manifests/1/platform/os: expected a string"),
    ],
)
def test_an_error_names_the_place_and_what_is_expected_there(data: bytes, error: str) -> None:
    with pytest.raises(EvidenceError) as raised:
        parse(Index, data, "x.tar")
    assert str(raised.value) == f"x.tar: {error}"


def test_an_error_shows_nothing_of_the_document_and_is_short() -> None:
    with pytest.raises(EvidenceError) as raised:
        parse(Index, index(size="password" * 1000), "x")
    assert "password" not in str(raised.value)
    assert len(str(raised.value)) < 100


def test_unknown_members_and_null_for_optional_ones_are_accepted() -> None:
    read = parse(Index, index(annotations=None, platform=None, urls=[1], size=10**30), "x")
    assert [entry.size for entry in read.manifests] == [1, 10**30]
    assert parse(Manifest, json.dumps({"config": DESCRIPTOR, "layers": None}).encode(), "x").layers is None
    assert parse(Document, b"{}", "x") == Document()


def test_a_part_of_a_document_is_validated_by_the_same_rules() -> None:
    assert validate(Descriptor, DESCRIPTOR, "x").digest == DIGEST
    with pytest.raises(EvidenceError, match=r"^x: at /size: expected a whole number$"):
        validate(Descriptor, {**DESCRIPTOR, "size": True}, "x")


def test_a_windows_platform_has_a_version_and_its_name_does_not() -> None:
    platform = {"os": "windows", "architecture": "amd64", "os.version": "10.0.17763.1"}
    read = parse(Index, index(platform=platform), "x").manifests[1].platform
    assert read is not None
    assert (str(read), read.os_version) == ("windows/amd64", "10.0.17763.1")
