"""Whatever BuildKit's API sends: a record is that of its build, whole, or there is an error."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from action.buildx.grpc import Call, GrpcConnection
from action.buildx.live_connection import OPENING
from action.errors import EvidenceError
from action.evidence.buildkit_api import LiveRecord, read_event
from tests.buildkit_api import Api
from tests.unit.evidence.test_status_log import field

_PATH = "/moby.buildkit.v1.Control/ListenBuildHistory"
_REQUEST = field(2, "first") + field(3, 1)


def _event(ref: str, kind: int, digest: str) -> bytes:
    result = field(3, field(1, 0) + field(2, field(1, "some/thing") + field(2, digest) + field(3, 7)))
    return field(1, kind) + field(2, field(1, ref) + field(7, field(1, 5)) + field(10, result))


class _Memory:
    """A connection to the API in this process, which changes bytes that come from there."""

    def __init__(self, api: Api, faults: dict[int, int], sizes: list[int]) -> None:
        self._api = api
        self._faults = faults
        self._sizes = sizes
        self._received = bytearray(api.answered(OPENING))
        self._count = 0

    def send(self, data: bytes, _deadline: float) -> None:
        self._received += self._api.answered(data)

    def receive(self, _deadline: float) -> bytes:
        size = self._sizes.pop() if self._sizes else 65536
        chunk = bytearray(self._received[:size])
        del self._received[: len(chunk)]
        if not chunk:
            raise EvidenceError("the connection ended")
        for place in range(len(chunk)):
            chunk[place] ^= self._faults.get(self._count + place, 0)
        self._count += len(chunk)
        return bytes(chunk)


def _records(messages: list[bytes], faults: dict[int, int], sizes: list[int]) -> list[LiveRecord]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "history").mkdir()
        for place, message in enumerate(messages):
            (folder / f"history/first-{place:02}").write_bytes(message)
        received: list[bytes] = []
        connection = GrpcConnection(_Memory(Api(folder, "good"), faults, sizes))
        call = Call(_PATH, _REQUEST, received.append)
        connection.call([call], time.monotonic() + 60, 1_000_000)
        assert call.status == 0
        return [record for message in received if (record := read_event(message))]


_DIGESTS = st.sampled_from([f"sha256:{letter * 64}" for letter in "abcd"])
_EVENTS = st.lists(st.tuples(st.sampled_from(["first", "other"]), st.integers(0, 2), _DIGESTS), max_size=8)


@settings(max_examples=100, deadline=None)
@given(_EVENTS, st.lists(st.integers(1, 40), max_size=60))
def test_events_come_whole_and_in_their_order_however_their_bytes_are_split(
    events: list[tuple[str, int, str]], sizes: list[int]
) -> None:
    records = _records([_event(*event) for event in events], {}, sizes)
    complete = [(ref, digest) for ref, kind, digest in events if kind == 1]
    assert [(each.ref, each.results[0].digest) for each in records] == complete


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.integers(0, 400), st.integers(1, 255), min_size=1, max_size=4))
def test_bytes_that_were_changed_on_the_way_raise_no_other_error(faults: dict[int, int]) -> None:
    try:
        records = _records([_event("first", 1, f"sha256:{'a' * 64}")], faults, [])
    except EvidenceError:
        return
    except AssertionError:
        # Another status than the one that was sent.
        return
    assert len(records) <= 1
