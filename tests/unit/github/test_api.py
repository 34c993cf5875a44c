"""One comment for each workflow, job and matrix leg, on a real HTTP server that keeps comments."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from action.errors import GitHubError
from action.github import api
from action.github.api import put_comment
from action.github.context import WorkflowRun, is_private
from tests.github_api import TOKEN, GitHub, github_api

MARKER = "<!-- build-digests abc -->"


@pytest.fixture
def github() -> Iterator[GitHub]:
    with github_api() as running:
        yield running


def put(github: GitHub, text: str, *, marker: str = MARKER, token: str = TOKEN) -> None:
    environment = {"GITHUB_API_URL": github.url}
    put_comment("octo/app", 7, token, environment, marker=marker, body=lambda _: f"{marker}\n{text}")


def test_a_comment_is_created_once_and_then_updated(github: GitHub) -> None:
    put(github, "one")
    put(github, "two")
    assert github.own == [f"{MARKER}\ntwo"]


def test_an_unchanged_text_is_not_written_again(github: GitHub) -> None:
    put(github, "one")
    put(github, "one")
    written = [method for method, path in github.requests if method != "GET" and path != "/api/graphql"]
    assert written == ["POST"]


def test_another_marker_is_another_comment(github: GitHub) -> None:
    put(github, "one")
    put(github, "two", marker="<!-- build-digests def -->")
    assert len(github.own) == 2


def test_the_comment_is_found_after_hundreds_of_others(github: GitHub) -> None:
    for number in range(250):
        github.add(f"comment {number}")
    put(github, "one")
    put(github, "two")
    assert github.own == [f"{MARKER}\ntwo"]


def test_a_comment_of_another_author_is_not_updated(github: GitHub) -> None:
    theirs = github.add(f"{MARKER}\nforged")
    put(github, "one")
    assert theirs["body"] == f"{MARKER}\nforged"
    assert github.own == [f"{MARKER}\none"]


@pytest.mark.parametrize(
    ("login", "kind"),
    [
        ("somebody", "User"),
        ("dependabot[bot]", "Bot"),
        ("github-actions", "User"),
        ("Github-Actions[bot]", "User"),
        (None, ""),
    ],
)
def test_only_a_comment_of_the_tokens_author_is_updated(github: GitHub, login: str | None, kind: str) -> None:
    theirs = [github.add(f"{MARKER}\nforged {number}", login, kind) for number in range(3)]
    for text in ("one", "two"):
        put(github, text)
    assert github.own == [f"{MARKER}\ntwo"]
    assert [each["body"] for each in theirs] == [f"{MARKER}\nforged {number}" for number in range(3)]


@pytest.mark.parametrize("author", [("octocat", "User"), ("my-app[bot]", "Bot")])
def test_the_token_of_a_person_or_an_app_finds_its_own_comment(github: GitHub, author: tuple[str, str]) -> None:
    github.add(f"{MARKER}\nof another bot", "github-actions[bot]", "Bot")
    github.author = author
    put(github, "one")
    put(github, "two")
    assert github.own == [f"{MARKER}\ntwo"]
    assert len(github.comments) == 2


def test_the_login_of_the_token_is_requested_only_if_a_comment_has_the_marker(github: GitHub) -> None:
    github.add("Nice work!")
    put(github, "one")
    assert ("POST", "/api/graphql") not in github.requests


@pytest.mark.parametrize("answer", [{"data": {"viewer": None}}, {"data": None}, {"data": {"viewer": {"login": 1}}}])
def test_without_the_login_of_the_token_no_comment_is_updated(github: GitHub, answer: dict[str, object]) -> None:
    theirs = github.add(f"{MARKER}\nforged", None)
    github.viewer = answer
    put(github, "one")
    assert github.own == [f"{MARKER}\none"]
    assert theirs["body"] == f"{MARKER}\nforged"


def test_an_error_of_graphql_is_an_error_of_github(github: GitHub) -> None:
    github.add(f"{MARKER}\nforged")
    github.viewer = {"errors": [{"message": "Something went wrong"}]}
    with pytest.raises(GitHubError, match="GitHub returned 400"):
        put(github, "one")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (403, "GitHub returned 403 (Resource not accessible by integration)"),
        (404, "GitHub returned 404"),
        (429, "GitHub returned 429 (API rate limit exceeded)"),
        (500, "GitHub returned 500"),
    ],
)
def test_a_refused_request_is_an_error_and_is_not_retried(github: GitHub, fault: int, said: str) -> None:
    github.fault = fault
    with pytest.raises(GitHubError, match=re.escape(said)):
        put(github, "one")
    assert len(github.requests) == 1


def test_an_invalid_token_is_an_error(github: GitHub) -> None:
    with pytest.raises(GitHubError, match="GitHub returned 401"):
        put(github, "one", token="another")


def test_a_server_that_refuses_connections_or_hangs_is_an_error(
    github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(GitHubError, match="cannot be reached"):
        put_comment("o/a", 7, TOKEN, {"GITHUB_API_URL": "http://localhost:1"}, marker="", body=str)
    github.fault = "hang"
    monkeypatch.setattr(api, "_TIMEOUT", 1)
    with pytest.raises(GitHubError, match="cannot be reached"):
        put(github, "one")


def run(*, private: bool | None, repository: str = "octo/app") -> WorkflowRun:
    return WorkflowRun("https://github.com", repository, "1", "1", "", "", private, "")


@pytest.mark.parametrize("private", [True, False])
def test_the_event_decides_whether_the_repository_is_private(github: GitHub, *, private: bool) -> None:
    assert is_private(run(private=private), TOKEN, {"GITHUB_API_URL": github.url}) is private
    assert github.requests == []


@pytest.mark.parametrize("private", [True, False])
def test_one_request_to_github_replaces_a_missing_value_in_the_event(github: GitHub, *, private: bool) -> None:
    github.private = private
    assert is_private(run(private=None), TOKEN, {"GITHUB_API_URL": github.url}) is private
    assert github.requests == [("GET", "/api/v3/repos/octo/app")]


def test_a_repository_of_unknown_visibility_is_private(github: GitHub) -> None:
    environment = {"GITHUB_API_URL": github.url}
    assert is_private(run(private=None), "", environment)
    assert is_private(run(private=None, repository=""), TOKEN, environment)
    assert github.requests == []
    for fault in (500, 404, 301):
        github.fault = fault
        assert is_private(run(private=None), TOKEN, environment)
    for url in ("http://127.0.0.1:9", "http://[", "nowhere:", "file:///dev/zero"):
        assert is_private(run(private=None), TOKEN, {"GITHUB_API_URL": url})


@pytest.mark.parametrize(
    "answer", [b"", b"{", b"[]", b"{}", b'{"private": "false"}', b"[" * 100_000, b"\xff", b"{}" * 900_000]
)
def test_an_answer_that_is_no_repository_does_not_make_it_public(answer: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        assert is_private(run(private=None), TOKEN, {"GITHUB_API_URL": url})
        server.shutdown()


def test_a_redirection_to_another_host_does_not_get_the_token() -> None:
    got: list[str | None] = []
    ports: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append(self.headers["Authorization"])
            if self.path != "/moved":
                self.send_response(301)
                self.send_header("Location", f"http://localhost:{ports[0]}/moved")
            else:
                self.send_response(200)
            self.end_headers()
            if self.path == "/moved":
                self.wfile.write(b'{"private": false}')

        def log_message(self, *_arguments: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        ports.append(server.server_address[1])
        url = f"http://127.0.0.1:{ports[0]}"
        assert not is_private(run(private=None), TOKEN, {"GITHUB_API_URL": url})
        server.shutdown()
    assert got == [f"Bearer {TOKEN}", None]
