"""Fuzz targets for the metadata files of a build and a bake: both readers agree, and every digest is valid."""

from __future__ import annotations

import json
import re

from action.documents.schema import SCHEMAS, faults
from action.documents.strict_json import parse_bytes
from action.evidence.metadata_file import read_metadata_file
from action.evidence.metadata_long import read_known, read_known_bake
from action.evidence.metadata_places import WARNINGS, judge
from action.evidence.responses import Metadata, read_responses
from action.evidence.validation import validate_file
from action.oci.image import DIGEST_PATTERN
from fuzz.reader import Reader, folder, printable
from tests.unit.evidence.test_metadata_long import assert_same_responses

_DIGEST = "sha256:" + "a" * 64
_DESCRIPTOR = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": _DIGEST, "size": 855}
_FLAT = {
    "buildx.build.ref": "b/n/r",
    "buildx.build.provenance": {"a": [1]},
    "containerimage.config.digest": "sha256:" + "b" * 64,
    "containerimage.descriptor": {**_DESCRIPTOR, "platform": {"os": "linux", "architecture": "amd64"}},
    "containerimage.digest": _DIGEST,
    "image.name": "a,b",
}
_LIST = [
    {"buildx.build.ref": "b/n/r"},
    {"exporter.type": "image", "exporter.id": "x", "containerimage.digest": _DIGEST},
]
_SEPARATE = {**_FLAT, "exporter.responses": [{"id": "x", "type": "image", "data": {"containerimage.digest": _DIGEST}}]}
_WORDS = (
    *_FLAT,
    "exporter.type",
    "exporter.id",
    "ExporterResponses",
    WARNINGS,
    "\\u0064",
    "\\ud800",
    "\\u0000",
    "null",
)


def _metadata(data: bytes) -> None:
    file = folder() / "metadata.json"
    file.write_bytes(data)
    read = read_metadata_file(file)
    _check(read.build.metadata)
    printable(f"{read.text}{read.faults}{read.deviations}")
    _validate(data)
    document = parse_bytes(data, "x")
    known = read_known(data)
    if known is not None:
        assert not read.faults
        assert document.fault is None or "twice" in document.fault.problem, document.fault
        if document.fault is None:
            assert not (known.is_valid and list(faults(document.value, "metadata", "x")))
            assert_same_responses(read_responses(known.document), judge(document.value))
    elif document.fault is None:
        valid = not list(faults(document.value, "metadata", "x"))
        assert valid is not bool(read.faults or read.deviations)
        if valid:
            assert read.build.metadata == read_responses(document.value)
    else:
        assert read.fault is not None
        assert read.build.metadata == Metadata()


def _bake(data: bytes) -> None:
    file = folder() / "metadata.json"
    file.write_bytes(data)
    read = read_metadata_file(file, bake=True)
    printable(f"{read.faults}{read.deviations}")
    for name, target in read.targets.items():
        printable(name)
        _check(target.metadata)
    document = parse_bytes(data, "x")
    known = read_known_bake(data)
    if known is not None and document.fault is None:
        assert isinstance(document.value, dict)
        assert not (known.is_valid and list(faults(document.value, "bake", "x")))
        assert list(known.document) == [name for name in document.value if name != WARNINGS]
        for name, value in known.document.items():
            assert_same_responses(read_responses(value), judge(document.value[name]))
    elif known is not None:
        assert "twice" in str(document.fault), document.fault
    elif document.fault is None:
        valid = not list(faults(document.value, "bake", "x"))
        assert valid is not bool(read.faults or read.deviations)


def _validate(data: bytes) -> None:
    file = folder() / "metadata.json"
    file.write_bytes(data)
    for schema in (None, *SCHEMAS):
        for fault in validate_file(file, schema):
            printable(str(fault))


def _check(metadata: Metadata) -> None:
    printable(metadata.ref or "")
    for response in (metadata.merged, *(metadata.separate or ())):
        image = response.image
        for digest in (image.digest, image.imageid):
            assert digest is None or re.match(DIGEST_PATTERN, digest), digest
        printable(f"{response.id}{response.type}{response.names}{image}")
        printable("".join(response.names or ()))


METADATA = Reader(
    "metadata", _metadata, tuple(json.dumps(value).encode() for value in (_FLAT, _LIST, _SEPARATE)), _WORDS
)
BAKE = Reader(
    "bake", _bake, (json.dumps({"web": _FLAT, "api": {}, WARNINGS: []}).encode(), b'{"web":{"a":[1]}}'), _WORDS
)
