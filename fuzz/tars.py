"""Fuzz targets for tars: raw bytes, and records and artifacts in which each blob is named by its correct digest."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from pathlib import Path

from action.errors import EvidenceError
from action.evidence.artifact_file import check_artifact, read_artifact
from action.evidence.record_file import RECORD_TYPE, read_records
from action.evidence.status_log import STATUS_TYPE, read_status_log
from action.oci.layout import TarLayout
from action.oci.tar import plain_files
from action.report.model import Report, Target
from action.report.summary import render
from fuzz.reader import SEPARATOR, Reader, allowing_errors, folder, input_of, printable
from tests.unit.evidence.test_status_log import message, vertex
from tests.unit.oci.layouts import CONFIG, INDEX, MANIFEST, blob_name, link, one_image, tar_bytes

_REFERENCE = re.compile(rb"@([0-9])")
_BLOCK = tarfile.BLOCKSIZE
_MAX_MANIFEST_BYTES = 2048


def _raw(data: bytes) -> None:
    """Read a tar's bytes as they are, and again with correct header checksums."""
    for tar in (data, _with_checksums(data)):
        file = folder() / "raw.tar"
        file.write_bytes(tar)
        unpacked = _unpacked(tar)
        _check_like_another(unpacked)
        with allowing_errors(), TarLayout(file) as layout:
            for name in ("index.json", "manifest.json"):
                found = layout.read(name)
                assert found is None or found in unpacked
        with allowing_errors():
            image = read_artifact(file)
            if image.digest is not None:
                _check_held(image.digest, unpacked)
                check_artifact(file, image.digest)


def _check_like_another(data: bytes) -> None:
    """Check that `plain_files` finds every member that Python's tarfile finds, as far as tarfile reads."""
    try:
        found = {(each.name, each.offset, each.size) for each in plain_files(io.BytesIO(data), 1000)}
    except ValueError:
        return
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            other = {
                (each.name, each.offset_data, each.size)
                for each in tar
                # tarfile reads a name prefix in GNU headers too, which have other fields in that place.
                if each.isreg() and not each.issparse() and data[each.offset_data - _BLOCK :][257:263] == b"ustar\0"
            }
    except (tarfile.TarError, ValueError):
        # tarfile also parses the maps of sparse files, and fails on bad ones; `plain_files` skips sparse files.
        return
    # The other direction is not checked: tarfile stops silently at a bad number in a field that is not needed here.
    missing = {each for each in other - found if each[0].startswith("blobs/") or each[0].endswith(".json")}
    assert not missing, missing


def _unpacked(data: bytes) -> bytes:
    try:
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (OSError, EOFError, zlib.error):
        return b""


def _check_held(digest: str, tar: bytes) -> None:
    """Check that the tar contains bytes with this digest, starting at a block."""
    for start in range(_BLOCK, len(tar), _BLOCK):
        found = hashlib.sha256()
        for place in range(start, min(start + _MAX_MANIFEST_BYTES, len(tar)) + 1):
            if digest == f"sha256:{found.hexdigest()}":
                return
            found.update(tar[place : place + 1])
    raise AssertionError(digest)


def _with_checksums(data: bytes) -> bytes:
    """Return the tar with correct header checksums; without them a reader stops at the first changed header."""
    fixed = bytearray(data)
    place = 0
    while place + _BLOCK <= len(fixed):
        header = fixed[place : place + _BLOCK]
        if any(header):
            total = sum(header[:148]) + 256 + sum(header[156:])
            fixed[place + 148 : place + 156] = b"%06o\0 " % total
        digits = bytes(header[124:136]).strip(b"\0 ")
        size = int(digits, 8) if re.fullmatch(rb"[0-7]{1,12}", digits) else 0
        place += _BLOCK + -(-size // _BLOCK) * _BLOCK
    return bytes(fixed)


def _layout(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return a tar of blobs, and the blobs.

    The last blob is also index.json. `@0` in a blob is replaced by the digest of the first one, `@1` by that of the
    second, and so on, so that the fuzzer can link blobs without computing a hash.
    """
    blobs: list[bytes] = []
    for part in data.split(SEPARATOR)[:10]:
        blobs.append(_REFERENCE.sub(lambda match: _digest(blobs, int(match[1])), part))
    members = {blob_name(f"sha256:{hashlib.sha256(blob).hexdigest()}"): blob for blob in blobs}
    return tar_bytes({**members, "index.json": blobs[-1], "manifest.json": blobs[0]}), blobs


def _digest(blobs: list[bytes], place: int) -> bytes:
    return b"sha256:" + hashlib.sha256(blobs[place] if place < len(blobs) else b"").hexdigest().encode()


def _record(data: bytes) -> None:
    tar, _ = _layout(data)
    file = folder() / "record.tar"
    file.write_bytes(tar)
    with allowing_errors():
        for record in read_records(file):
            printable(record.ref)
            for place, image in record.images.items():
                assert place >= 0
                printable(f"{image}")
            for digest, blob in record.blobs.items():
                assert digest == f"sha256:{hashlib.sha256(blob).hexdigest()}"
    with allowing_errors():
        for progress in read_status_log(file):
            printable(render(Report(title="Build", failed=False, targets=(Target("", None, progress),))))


def _artifact(data: bytes) -> None:
    tar, blobs = _layout(data)
    file = folder() / "artifact.tar"
    file.write_bytes(tar)
    digests = {f"sha256:{hashlib.sha256(blob).hexdigest()}" for blob in blobs}
    with allowing_errors():
        image = read_artifact(file)
        assert image.digest is None or image.digest in digests, image.digest
        printable("".join(f"{each.platform}" for each in image.platforms))
    for digest in (*digests, "sha256:" + "0" * 64):
        _check_whole(file, digest, digests)


def _check_whole(file: Path, digest: str, digests: set[str]) -> None:
    """Check that a digest passes only if the tar contains its blob."""
    try:
        check_artifact(file, digest)
    except EvidenceError as error:
        printable(str(error))
    else:
        assert digest in digests


def _bytes(value: object) -> bytes:
    return json.dumps(value).encode()


def _entry(place: int, kind: str, **more: object) -> dict[str, object]:
    return {"mediaType": kind, "digest": f"@{place}", "size": 1, **more}


def _special(fmt: int, **attributes: object) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=fmt) as tar:
        info = tarfile.TarInfo("n" * 150)
        info.size = 3
        for name, value in attributes.items():
            setattr(info, name, value)
        tar.addfile(info, io.BytesIO(b"abc"))
    return buffer.getvalue()


_GOOD = tar_bytes(one_image()[0])
RAW = Reader(
    "tar",
    _raw,
    (
        _GOOD,
        gzip.compress(_GOOD),
        tar_bytes({"manifest.json": _bytes([{"Config": "a" * 64 + ".json"}])}),
        tar_bytes({"index.json": b"{}"}, link("index.json", tarfile.SYMTYPE, "x"), link("x", tarfile.CHRTYPE, "")),
        _special(tarfile.GNU_FORMAT, linkname="l" * 150),
        _special(tarfile.PAX_FORMAT, pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "size": "3"}),
        _special(tarfile.GNU_FORMAT, type=tarfile.GNUTYPE_SPARSE),
    ),
    ("index.json", "manifest.json", "blobs/sha256/", "ustar", "GNU.sparse.map=", "GNU.sparse.size=", "path=", "size="),
)
_TIMES = {"CreatedAt": {"seconds": 1, "nanos": 5}, "CompletedAt": {"seconds": 9}}
_LOG = message(vertex("a", "[1/2] FROM x", 1.0, 2.0), vertex("b", "[2/2] RUN y", 2.0, 4.5, error="e"))
_WORDS = (
    *("mediaType", "digest", "size", "platform", "annotations", "manifests", "layers", "config", "os", "architecture"),
    *("Ref", "Exporters", "Result", "Results", "Type", "Attrs", "media_type", "CreatedAt", "seconds", "nanos"),
    *(CONFIG, INDEX, MANIFEST, RECORD_TYPE, STATUS_TYPE, "@0", "@1", "@2", "@9", "\n%%\n", "vnd.docker.reference.type"),
)
RECORD = Reader(
    "record",
    _record,
    (
        input_of(
            _bytes({"config": {"mediaType": CONFIG, "digest": "sha256:" + "c" * 64, "size": 1}}),
            _LOG,
            _bytes(
                {
                    "Ref": "r1",
                    "Exporters": [{"Type": "image", "Attrs": {"name": "a"}}],
                    **_TIMES,
                    "Result": {"Results": {"0": {"media_type": MANIFEST, "digest": "@0", "size": 1}}},
                }
            ),
            _bytes(
                {
                    "config": _entry(2, RECORD_TYPE),
                    "layers": [_entry(0, "application/json"), _entry(1, STATUS_TYPE)],
                }
            ),
            _bytes({"manifests": [_entry(3, MANIFEST)]}),
            _bytes({"manifests": [_entry(4, INDEX)]}),
        ),
    ),
    _WORDS,
)
ARTIFACT = Reader(
    "artifact",
    _artifact,
    (
        input_of(
            _bytes({"os": "linux", "architecture": "arm", "variant": "v7"}),
            b"layer",
            _bytes({"config": _entry(0, CONFIG), "layers": [_entry(1, "application/vnd.oci.image.layer.v1.tar")]}),
            _bytes({"manifests": [_entry(2, MANIFEST, platform={"os": "linux", "architecture": "arm"})]}),
            _bytes({"manifests": [_entry(3, INDEX)]}),
        ),
        input_of(_bytes([{"Config": "blobs/sha256/" + "a" * 64}]), b"{}"),
    ),
    _WORDS,
)
