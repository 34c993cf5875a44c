"""GitHub's cache service on loopback, version 2, as BuildKit speaks it (tonistiigi/go-actions-cache, cache_v2.go).

A client reserves an entry, uploads its bytes to a signed URL, and commits it. Another client asks for a key, or for
keys that begin with a text, and gets a signed URL to download from. Each entry belongs to the scope of a Git reference,
and a token lists the scopes that may be read and written. The signed URLs are those of Azure's block blobs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

READ, WRITE = 1, 2
"""The bits of a permission in a token (tonistiigi/go-actions-cache, cache.go)."""

MAIN: Mapping[str, int] = {"refs/heads/main": READ | WRITE}
"""The scopes of a push to the default branch."""

PULL_REQUEST: Mapping[str, int] = {"refs/pull/7/merge": READ | WRITE, "refs/heads/main": READ}
"""The scopes of the event `pull_request`, forks included."""

READ_ONLY: Mapping[str, int] = {"refs/heads/main": READ}
"""The scopes of an event that anybody may cause and that runs on the default branch, such as `pull_request_target`."""

_TWIRP = "/twirp/github.actions.results.api.v1.CacheService/"
_DENIED = "cache write denied: the token is read-only"
_LAYER = "buildkit-blob-1-"
_SECONDS = 3600


@dataclass(eq=False)
class Entry:
    """An entry of the cache.

    Attributes:
        scope: the Git reference that it belongs to.
        key: its key.
        version: what else a client must name to get it.
        data: its bytes; None until they are uploaded.
        committed: whether it can be found.
        blocks: uploaded parts by their ID, until a list puts them in order.
    """

    scope: str
    key: str
    version: str
    data: bytes | None = None
    committed: bool = False
    blocks: dict[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> tuple[str, str, str]:
        """What no other entry has."""
        return self.scope, self.key, self.version


@dataclass
class CacheService:
    """The service.

    Attributes:
        url: ACTIONS_RESULTS_URL, with a slash at the end, as on GitHub's runners.
        stop: closes the port, so that connections are refused.
        entries: the entries, the newest last.
        fault: the status that each call of the service is answered with, or None.
        calls: the name of each call that was answered without a fault.
        blobs: the method and the operation of each request to a signed URL: `PUT`, `PUT block`, `PUT blocklist`, `GET`.
        downloads: the digest of each layer that was downloaded, or the whole key of an index.
        refused: the path of each request without a valid token or signature.
        agents: the User-Agent of each client.
        secret: the key that signs tokens and URLs.
        lock: held while a request is answered.
    """

    url: str
    stop: Callable[[], None]
    entries: list[Entry] = field(default_factory=list)
    fault: HTTPStatus | None = None
    calls: list[str] = field(default_factory=list)
    blobs: list[str] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    lock: threading.RLock = field(default_factory=threading.RLock)

    def token(self, scopes: Mapping[str, int] = MAIN, seconds: int = _SECONDS) -> str:
        """Return a token: a JWT whose claim `ac` holds the scopes as JSON in a string.

        Args:
            scopes: Git reference to permission. Clients write into the last one that may be written.
            seconds: how long it is valid.
        """
        now = int(time.time())
        access = [{"Scope": scope, "Permission": permission} for scope, permission in scopes.items()]
        header = {"alg": "HS256", "typ": "JWT", "jti": secrets.token_hex(8)}
        claims = {"ac": json.dumps(access), "nbf": now - 60, "exp": now + seconds, "scp": "Actions.Results:run:job"}
        text = ".".join(_encoded(json.dumps(each).encode()) for each in (header, claims))
        return f"{text}.{self._signature(text)}"

    def variables(self, scopes: Mapping[str, int] = MAIN) -> dict[str, str]:
        """Return what the runner adds to the environment of a JavaScript action (NodeScriptActionHandler.cs)."""
        return {
            "ACTIONS_RUNTIME_URL": f"{self.url}runtime/",
            "ACTIONS_RUNTIME_TOKEN": self.token(scopes),
            "ACTIONS_CACHE_URL": f"{self.url}version-1/",
            "ACTIONS_RESULTS_URL": self.url,
            "ACTIONS_CACHE_SERVICE_V2": "True",
        }

    def keys(self, start: str = "", scope: str = "refs/heads/main") -> list[str]:
        """Return the keys of a scope's entries that can be found and begin with a text, the oldest first."""
        with self.lock:
            found = [each for each in self.entries if each.committed and each.scope == scope]
            return [each.key for each in found if each.key.startswith(start)]

    def layers(self) -> dict[str, bytes]:
        """Return the layers that are cached: digest to bytes."""
        with self.lock:
            return {
                each.key.removeprefix(_LAYER): each.data or b""
                for each in self.entries
                if each.committed and each.key.startswith(_LAYER)
            }

    def scopes_of(self, authorization: str) -> dict[str, int] | None:
        """Return the scopes of a bearer token, or None if this service did not issue it or it is no longer valid."""
        kind, _, token = authorization.partition(" ")
        text, _, signature = token.rpartition(".")
        if kind != "Bearer" or not hmac.compare_digest(signature, self._signature(text)):
            return None
        claims = json.loads(base64.urlsafe_b64decode(text.partition(".")[2] + "=="))
        if not claims["nbf"] <= time.time() < claims["exp"]:
            return None
        return {each["Scope"]: each["Permission"] for each in json.loads(claims["ac"])}

    def signed(self, entry: Entry, operation: str) -> str:
        """Return the URL of an entry's bytes, for reading (`r`) or writing (`w`)."""
        path = f"blobs/{self.entries.index(entry)}"
        return f"{self.url}{path}?sp={operation}&sig={self._signature(f'{path} {operation}')}"

    def entry_of(self, path: str, query: Mapping[str, list[str]], operation: str) -> Entry | None:
        """Return the entry of a signed URL, or None if the URL is not signed for the operation."""
        expected = self._signature(f"{path.lstrip('/')} {operation}")
        if query.get("sp") != [operation] or query.get("sig") != [expected]:
            return None
        return self.entries[int(path.rpartition("/")[2])]

    def _signature(self, text: str) -> str:
        return _encoded(hmac.digest(self.secret, text.encode(), "sha256"))

    def create_cache_entry(self, scopes: Mapping[str, int], asked: Mapping[str, Any]) -> tuple[HTTPStatus, Any]:
        """Reserve an entry."""
        writable = [scope for scope, permission in scopes.items() if permission & WRITE]
        if not writable:
            return HTTPStatus.OK, {"ok": False, "signed_upload_url": "", "message": _DENIED}
        entry = Entry(writable[-1], asked["key"], asked["version"])
        if entry.name in [each.name for each in self.entries]:
            return HTTPStatus.CONFLICT, {"code": "already_exists", "msg": "cache entry with the same key exists"}
        self.entries.append(entry)
        return HTTPStatus.OK, {"ok": True, "signed_upload_url": self.signed(entry, "w")}

    def finalize_cache_entry_upload(
        self, scopes: Mapping[str, int], asked: Mapping[str, Any]
    ) -> tuple[HTTPStatus, Any]:
        """Commit an entry whose bytes have been uploaded."""
        for number, each in enumerate(self.entries):
            known = (each.key, each.version, each.committed) == (asked["key"], asked["version"], False)
            if known and scopes.get(each.scope, 0) & WRITE and each.data is not None:
                if len(each.data) != int(asked["size_bytes"]):
                    return HTTPStatus.BAD_REQUEST, {"code": "invalid_argument", "msg": "the size differs"}
                each.committed = True
                return HTTPStatus.OK, {"ok": True, "entry_id": str(number)}
        return HTTPStatus.NOT_FOUND, {"code": "not_found", "msg": "no such upload"}

    def get_cache_entry_download_url(
        self, scopes: Mapping[str, int], asked: Mapping[str, Any]
    ) -> tuple[HTTPStatus, Any]:
        """Find an entry: in each scope first the key, then the newest entry that begins with a restore key."""
        for scope in (each for each, permission in scopes.items() if permission & READ):
            found = [
                each
                for each in reversed(self.entries)
                if each.committed and (each.scope, each.version) == (scope, asked["version"])
            ]
            chosen = [each for each in found if each.key == asked["key"]]
            chosen += [each for start in asked["restore_keys"] for each in found if each.key.startswith(start)]
            if chosen:
                url = self.signed(chosen[0], "r")
                return HTTPStatus.OK, {"ok": True, "signed_download_url": url, "matched_key": chosen[0].key}
        return HTTPStatus.OK, {"ok": False, "signed_download_url": "", "matched_key": ""}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # More connections than the default of 5 may wait: BuildKit asks for many keys at once.
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = CacheService(f"http://127.0.0.1:{self.server_address[1]}/", self.stop)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port: connections are refused from now on."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()

    def handle_error(self, *_arguments: object) -> None:
        """A client that goes away is no fault."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        """Answer a call of the service."""
        service = self.server.service
        body = self._body()
        name = self.path.removeprefix(_TWIRP)
        scopes = service.scopes_of(self.headers.get("Authorization", ""))
        calls = {
            "CreateCacheEntry": service.create_cache_entry,
            "FinalizeCacheEntryUpload": service.finalize_cache_entry_upload,
            "GetCacheEntryDownloadURL": service.get_cache_entry_download_url,
        }
        with service.lock:
            service.agents.add(self.headers.get("User-Agent", ""))
            if scopes is None:
                service.refused.append(self.path)
                self._document(HTTPStatus.UNAUTHORIZED, {"code": "unauthenticated", "msg": "bad token"})
            elif service.fault is not None:
                self._document(service.fault, {"code": "internal", "msg": "a fault of this test"})
            elif name not in calls or not self.path.startswith(_TWIRP):
                self._document(HTTPStatus.NOT_FOUND, {"code": "bad_route", "msg": f"no handler for {self.path}"})
            else:
                service.calls.append(name)
                self._document(*calls[name](scopes, json.loads(body)))

    def do_PUT(self) -> None:
        """Take the bytes of an entry: all at once, or in blocks that a list puts in order."""
        service, body = self.server.service, self._body()
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        with service.lock:
            entry = service.entry_of(address.path, query, "w")
            if entry is None or entry.committed:
                self._refuse()
                return
            operation = query.get("comp", [""])[0]
            service.blobs.append(f"PUT {operation}".strip())
            if operation == "block":
                entry.blocks[query["blockid"][0]] = body
            elif operation == "blocklist":
                # Written by the engine of this test.
                listed = [each.text or "" for each in ET.fromstring(body)]
                entry.data = b"".join(entry.blocks[each] for each in listed)
            elif self.headers.get("x-ms-blob-type") == "BlockBlob":
                entry.data = body
            else:
                self._answer(HTTPStatus.BAD_REQUEST)
                return
            self._answer(HTTPStatus.CREATED)

    def do_GET(self) -> None:
        """Send the bytes of an entry, or a range of them that a header names."""
        service = self.server.service
        address = urlsplit(self.path)
        with service.lock:
            entry = service.entry_of(address.path, parse_qs(address.query), "r")
            if entry is None or entry.data is None:
                self._refuse()
                return
            service.blobs.append(self.command)
            service.downloads.append(entry.key.removeprefix(_LAYER))
            data = entry.data
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("x-ms-range") or self.headers.get("Range") or "")
        kind = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
        if asked is None:
            self._answer(HTTPStatus.OK, data, kind)
            return
        first = int(asked[1])
        part = data[first : int(asked[2]) + 1] if asked[2] else data[first:]
        if not part:
            self._answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers={"x-ms-error-code": "InvalidRange"})
            return
        place = {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(data)}"}
        self._answer(HTTPStatus.PARTIAL_CONTENT, part, {**kind, **place})

    do_HEAD = do_GET  # noqa: N815  # a name that http.server looks for

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _refuse(self) -> None:
        self.server.service.refused.append(self.path)
        self._answer(HTTPStatus.FORBIDDEN, headers={"x-ms-error-code": "AuthenticationFailed"})

    def _document(self, status: HTTPStatus, document: object) -> None:
        self._answer(status, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: HTTPStatus, content: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response_only(status)
        given = {
            # A client ends with a nil pointer if an upload's answer has no x-ms-request-id (cache_v2.go, uploadV2).
            "x-ms-request-id": secrets.token_hex(16),
            "x-ms-version": "2025-01-05",
            "Date": formatdate(usegmt=True),
            "Last-Modified": formatdate(usegmt=True),
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "Content-Length": str(len(content)),
            **(headers or {}),
        }
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Nothing is logged."""


@contextmanager
def serve() -> Iterator[CacheService]:
    """Run the service for as long as the block runs."""
    server = _Server()
    try:
        yield server.service
    finally:
        server.stop()
