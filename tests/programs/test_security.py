"""SECURITY.md says what is true: tests that it names exist, and no code but that which it lists talks to a host."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.starting import ROOT, installer_variables

_PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
_NETWORK = {
    *("asyncio", "ftplib", "github", "http", "httpx", "imaplib", "poplib", "requests", "smtplib", "socket"),
    *("socketserver", "ssl", "telnetlib", "urllib3", "xmlrpc"),
}
_NAMED_ONLY = {
    *("docs.docker.com", "json-schema.org", "raw.githubusercontent.com"),
    # Kinds of in-toto statements.
    *("cyclonedx.org", "slsa.dev", "spdx.dev"),
}
"""Hosts in messages and in identifiers, which nothing requests."""


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)
            if node.module == "action.lazy":
                yield from (each.name.replace("_", ".") for each in node.names)


def _opens_connections(file: Path) -> bool:
    text = file.read_bytes()
    # A pair of sockets connects a program that this one starts, and a Unix socket the engine: neither reaches a host.
    allowed = set() if re.search(rb"create_connection|socket\.socket\((?!socket\.AF_UNIX\))", text) else {"socket"}
    return any(
        module.partition(".")[0] in _NETWORK - allowed or module == "urllib.request"
        for module in _imports(ast.parse(text))
    )


def test_only_the_modules_that_the_page_lists_can_open_a_connection() -> None:
    found = {str(file.relative_to(ROOT)) for file in (ROOT / "action").rglob("*.py") if _opens_connections(file)}
    table = _PAGE.partition("## Hosts")[2].partition("\n\nPrograms")[0]
    assert found == set(re.findall(r"\| `(action/[\w/]+\.py)` \|", table))


def test_the_launcher_opens_no_connection() -> None:
    for file in (ROOT / "launcher").glob("*.js"):
        text = file.read_text(encoding="utf-8")
        modules = set(re.findall(r"require\(\"node:([\w/]+)\"\)", text))
        assert modules <= {"child_process", "fs", "os", "path"}, file.name
        assert not re.search(r"\bfetch\(|\bWebSocket\b|\bimport\(", text), file.name


def test_the_code_names_no_host_but_those_of_the_page() -> None:
    hosts: set[str] = set()
    for file in (ROOT / "action").rglob("*.py"):
        tree = ast.parse(file.read_bytes())
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        hosts |= {
            urlsplit(url).hostname or ""
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
            for url in re.findall(r"https?://[\w.-]+\w", node.value)
        }
    # The server is the runner's GITHUB_SERVER_URL, for links and for the builder's Git context.
    assert hosts - _NAMED_ONLY == {"api.github.com", "github.com"}
    assert "`api.github.com`" in _PAGE


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", _PAGE)
    assert len(named) > 20
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).is_file() or (test and f"\ndef {test}(" not in (ROOT / file).read_text(encoding="utf-8"))
    ]
    assert missing == []


def test_every_threat_has_a_test() -> None:
    table = _PAGE.partition("| who | how |")[2].partition("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]
    assert len(rows) > 10
    assert [row for row in rows if "`tests/" not in row[-1]] == []


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_package_with_another_hash_is_not_installed(
    installer: str, bare_python: Path, uv_path: str, tmp_path: Path
) -> None:
    for name in ("action", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    lock = tmp_path / "requirements/retries.txt"
    locked = lock.read_text(encoding="utf-8")
    lock.write_text(re.sub(r"sha256:\w{64}", "sha256:" + 64 * "0", locked), encoding="utf-8")
    cache = tmp_path / "cache"
    done = subprocess.run(
        [str(bare_python), "-I", "-S", str(tmp_path / "action/start.py"), "install", "retries"],
        env={
            **installer_variables(),
            "PATH": uv_path if installer == "uv" else "/usr/bin:/bin",
            "RUNNER_TOOL_CACHE": str(cache),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert re.search(r"tenacity==\S+ has another hash than in its lock", done.stdout)
    assert not list(cache.rglob("tenacity"))
