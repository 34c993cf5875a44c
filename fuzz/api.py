"""Fuzz target for BuildKit's API: the bytes of a server, and its messages."""

from __future__ import annotations

import time

from action.buildx.grpc import Call, GrpcConnection
from action.buildx.live_connection import OPENING
from action.errors import EvidenceError
from action.evidence.buildkit_api import read_content, read_event
from action.evidence.status_log import StatusReader
from fuzz.reader import Reader, allowing_errors, folder
from tests.buildkit_api import Api
from tests.unit.evidence.test_status_log import field, vertex

_PATH = "/moby.buildkit.v1.Control/ListenBuildHistory"
_REQUEST = field(2, "first") + field(3, 1)
_DIGEST = f"sha256:{'a' * 64}"
_RESULT = field(3, field(1, 0) + field(2, field(1, "application/x") + field(2, _DIGEST) + field(3, 7)))
_EVENT = field(1, 1) + field(2, field(1, "first") + field(4, field(1, "image")) + field(7, b"") + field(10, _RESULT))


class _Played:
    """A connection whose server sends certain bytes, whatever it receives, and ends then."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def send(self, _data: bytes, _deadline: float) -> None:
        """Drop the bytes."""

    def receive(self, _deadline: float) -> bytes:
        data, self._data = self._data, b""
        if not data:
            raise EvidenceError("the connection ended")
        return data


def _api(data: bytes) -> None:
    """Read the bytes of a server, and the same bytes as messages."""
    received: list[bytes] = []
    call = Call(_PATH, _REQUEST, received.append)
    with allowing_errors():
        GrpcConnection(_Played(data)).call([call], time.monotonic() + 60, 1_000_000)
        assert call.status is not None
    for message in (data, *received):
        with allowing_errors():
            record = read_event(message)
            assert record is None or all(":" in result.digest for result in record.results.values())
            assert record is None or record.with_blobs({}).images.keys() == record.results.keys()
        with allowing_errors():
            read_content(message)
        with allowing_errors():
            StatusReader("fuzz").take(message, {})


def _conversation() -> bytes:
    """Return what a server sends to a client that asks for a record."""
    history = folder() / "history"
    history.mkdir(exist_ok=True)
    (history / "first").write_bytes(_EVENT)
    sent: list[bytes] = []
    received: list[bytes] = []
    api = Api(folder(), "good")

    class Recorded(_Played):
        def send(self, data: bytes, _deadline: float) -> None:
            sent.append(api.answered(data))
            self._data += sent[-1]

    first = api.answered(OPENING)
    GrpcConnection(Recorded(first)).call([Call(_PATH, _REQUEST, received.append)], time.monotonic() + 60, 1_000_000)
    return first + b"".join(sent)


API = Reader(
    "api",
    _api,
    (_conversation(), _EVENT, field(1, vertex("a", "[1/1] COPY", 1.0, 2.0)), field(2, b"{}")),
    ("grpc-status", "grpc-message", "first", _DIGEST, "\0\0\0\0\0", "\x12", "\x0a"),
)
