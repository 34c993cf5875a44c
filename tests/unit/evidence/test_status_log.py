"""How a build went, from status logs as BuildKit frames them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from action.errors import EvidenceError
from action.evidence.record import Step
from action.evidence.record_file import RECORD_TYPE
from action.evidence.status_log import STATUS_TYPE, read_status_log
from tests.unit.oci.layouts import MANIFEST, descriptor, encode, layout, write_tar


def varint(number: int) -> bytes:
    data = b""
    while number > 127:
        data += bytes([number & 127 | 128])
        number >>= 7
    return data + bytes([number])


def field(number: int, content: bytes | str | int) -> bytes:
    """A field as protobuf encodes it (https://protobuf.dev/programming-guides/encoding)."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(data)) + data


def time(seconds: float) -> bytes:
    return field(1, int(seconds)) + field(2, round(seconds % 1 * 1e9))


def vertex(
    digest: str,
    name: str,
    started: float | None = None,
    completed: float | None = None,
    *,
    cached: bool = False,
    error: str = "",
) -> bytes:
    parts = [field(1, digest), field(2, "sha256:input"), field(3, name)]
    parts += [field(4, 1)] if cached else []
    parts += [field(5, time(started))] if started is not None else []
    parts += [field(6, time(completed))] if completed is not None else []
    parts += [field(7, error)] if error else []
    return b"".join(parts)


def message(*vertexes: bytes, more: bytes = b"") -> bytes:
    content = b"".join(field(1, each) for each in vertexes) + more
    return struct.pack("<I", len(content)) + content


def write(folder: Path, log: bytes, record: object = None) -> Path:
    times = {"CreatedAt": {"seconds": 10, "nanos": 500_000_000}, "CompletedAt": {"seconds": 20}}
    config = encode(record if record is not None else {"Ref": "r1", **times})
    manifest = encode({"config": descriptor(config, RECORD_TYPE), "layers": [descriptor(log, STATUS_TYPE)]})
    return write_tar(folder / "r", layout(descriptor(manifest, MANIFEST), blobs=(manifest, config, log)))


def test_a_step_is_told_from_its_first_start_to_its_last_end(tmp_path: Path) -> None:
    log = b"".join(
        [
            message(vertex("a", "[1/2] FROM x"), vertex("b", "[2/2] RUN y")),
            message(vertex("b", "[2/2] RUN y", 12.25), more=field(3, field(4, b"a log line") + field(9, b"new"))),
            message(vertex("a", "[1/2] FROM x", 11.0, 11.5, cached=True)),
            message(vertex("b", "[2/2] RUN y", 12.25, 13.0), more=field(99, b"of a later BuildKit")),
            message(vertex("b", "[2/2] RUN y", 14.0, 15.5, error="exit code: 1")),
        ]
    )
    (progress,) = read_status_log(write(tmp_path, log))
    assert (progress.ref, progress.created, progress.completed) == ("r1", 10.5, 20.0)
    assert progress.steps == (
        Step("[1/2] FROM x", 11.0, 11.5, cached=True),
        Step("[2/2] RUN y", 12.25, 15.5, error="exit code: 1"),
    )
    assert progress.steps[1].seconds == 3.25


def test_steps_come_in_the_order_in_which_they_started(tmp_path: Path) -> None:
    log = message(vertex("a", "never"), vertex("b", "late", 3.0), vertex("c", "early", 2.0))
    steps = read_status_log(write(tmp_path, log))[0].steps
    assert [step.name for step in steps] == ["early", "late", "never"]
    assert [step.completed for step in steps] == [None] * 3


@pytest.mark.parametrize("record", [{}, {"CreatedAt": None}, {"Ref": "r"}])
def test_a_record_without_times_or_steps_is_no_fault(tmp_path: Path, record: object) -> None:
    (progress,) = read_status_log(write(tmp_path, b"", record))
    assert (progress.created, progress.completed, progress.steps) == (None, None, ())


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (b"\x01", "is cut off"),
        (b"\xff\xff\xff\xff", "a message of the status log has 4294967295 bytes"),
        (message(b"\xff\xff\xff")[:-1], "is cut off"),
        (struct.pack("<I", 3) + b"\x0a\xff\xff", r"a message of the status log cannot be read \("),
        (b"\x05\0\0\0\x0a", "is cut off"),
    ],
)
def test_a_log_that_is_damaged_is_missing_evidence(tmp_path: Path, log: bytes, said: str) -> None:
    with pytest.raises(EvidenceError, match=f"^{tmp_path}/r: .*{said}"):
        read_status_log(write(tmp_path, log))


def test_a_record_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=f"^{tmp_path}/r: "):
        read_status_log(write(tmp_path, b"", {"Ref": 1}))
