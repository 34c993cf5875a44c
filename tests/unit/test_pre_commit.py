"""The hooks of .pre-commit-config.yaml are the parts of `make lint`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def _hooks() -> list[dict[str, Any]]:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    return list(repository["hooks"])


def test_the_hooks_run_what_make_lint_runs_in_the_same_order() -> None:
    lint = re.search(r"^lint: ([a-z -]+?) ##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert lint is not None
    assert [hook["entry"] for hook in _hooks()] == [f"make {part}" for part in lint[1].split()]


def test_each_hook_matches_a_file_that_exists() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    # An unpacked sdist is no repository: there the hooks match its files.
    names = listed.splitlines() or [str(file.relative_to(ROOT)) for file in ROOT.rglob("*") if file.is_file()]
    assert [hook["id"] for hook in _hooks() if not any(re.search(hook["files"], name) for name in names)] == []


def test_make_does_not_take_the_name_of_a_folder_for_a_command_that_has_succeeded() -> None:
    done = subprocess.run(["make", "tests"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "tests is a folder and no command: make help lists the commands" in done.stderr
