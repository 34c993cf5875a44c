"""A status log is read within its bounds: what lies on one is read, what lies beyond is not."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from action.errors import EvidenceError
from action.evidence import status_log
from action.evidence.record_file import RECORD_TYPE
from action.evidence.status_log import STATUS_TYPE, read_status_log
from tests.unit.evidence.test_status_log import message, vertex, write
from tests.unit.oci.layouts import MANIFEST, descriptor, encode, layout, write_tar

MIB = 1024 * 1024


def _text(size: int) -> bytes:
    """A log whose steps have so many characters in digests, names and errors, a third of them in each."""
    log, left = b"", size
    while left:
        part = min(left, 3 * MIB)
        third = part // 3
        name = chr(ord("a") + left // (3 * MIB)) + "d" * (third - 1)
        log += message(vertex(name, "n" * third, error="e" * (part - 2 * third)))
        left -= part
    return log


def _updates(count: int) -> bytes:
    part = 10_000
    whole = message(*[vertex("a", "n")] * part)
    return whole * (count // part) + message(*[vertex("a", "n")] * (count % part))


def _messages(count: int) -> bytes:
    return struct.pack("<I", 0) * count


@pytest.mark.parametrize(
    ("log", "most", "said"),
    [
        (_text, 32 * MIB, "has more about steps than is read: 3000 times, 33554432 characters"),
        (_updates, 3000, "has more about steps than is read: 3000 times, 33554432 characters"),
        (_messages, 1000, "has more than 1000 messages"),
    ],
)
def test_a_log_is_read_up_to_a_bound_and_not_beyond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Callable[[int], bytes], most: int, said: str
) -> None:
    # The real bounds take seconds to reach: the hostile records of test_hostile.py do.
    monkeypatch.setattr(status_log, "_MAX_UPDATES", 3000)
    monkeypatch.setattr(status_log, "_MAX_MESSAGES", 1000)
    assert len(read_status_log(write(tmp_path, log(most)))) == 1
    with pytest.raises(EvidenceError, match=said):
        read_status_log(write(tmp_path, log(most + 1)))


def test_a_message_is_read_up_to_4_mib_and_not_beyond(tmp_path: Path) -> None:
    # A field of a number that nobody knows takes the room: its key, three bytes of its length, and zeros.
    def log(size: int) -> bytes:
        rest = size - 5
        length = bytes([rest & 127 | 128, rest >> 7 & 127 | 128, rest >> 14 & 127 | 128, rest >> 21])
        return struct.pack("<I", size) + b"\x7a" + length + b"\0" * rest

    assert read_status_log(write(tmp_path, log(4 * MIB)))[0].steps == ()
    with pytest.raises(EvidenceError, match="a message of the status log has 4194305 bytes"):
        read_status_log(write(tmp_path, log(4 * MIB + 1)))


def test_the_bounds_hold_for_all_records_of_a_file_together(tmp_path: Path) -> None:
    logs = [_text(16 * MIB), _text(16 * MIB) + _text(1)]
    configs = [encode({"Ref": f"r{place}"}) for place in range(2)]
    manifests = [
        encode({"config": descriptor(config, RECORD_TYPE), "layers": [descriptor(log, STATUS_TYPE)]})
        for config, log in zip(configs, logs, strict=True)
    ]
    index = [descriptor(manifest, MANIFEST) for manifest in manifests]
    members = layout(*index, blobs=(*manifests, *configs, *logs))
    with pytest.raises(EvidenceError, match="has more about steps than is read"):
        read_status_log(write_tar(tmp_path / "r", members))
