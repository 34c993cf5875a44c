"""GitHub's API for releases and tags as a server on loopback, for the real `gh`; it keeps what it is told.

`gh` asks the host github.localhost without TLS (cli/cli 2.102, internal/ghinstance/host.go); the server is its proxy.

https://docs.github.com/en/rest/releases/releases, https://docs.github.com/en/rest/git/refs
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghs_a_token_of_this_test"
REPOSITORY = "build-digests/build-digests"


@dataclass
class Releases:
    """What the server keeps.

    Attributes:
        url: the server's address, for HTTP_PROXY.
        tags: the tags of the repository, with their commits.
        releases: what `gh` sent for each release; `assets` are the names and contents of its files.
    """

    url: str
    tags: dict[str, str]
    releases: list[dict[str, Any]] = field(default_factory=list)

    def variables(self) -> dict[str, str]:
        """The variables that make `gh` use this server."""
        token = {"GH_TOKEN": TOKEN, "GH_ENTERPRISE_TOKEN": TOKEN}
        return {"HTTP_PROXY": self.url, "GH_HOST": "github.localhost", "GH_REPO": REPOSITORY, **token}


class _Server(ThreadingHTTPServer):
    kept: Releases


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != f"token {TOKEN}":
            status, answer = 401, {"message": "Bad credentials"}
        else:
            path = parts.path.removeprefix(f"/repos/{REPOSITORY}")
            status, answer = self._of(f"{self.command} {path}", body, parse_qs(parts.query))
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_HEAD = do_POST = do_PATCH = _answer  # noqa: N815  # the base class looks for these names

    def _of(self, request: str, body: bytes, query: Mapping[str, list[str]]) -> tuple[int, Any]:
        kept = self.server.kept
        if request.startswith("POST /releases/") and request.endswith("/assets"):
            kept.releases[-1]["assets"][query["name"][0]] = body
            return 201, {"name": query["name"][0]}
        sent = json.loads(body) if body else {}
        if request == "POST /graphql":
            name = sent["variables"]["tagName"].removeprefix("refs/tags/")
            return 200, {"data": {"repository": {"ref": {"id": name} if name in kept.tags else None}}}
        if request == "POST /releases":
            kept.releases.append({"assets": {}, **sent})
            return 201, _release(len(kept.releases))
        if request.startswith("PATCH /releases/"):
            kept.releases[-1].update(sent)
            return 200, _release(len(kept.releases))
        if request.startswith("GET /git/matching-refs/tags/"):
            start = request.rpartition("/")[2]
            return 200, [{"ref": f"refs/tags/{name}"} for name in sorted(kept.tags) if name.startswith(start)]
        return self._tag(request, sent)

    def _tag(self, request: str, sent: Mapping[str, Any]) -> tuple[int, Any]:
        tags = self.server.kept.tags
        if request == "POST /git/refs":
            name = sent["ref"].removeprefix("refs/tags/")
            if name in tags:
                return 422, {"message": "Reference already exists"}
        else:
            command, _, name = request.partition(" /git/refs/tags/")
            if command != "PATCH" or not sent["force"]:
                return 404, {"message": "Not Found"}
            if name not in tags:
                return 422, {"message": "Reference does not exist"}
        tags[name] = sent["sha"]
        return 200, {"ref": f"refs/tags/{name}"}

    def log_message(self, *_: object) -> None:
        pass


def _release(number: int) -> dict[str, Any]:
    own = f"http://api.github.localhost/repos/{REPOSITORY}/releases/{number}"
    return {
        "id": number,
        "url": own,
        "html_url": own,
        "upload_url": f"http://uploads.github.localhost/repos/{REPOSITORY}/releases/{number}/assets{{?name,label}}",
        "assets": [],
    }


@contextmanager
def serve(tags: Mapping[str, str]) -> Iterator[Releases]:
    """Serve a repository that has these tags."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.kept = Releases(f"http://127.0.0.1:{server.server_port}", dict(tags))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.kept
        finally:
            server.shutdown()
            thread.join()
