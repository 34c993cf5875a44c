"""GitHub's API as a server on loopback: a repository, its issues' comments, and who asks. It keeps what it is told.

https://docs.github.com/en/rest/issues/comments
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghs_a_token_of_this_test"


@dataclass
class GitHub:
    """What the server keeps.

    Attributes:
        url: GITHUB_API_URL.
        comments: the comments on pull request 7 of octo/app.
        author: who the token belongs to: login and type.
        private: whether the repository is private.
        viewer: what GraphQL answers when it is asked whose the token is; the author if None.
        fault: a status that everything is answered with, "hang" for no answer, or None.
        requests: method and path of each request.
    """

    url: str
    comments: list[dict[str, Any]] = field(default_factory=list)
    author: tuple[str, str] = ("github-actions[bot]", "Bot")
    private: bool = False
    viewer: dict[str, Any] | None = None
    fault: int | str | None = None
    requests: list[tuple[str, str]] = field(default_factory=list)

    def add(self, body: str, login: str | None = "somebody", kind: str = "User") -> dict[str, Any]:
        """Add a comment of somebody's; of a user who has been deleted if the login is None."""
        number = len(self.comments) + 1
        made = {
            "id": number,
            "url": f"{self.url}/repos/octo/app/issues/comments/{number}",
            "body": body,
            "user": {"login": login, "type": kind, "url": f"{self.url}/users/{login}"} if login else None,
        }
        self.comments.append(made)
        return made

    @property
    def own(self) -> list[str]:
        """The texts of the token's own comments."""
        return [each["body"] for each in self.comments if each["user"] and each["user"]["login"] == self.author[0]]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _answer(self) -> None:
        github = self.server.github
        parts = urlsplit(self.path)
        github.requests.append((self.command, parts.path))
        length = int(self.headers.get("Content-Length") or 0)
        sent = json.loads(self.rfile.read(length)) if length else {}
        if github.fault == "hang":
            self.server.closing.wait()
            return
        if isinstance(github.fault, int):
            text = "API rate limit exceeded" if github.fault == 429 else "Resource not accessible by integration"
            self._send(github.fault, {"message": text})
            return
        if self.headers.get("Authorization") not in {f"Bearer {TOKEN}", f"token {TOKEN}"}:
            self._send(401, {"message": "Bad credentials"})
            return
        self._send(*self._of(parts.path.removeprefix("/api/v3"), sent, parse_qs(parts.query)))

    def _of(self, path: str, sent: dict[str, Any], query: dict[str, list[str]]) -> tuple[int, Any]:
        github = self.server.github
        # A token of an app, as each workflow's own is, acts for no user.
        refused = {"message": "Resource not accessible by integration"}
        user = {"login": github.author[0], "type": github.author[1]}
        documents: dict[str, tuple[int, Any]] = {
            "/user": (403, refused) if github.author[1] == "Bot" else (200, user),
            "/api/graphql": (200, github.viewer or {"data": {"viewer": {"login": github.author[0]}}}),
            "/repos/octo/app": (
                200,
                {"full_name": "octo/app", "private": github.private, "url": f"{github.url}{path}"},
            ),
            "/repos/octo/app/issues/7": (200, {"number": 7, "url": f"{github.url}{path}", "pull_request": {}}),
        }
        if path in documents:
            return documents[path]
        if path == "/repos/octo/app/issues/7/comments" and self.command == "POST":
            return 201, github.add(sent["body"], *github.author)
        if path == "/repos/octo/app/issues/7/comments":
            size, page = int(query["per_page"][0]), int(query.get("page", ["1"])[0])
            return 200, github.comments[size * (page - 1) : size * page]
        if (match := re.fullmatch(r"/repos/octo/app/issues/comments/(\d+)", path)) and self.command == "PATCH":
            comment = github.comments[int(match[1]) - 1]
            comment["body"] = sent["body"]
            return 200, comment
        return 404, {"message": "Not Found"}

    def _send(self, status: int, document: object) -> None:
        content = json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        link = self._next_page(document)
        if link:
            self.send_header("Link", link)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(content)

    def _next_page(self, document: object) -> str:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if not isinstance(document, list) or "per_page" not in query:
            return ""
        size, page = int(query["per_page"][0]), int(query.get("page", ["1"])[0])
        if size * page >= len(self.server.github.comments):
            return ""
        host = self.server.github.url.removesuffix("/api/v3")
        return f'<{host}{parts.path}?per_page={size}&page={page + 1}>; rel="next"'

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815

    def log_message(self, *_arguments: object) -> None:
        """Nothing is logged."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.closing = threading.Event()
        self.github = GitHub(f"http://localhost:{self.server_address[1]}/api/v3")

    def handle_error(self, *_arguments: object) -> None:
        """A client that goes away is no fault."""


@contextmanager
def github_api() -> Iterator[GitHub]:
    """The server, for as long as the block runs. Its URL is that of an Enterprise Server."""
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.github
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
