"""The parser of Mermaid, which npm installs once into the cache."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.node import NODE, NPM

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "tests" / "mermaid"
CACHE = ROOT / ".cache" / "mermaid"

Mermaid = Callable[[Sequence[str]], list[dict[str, Any]]]
"""Takes diagrams; returns for each one the tasks that Mermaid finds in it, or an error."""


def _install() -> None:
    lock = (SOURCE / "package-lock.json").read_bytes()
    CACHE.parent.mkdir(exist_ok=True)
    # Each worker of pytest-xdist is a process with its own session: only one of them may install at a time.
    with CACHE.with_suffix(".lock").open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        if not (CACHE / "ready").is_file() or (CACHE / "ready").read_bytes() != lock:
            shutil.rmtree(CACHE, ignore_errors=True)
            shutil.copytree(SOURCE, CACHE)
            command = [*NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=CACHE, check=True, capture_output=True, timeout=240)
            (CACHE / "ready").write_bytes(lock)
        shutil.copy(SOURCE / "server.mjs", CACHE)


@pytest.fixture(scope="session")
def mermaid() -> Iterator[Mermaid]:
    _install()
    with subprocess.Popen(
        [str(NODE), "server.mjs"], cwd=CACHE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as node:
        question, answers = node.stdin, node.stdout
        assert question is not None
        assert answers is not None

        def parse(diagrams: Sequence[str]) -> list[dict[str, Any]]:
            print(json.dumps(list(diagrams)), file=question, flush=True)
            return list(json.loads(answers.readline()))

        yield parse
        # Node ends when its input does.
        question.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests that ask mermaid in one process, so that Node starts once."""
    for item in items:
        if "mermaid" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("mermaid"))
