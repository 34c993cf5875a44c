"""The parser of Mermaid, which npm installs once into the cache."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from engine.node import NODE
from tests.npm import installed

Mermaid = Callable[[Sequence[str]], list[dict[str, Any]]]
"""Takes diagrams; returns for each one the tasks that Mermaid finds in it, or an error."""


@pytest.fixture(scope="session")
def mermaid() -> Iterator[Mermaid]:
    with subprocess.Popen(
        [str(NODE), "server.mjs"],
        cwd=installed("mermaid"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
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
