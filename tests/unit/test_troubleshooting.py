"""The page on troubleshooting quotes messages as the program prints them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ROW = re.compile(r"^\| `([^`]+)`", re.MULTILINE)


def _texts(node: ast.AST) -> str:
    """Return the fixed texts of a string, with a mark for each part that differs from case to case."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_texts(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _texts(node.left) + _texts(node.right)
    return "\0"


def _printed() -> str:
    files = sorted((ROOT / "action").rglob("*.py"))
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    strings = (ast.Constant, ast.JoinedStr, ast.BinOp)
    return "\n".join(_texts(node) for tree in trees for node in ast.walk(tree) if isinstance(node, strings))


def test_each_message_on_the_page_is_one_that_the_program_prints() -> None:
    printed = _printed()
    rows = _ROW.findall((ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8"))
    assert len(rows) > 40
    parts = {row: [part.strip(" ,;") for part in row.split("…")] for row in rows}
    assert {row: part for row, all_parts in parts.items() for part in all_parts if part not in printed} == {}
