"""A BuildKit's API on standard input and output, for faults that a real one cannot have: `python buildkit_api.py MODE`.

It is started in the place of `docker buildx dial-stdio`. What it serves is in the folder BUILDKIT_API: the messages of
`ListenBuildHistory` for a build in `history/ID`, and blobs in `content/ENCODED`; a missing history is an empty one.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, WindowUpdated

_PREFIX = 5


class Api:
    """Server of one connection.

    Args:
        folder: what it serves.
        mode: `good`, or the fault that it has.
    """

    def __init__(self, folder: Path, mode: str) -> None:
        self._folder = folder
        self._mode = mode
        self._http = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._paths: dict[int, str] = {}
        self._requests: dict[int, bytes] = {}

        self._http.initiate_connection()

    def serve(self) -> None:
        """Serve standard input and output."""
        self._write()
        while data := os.read(0, 65536):
            self._take(data)
            self._write()

    def answered(self, data: bytes) -> bytes:
        """Return what is sent after some bytes are received."""
        self._take(data)
        return self._http.data_to_send()

    def _take(self, data: bytes) -> None:
        for event in self._http.receive_data(data):
            if isinstance(event, RequestReceived):
                headers = dict(event.headers or ())
                self._paths[event.stream_id or 0] = headers[b":path"].decode()
            elif isinstance(event, DataReceived):
                number = event.stream_id or 0
                self._requests[number] = self._requests.get(number, b"") + (event.data or b"")
            elif isinstance(event, StreamEnded):
                self._answer(event.stream_id or 0)

    def _answer(self, number: int) -> None:
        method, request = self._paths[number].rpartition("/")[2], self._requests[number][_PREFIX:]
        with (self._folder / "log").open("a", encoding="utf-8") as log:
            log.write(f"{method}\n")
        if self._mode == "unimplemented":
            self._http.send_headers(number, [(":status", "200"), ("grpc-status", "12")], end_stream=True)
            return
        if self._mode == "http-error":
            self._http.send_headers(number, [(":status", "503")], end_stream=True)
            return
        self._http.send_headers(number, [(":status", "200"), ("content-type", "application/grpc")])
        if self._mode == "cut-off":
            self._http.end_stream(number)
            return
        if self._mode == "flood":
            self._flood(number)
        for message in self._messages(method, request):
            self._send(number, message)
        self._http.send_headers(number, [("grpc-status", "0")], end_stream=True)

    def _messages(self, method: str, request: bytes) -> list[bytes]:
        # The first field of each request that is a text: tag, length, text.
        text = request[2 : 2 + request[1]].decode()
        folder = self._folder / {"ListenBuildHistory": "history", "Read": "content", "Status": "status"}[method]
        files = sorted(folder.glob(f"{text.rpartition(':')[2]}*"))
        return [file.read_bytes() for file in files]

    def _send(self, number: int, message: bytes) -> None:
        data = (b"\1" if self._mode == "compressed" else b"\0") + len(message).to_bytes(4, "big") + message
        for start in range(0, len(data), 16384):
            self._http.send_data(number, data[start : start + 16384])

    def _flood(self, number: int) -> None:
        while True:
            while self._http.local_flow_control_window(number) < 16384:
                for event in self._http.receive_data(os.read(0, 65536)):
                    assert isinstance(event, WindowUpdated), event
            self._send(number, bytes(16000))
            self._write()

    def _write(self) -> None:
        data = self._http.data_to_send()
        while data:
            data = data[os.write(1, data) :]


def main() -> None:
    mode = sys.argv[1]
    if mode == "silent":
        time.sleep(600)
    elif mode == "nonsense":
        os.write(1, os.urandom(70_000))
        while os.read(0, 65536):
            pass
    elif mode == "absent":
        sys.exit("ERROR: unknown command: docker buildx dial-stdio\n\nRun 'docker buildx --help' for more information")
    else:
        Api(Path(os.environ["BUILDKIT_API"]), mode).serve()


if __name__ == "__main__":
    main()
