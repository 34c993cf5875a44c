"""A package index on loopback with the content of the one that pip is configured for, and the speed of a near one.

It passes each request on once, keeps the answer, and gives it to all later requests. So the pages have their real size,
which takes most of pip's time, and the network is the same for every run.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

DELAY_SECONDS = 0.02
"""Delay of each answer in seconds: that of a request to a server in the same region."""

_PASSED_ON = ("Accept", "Range")
_KEPT = ("Content-Type", "Content-Range", "Accept-Ranges", "ETag")
_LINK = re.compile(rb'https://([^/"<>\s]+)/')


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@contextmanager
def near_index() -> Iterator[str]:
    """Serve the machine's package index on loopback and yield the URL of its simple API."""
    upstream = urlsplit(_configured_index())
    answers: dict[tuple[str, ...], _Answer] = {}
    addresses: list[str] = []
    lock = threading.Lock()

    class Index(BaseHTTPRequestHandler):
        # Connections stay open, as with a real index.
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            key = (self.path, *(self.headers.get(name, "") for name in _PASSED_ON))
            with lock:
                if key not in answers:
                    answers[key] = _asked(self.path, dict(zip(_PASSED_ON, key[1:], strict=True)), addresses[0])
            answer = answers[key]
            time.sleep(DELAY_SECONDS)
            self.send_response_only(answer.status)
            for name, value in (*answer.headers, ("Content-Length", str(len(answer.body)))):
                self.send_header(name, value)
            # The client may have been killed meanwhile.
            with contextlib.suppress(ConnectionError):
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(answer.body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_arguments: object) -> None:
            """Log nothing: the default writes each request to standard error, into the table."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        addresses.append(f"http://127.0.0.1:{server.server_address[1]}")
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            path = upstream.path.strip("/")
            yield f"{addresses[0]}/{upstream.netloc}/{path}/"
        finally:
            server.shutdown()
            thread.join()


def _asked(path: str, headers: dict[str, str], origin: str) -> _Answer:
    """Request a path from the server that it names, and rewrite the links in a page so that they lead here."""
    url = f"https:/{path}"
    given = {name: value for name, value in headers.items() if value}
    request = urllib.request.Request(url, headers=given)  # noqa: S310  # it is https
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310  # see above
            status, found, body = response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        status, found, body = error.code, error.headers, error.read()
    if "simple" in found.get("Content-Type", "") or "html" in found.get("Content-Type", ""):
        body = _LINK.sub(rf"{origin}/\1/".encode(), body)
    return _Answer(status, tuple((name, found[name]) for name in _KEPT if name in found), body)


def _configured_index() -> str:
    """Return the URL of the index that pip uses on this machine."""
    if named := os.environ.get("PIP_INDEX_URL"):
        return named
    pip = (sys.executable, "-m", "pip")
    set_ = subprocess.run([*pip, "config", "get", "global.index-url"], capture_output=True, text=True, check=False)
    if set_.returncode == 0:
        return set_.stdout.strip()
    environment = {**os.environ, "COLUMNS": "1000"}
    options = subprocess.run(
        [*pip, "install", "--help"], capture_output=True, text=True, check=True, env=environment
    ).stdout
    (default,) = re.findall(r"--index-url <url> .*?\(default (\S+?)\)", options)
    return str(default)
