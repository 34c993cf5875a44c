"""A Git server on loopback, in GitHub's place: one repository, served by git's own `http-backend`."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


@dataclass
class GitServer:
    """A server with one repository.

    Attributes:
        url: the server's URL, as in GITHUB_SERVER_URL.
        repository: `owner/name`, as in GITHUB_REPOSITORY.
        commit: the commit that every reference points to.
        token: the token that a client must send; empty if anyone may read.
        requests: the path of each request that was answered.
    """

    url: str
    repository: str
    commit: str
    token: str = ""
    requests: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What a step on a runner has in its environment after a push to this repository."""
        return {
            "GITHUB_SERVER_URL": self.url,
            "GITHUB_REPOSITORY": self.repository,
            "GITHUB_SHA": self.commit,
            "GITHUB_REF": "refs/heads/main",
        }


@contextmanager
def git_server(folder: Path, files: Mapping[str, str | bytes], *, token: str = "") -> Iterator[GitServer]:
    """Serve a repository for as long as the block runs.

    Args:
        folder: an empty folder to keep it in.
        files: path to content of what is committed.
        token: the token that a client must send, or empty.
    """
    if shutil.which("git") is None:
        pytest.skip("no git is here")
    name = "octo/app"
    commit = _commit(folder / "root" / f"{name}.git", folder / "work", files)
    server = _Server(folder / "root", GitServer("", name, commit, token))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.git.url = f"http://localhost:{server.server_address[1]}"
    try:
        yield server.git
    finally:
        server.shutdown()
        server.server_close()


def _commit(bare: Path, work: Path, files: Mapping[str, str | bytes]) -> str:
    for path, content in files.items():
        file = work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    author = ("-c", "user.name=somebody", "-c", "user.email=somebody@localhost")
    _git(work, "init", "--quiet", "--initial-branch=main")
    _git(work, "add", "--all")
    _git(work, *author, "commit", "--quiet", "--message=first")
    bare.parent.mkdir(parents=True)
    _git(work, "clone", "--quiet", "--mirror", ".", str(bare))
    _git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
    return _git(work, "rev-parse", "HEAD")


def _git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, root: Path, git: GitServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.git = git


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _answer(self) -> None:
        git = self.server.git
        expected = "Basic " + base64.b64encode(f"x-access-token:{git.token}".encode()).decode()
        if git.token and self.headers.get("Authorization", "").lower() != expected.lower():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
            return
        git.requests.append(self.path)
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=self.rfile.read(length),
            env=environment,
            capture_output=True,
            timeout=60,
            check=True,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in {**fields, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815  # names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Print nothing."""
