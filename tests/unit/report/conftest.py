"""The parser of Mermaid, which npm installs once into the cache."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "tests" / "mermaid"
CACHE = ROOT / ".cache" / "mermaid"

Mermaid = Callable[[Sequence[str]], list[dict[str, Any]]]
"""Takes diagrams; returns for each one the tasks that Mermaid finds in it, or an error."""


@pytest.fixture(scope="session")
def mermaid() -> Mermaid:
    if shutil.which("npm") is None:
        pytest.skip("npm, which installs Mermaid, is not on this machine")
    lock = (SOURCE / "package-lock.json").read_bytes()
    if not (CACHE / "ready").is_file() or (CACHE / "ready").read_bytes() != lock:
        shutil.rmtree(CACHE, ignore_errors=True)
        shutil.copytree(SOURCE, CACHE)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=CACHE, check=True, capture_output=True, timeout=240)
        (CACHE / "ready").write_bytes(lock)
    shutil.copy(SOURCE / "parse.mjs", CACHE)

    def parse(diagrams: Sequence[str]) -> list[dict[str, Any]]:
        done = subprocess.run(
            ["node", "parse.mjs"],
            cwd=CACHE,
            input=json.dumps(list(diagrams)),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    return parse
