"""Calls of gRPC methods over one connection: HTTP/2 without TLS, as BuildKit's own client speaks it.

Protocol: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. Only what BuildKit's methods need: one request
message, and any number of response messages without compression.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes

from action.buildx.live_connection import WINDOW
from action.dataclass import dataclass, field
from action.errors import EvidenceError

MAX_MESSAGE = 16 * 1024 * 1024
"""Longest response message that is read, in bytes; BuildKit's client has the same limit (defaults.go)."""

MAX_STREAMS = 32
"""Maximum number of calls at the same time. Each request is short, so that they all fit into a socket's buffer."""

_FRAME_HEADER = 9
_SETTINGS_FRAME = 4
_PREFIX = struct.Struct(">BI")
# The text of another program in an error has at most this many bytes.
_MAX_SHOWN = 500
# gRPC has the status codes 0 to 16; a longer number is not one.
_MAX_STATUS = 4


class Stream(Protocol):
    """Connection with a time limit for each call, as a time of `time.monotonic`."""

    def send(self, data: bytes, deadline: float) -> None:
        """Send bytes, or raise an EvidenceError."""

    def receive(self, deadline: float) -> bytes:
        """Return the next bytes, at least one, or raise an EvidenceError."""


@dataclass
class Call:
    """A call of a method.

    Attributes:
        path: the method, such as `/moby.buildkit.v1.Control/Status`.
        request: the request message.
        take: gets each response message as it comes; it may raise an EvidenceError, which ends all calls.
        status: the gRPC status code, 0 for success; None if the call has not ended.
        message: the error message that comes with the status.
    """

    path: str
    request: bytes
    take: Callable[[bytes], None]
    status: int | None = None
    message: str = ""
    received: bytearray = field(default_factory=bytearray, repr=False)


class GrpcConnection:
    """Connection to a gRPC server.

    After an error it cannot be used again.

    Args:
        stream: the connection's bytes; `live_connection.OPENING` has been sent.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        # These bytes are not sent: the connection has been opened with others, which mean the same.
        self._http.initiate_connection()
        self._http.update_settings({SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self._http.increment_flow_control_window(WINDOW)
        self._http.clear_outbound_data_buffer()
        self._running: dict[int, Call] = {}
        self._first = b""

    def call(self, calls: Sequence[Call], deadline: float, max_bytes: int) -> None:
        """Call methods, many at the same time, and return when all calls have ended.

        Args:
            calls: the calls; their status is set.
            deadline: the time of `time.monotonic` after which the server is too slow.
            max_bytes: the number of bytes that are received at most, for all of the calls together.

        Raises:
            SlowEvidenceError: the calls did not end in time.
            EvidenceError: the connection ended, the server breaks the protocol, or it sends too much.
        """
        waiting = list(reversed(calls))
        left = max_bytes
        try:
            while waiting or self._running:
                while waiting and len(self._running) < MAX_STREAMS:
                    self._start(waiting.pop())
                self._flush(deadline)
                data = self._stream.receive(deadline)
                left -= len(data)
                if left < 0:
                    raise EvidenceError(f"BuildKit's API sends more than the limit of {max_bytes} bytes")
                for event in self._http.receive_data(self._checked(data)):
                    self._handle(event)
        except H2Error as error:
            raise EvidenceError(f"BuildKit's API does not speak HTTP/2: {error}") from None

    def _checked(self, data: bytes) -> bytes:
        """Return received bytes, unless they are the first ones and no frame of settings, which a server sends first.

        h2 would take other bytes for the length of a frame, and wait for 16 MiB.
        """
        if len(self._first) >= _FRAME_HEADER:
            return data
        self._first += data
        if len(self._first) < _FRAME_HEADER:
            return b""
        if self._first[0] or self._first[3] != _SETTINGS_FRAME:
            raise EvidenceError("BuildKit's API does not speak HTTP/2")
        return self._first

    def _start(self, call: Call) -> None:
        number = self._http.get_next_available_stream_id()
        headers = (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", call.path),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        )
        self._http.send_headers(number, headers)
        self._http.send_data(number, _PREFIX.pack(0, len(call.request)) + call.request, end_stream=True)
        self._running[number] = call

    def _flush(self, deadline: float) -> None:
        if data := self._http.data_to_send():
            self._stream.send(data, deadline)

    def _handle(self, event: Event) -> None:
        if isinstance(event, ConnectionTerminated):
            raise EvidenceError("BuildKit's API ended the connection")
        call = self._running.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, DataReceived):
            self._http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            if call is not None:
                call.received += event.data or b""
                _take_messages(call)
        elif call is None:
            return
        elif isinstance(event, (ResponseReceived, TrailersReceived)):
            _read_status(call, event.headers or ())
        elif isinstance(event, (StreamEnded, StreamReset)):
            del self._running[event.stream_id or 0]
            # The status comes last, in the trailers: without it the answer is not complete.
            if call.status is None or call.received:
                raise EvidenceError("BuildKit's API cut off an answer")


def _take_messages(call: Call) -> None:
    while len(call.received) >= _PREFIX.size:
        compressed, length = _PREFIX.unpack_from(call.received)
        if compressed or length > MAX_MESSAGE:
            raise EvidenceError(f"BuildKit's API sends a message of {length} bytes (compression {compressed})")
        end = _PREFIX.size + length
        if len(call.received) < end:
            return
        message = bytes(call.received[_PREFIX.size : end])
        del call.received[:end]
        call.take(message)


def _read_status(call: Call, headers: Iterable[tuple[bytes, bytes]]) -> None:
    values = dict(headers)
    if (http := values.get(b":status", b"200")) != b"200":
        raise EvidenceError(f"BuildKit's API answers with the HTTP status {http[:_MAX_SHOWN].decode('latin-1')}")
    if (status := values.get(b"grpc-status")) is not None:
        call.status = int(status) if status.isdigit() and len(status) < _MAX_STATUS else -1
        call.message = unquote(values.get(b"grpc-message", b"")[:_MAX_SHOWN].decode("latin-1"))
