"""A registry with faults: a proxy on loopback that passes everything on to the real one, but for what it is told."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

RATE_LIMITED = json.dumps(
    {
        "errors": [
            {
                "code": "DENIED",
                "message": 'permission_denied: Error from intermediary with HTTP status code 403 "Forbidden" - '
                'with-body: {\n  "message": "You have exceeded a secondary rate limit. Please wait a while."\n}\n',
            }
        ]
    }
)
"""The body of ghcr.io's 403 that is no refusal."""


@dataclass
class Fault:
    """What goes wrong with requests.

    Attributes:
        method: the requests' method, or a pattern of several.
        path: a pattern that their path holds.
        answer: a status to answer with, "reset" for a connection that is reset, "cut" for one that is reset when half
            of what the client sends has come, "hang" for no answer at all, or "tamper" for the real answer of a
            manifest with a byte more, and a header with the digest of that.
        times: how many requests it befalls; None for all.
        body: what an answer with a status holds.
        headers: the headers that such an answer has beside its type.
    """

    method: str
    path: str
    answer: int | Literal["reset", "cut", "hang", "tamper"]
    times: int | None = None
    body: str = '{"errors":[]}'
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Proxy:
    """The proxy.

    Attributes:
        address: `localhost:PORT`.
        faults: what goes wrong; the first that fits a request befalls it.
        authorization: the header that each request must have, or None.
        requests: method and path of every request that came.
        faulted: how many of them a fault befell.
        after: called with method and path of a request that the registry has answered, before the client gets that
            answer; or None.
    """

    address: str
    faults: list[Fault] = field(default_factory=list)
    authorization: str | None = None
    requests: list[tuple[str, str]] = field(default_factory=list)
    faulted: int = 0
    after: Callable[[str, str], None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault_of(self, method: str, path: str) -> Fault | None:
        with self.lock:
            self.requests.append((method, path))
            for fault in self.faults:
                if re.fullmatch(fault.method, method) and re.search(fault.path, path) and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    self.faulted += 1
                    return fault
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, registry: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.registry = registry
        self.closing = threading.Event()
        self.proxy = Proxy(f"localhost:{self.server_address[1]}")

    def handle_error(self, *_arguments: object) -> None:
        """A client that goes away is no fault."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle(self) -> None:
        # A client that tries TLS first falls back to plain HTTP on an answer that says what this is.
        with suppress(OSError):
            if self.connection.recv(1, socket.MSG_PEEK) == b"\x16":
                self.wfile.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                return
        super().handle()

    def _pass_on(self) -> None:
        fault = self.server.proxy.fault_of(self.command, self.path)
        if fault is not None and fault.answer == "cut":
            self.rfile.read(int(self.headers.get("Content-Length") or 2) // 2)
            self._reset()
            return
        body = self._body()
        wanted = self.server.proxy.authorization
        if wanted is not None and self.headers.get("Authorization") != wanted:
            challenge = {"Content-Type": "application/json", "WWW-Authenticate": 'Basic realm="test"'}
            self._answer(401, challenge, b'{"errors":[{"code":"UNAUTHORIZED"}]}')
            return
        if fault is not None and fault.answer == "reset":
            self._reset()
            return
        if fault is not None and fault.answer == "hang":
            self.server.closing.wait()
            self.close_connection = True
            return
        if fault is not None and isinstance(fault.answer, int):
            headers = {"Content-Type": "application/json", **fault.headers}
            self._answer(fault.answer, headers, fault.body.encode())
            return
        connection = http.client.HTTPConnection(self.server.registry, timeout=30)
        # A header may stand several times: a Docker Engine sends a media type in each Accept.
        headers = {
            name: ", ".join(self.headers.get_all(name, ()))
            for name in self.headers
            if name.lower() != "transfer-encoding"
        }
        connection.request(self.command, self.path, body=body or None, headers=headers)
        answer = connection.getresponse()
        content, given = answer.read(), dict(answer.getheaders())
        connection.close()
        if self.server.proxy.after is not None:
            self.server.proxy.after(self.command, self.path)
        if fault is not None and content:
            content += b"\n"
            given["Docker-Content-Digest"] = "sha256:" + hashlib.sha256(content).hexdigest()
        self._answer(answer.status, given, content)

    def _reset(self) -> None:
        # With a linger of 0 a close is a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _pass_on  # noqa: N815

    def log_message(self, *_arguments: object) -> None:
        """Nothing is logged."""


@contextmanager
def registry_proxy(registry: str) -> Iterator[Proxy]:
    """A proxy before a registry, for as long as the block runs."""
    with _Server(registry) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.proxy
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
