"""Records made to take for ever or to fill the memory: read within bounds, or refused with the file's name."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from action.errors import EvidenceError
from action.evidence.record_file import RECORD_TYPE, read_record
from action.evidence.status_log import STATUS_TYPE, read_status_log
from tests.measured import measured
from tests.unit.evidence.test_record_file import result, write
from tests.unit.evidence.test_status_log import field, message, vertex
from tests.unit.oci.layouts import INDEX, MANIFEST, blob_name, descriptor, digest_of, encode, image, layout, write_tar

MB = 10**6
NOTHING = "sha256:" + "0" * 64
Members = dict[str, bytes]


def of_record(config: bytes, *blobs: bytes, layers: list[dict[str, object]] | None = None) -> Members:
    """The members of a record's tar."""
    if layers is None:
        layers = [descriptor(blob, "application/json") for blob in blobs]
    manifest = encode({"config": descriptor(config, RECORD_TYPE), "layers": layers})
    return layout(descriptor(manifest, MANIFEST), blobs=(manifest, config, *blobs))


def of_log(*pieces: bytes, times: int = 1) -> Members:
    """The members of a record with a status log, which the record names some times."""
    log = b"".join(pieces)
    return of_record(b"{}", log, layers=[descriptor(log, STATUS_TYPE)] * times)


def of_index(index: bytes, *blobs: bytes) -> Members:
    return layout(descriptor(index, INDEX), blobs=(index, *blobs))


def entries(number: int, digest: str = NOTHING, kind: str = MANIFEST) -> bytes:
    """An index of many entries, all of them the same."""
    entry = encode({"mediaType": kind, "digest": digest, "size": 1})
    return b'{"manifests": [' + b",".join([entry] * number) + b"]}"


def _padded(value: object, size: int) -> bytes:
    return encode(value) + b" " * size


def _results(number: int, blob: bytes, kind: str) -> bytes:
    made = result(blob, kind)
    return encode({"Ref": "r", "Result": {"Results": {str(place): made for place in range(number)}}})


def _many_results() -> Members:
    manifest = _padded({"config": descriptor(b"c", "x")}, 2 * MB)
    index = entries(1000, digest_of(manifest))
    return of_record(_results(50_000, index, INDEX), index, manifest)


def _indexes_in_indexes() -> Members:
    """An index of many indexes, each of which names many: all are short, but all that they name is not."""
    inner = [entries(4000) + b" " * place for place in range(60)]
    outer = encode({"manifests": [descriptor(each, INDEX) for each in inner]})
    return of_index(outer, *inner)


def _many_records() -> Members:
    configs = [b'{"Exporters": [' + b"{}," * 100_000 + b"{}]}" + b" " * place for place in range(40)]
    manifests = [encode({"config": descriptor(config, RECORD_TYPE)}) for config in configs]
    index = encode({"manifests": [descriptor(each, MANIFEST) for each in manifests]})
    return of_index(index, *manifests, *configs)


LOG_OF_A_STEP = field(3, field(4, b"x" * 1000))
HOSTILE: dict[str, Callable[[], Members]] = {
    "an index of many": lambda: of_index(entries(120_000)),
    "indexes in indexes": _indexes_in_indexes,
    "one manifest again and again": lambda: of_index(entries(100_000, digest_of(image()[0])), *image()),
    "results without end": _many_results,
    "exporters without end": lambda: of_record(b'{"Exporters": [' + b"{}," * 5 * MB + b"{}]}"),
    "attributes without end": lambda: of_record(
        b'{"Exporters": [{"Attrs": {' + b",".join(b'"%x":""' % number for number in range(MB // 3)) + b"}}]}"
    ),
    "attributes that are no text": lambda: of_record(
        b'{"Exporters": [{"Attrs": {' + b",".join(b'"%x":1' % number for number in range(MB)) + b"}}]}"
    ),
    "results that are none": lambda: of_record(
        b'{"Result": {"Results": {' + b",".join(b'"%d":{}' % number for number in range(MB)) + b"}}}"
    ),
    "entries that are none": lambda: of_index(b'{"manifests": [' + b"{}," * MB + b"{}]}"),
    "entries of the least size": lambda: of_index(
        b'{"manifests": [' + b'{"mediaType":"","digest":"a:b","size":0},' * 350_000 + entries(1)[15:]
    ),
    "many records": _many_records,
}
LOGS: dict[str, Callable[[], Members]] = {
    "50 MB of log": lambda: of_log(*[message(vertex("a", "step", 1.0), more=LOG_OF_A_STEP * 1000)] * 50),
    "messages of nothing": lambda: of_log(b"\0" * (5 * MB)),
    "messages of a step": lambda: of_log(message(vertex("a", "step", 1.0)) * 320_000),
    "steps of nothing": lambda: of_log(*[message(more=b"\x0a\0" * (2 * MB))] * 3),
    "steps without end": lambda: of_log(*(message(*[vertex(f"{n}", "x" * 300)] * 10) for n in range(12_000))),
    "names of a megabyte": lambda: of_log(*(message(vertex(f"{number}", "x" * MB)) for number in range(40))),
    "a message of 20 MB": lambda: of_log(struct.pack("<I", 20 * MB), b"\0" * (20 * MB)),
    "one log again and again": lambda: of_log(message(more=LOG_OF_A_STEP * 3000) * 9, times=30),
}


@pytest.mark.parametrize("name", [*HOSTILE, *LOGS])
def test_a_hostile_record_is_refused_or_read_within_3_s_and_400_mib(tmp_path: Path, name: str) -> None:
    file = write_tar(tmp_path / "x.dockerbuild", (HOSTILE | LOGS)[name]())
    reader = "status_log.read_status_log" if name in LOGS else "record_file.read_records"
    found = measured(
        "from pathlib import Path; from action.evidence import record_file, status_log",
        f"print(len({reader}(Path({str(file)!r}))), 'read')",
    )
    assert found.said.startswith(f"{file}: ") or found.said.endswith(" read"), found.said
    assert found.seconds < 3
    assert found.memory < 400


def test_a_file_has_at_most_100_000_exporters_in_all_its_records_together(tmp_path: Path) -> None:
    def records(number: int) -> Path:
        configs = [encode({"Ref": f"r{place}", "Exporters": [{}] * number}) for place in range(2)]
        manifests = [encode({"config": descriptor(config, RECORD_TYPE)}) for config in configs]
        index = encode({"manifests": [descriptor(each, MANIFEST) for each in manifests]})
        return write_tar(tmp_path / "x.dockerbuild", of_index(index, *manifests, *configs))

    assert len(read_record(records(50_000), "r1").exporters) == 50_000
    with pytest.raises(EvidenceError, match="its records have more than the limit of 100000 exporters"):
        read_record(records(50_001), "r1")


@pytest.mark.parametrize("place", ["9" * 5000, "\u0663", "00", "01", "1_0", "+1", " 1", "-1", "9" * 7])
def test_a_result_at_a_place_that_no_exporter_has_is_passed_over(tmp_path: Path, place: str) -> None:
    file = write(tmp_path, {"Ref": "r1", "Result": {"Results": {place: result(b"a"), "3": result(b"b")}}})
    assert {at: made.digest for at, made in read_record(file, "r1").images.items()} == {3: digest_of(b"b")}


@pytest.mark.parametrize("time", [{"seconds": 10**400}, {"seconds": -(10**30)}, {"nanos": 2**63}, {"seconds": 1e300}])
def test_a_time_that_is_none_is_missing_evidence(tmp_path: Path, time: object) -> None:
    with pytest.raises(EvidenceError, match=r"x.dockerbuild: at /CreatedAt/\w+: expected a"):
        read_status_log(write(tmp_path, {"Ref": "r1", "CreatedAt": time}))


def test_a_blob_that_is_a_link_to_one_is_not_there(tmp_path: Path) -> None:
    config = encode({"Ref": "r1"})
    members = of_record(config)
    members.pop(blob_name(digest_of(config)))
    file = write_tar(tmp_path / "x.dockerbuild", {**members, "elsewhere": config})
    with pytest.raises(EvidenceError, match=r"x.dockerbuild: the record sha256:\w+ is not in it"):
        read_record(file, "r1")
