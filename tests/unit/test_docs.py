"""The pages for contributors name files, modules and packages that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/architecture.md", "CONTRIBUTING.md")
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w.*-]+(/[\w.*-]*)+|[\w-]+\.(py|md|yml|toml|json)|Makefile")
_DOTTED = re.compile(r"action(\.\w+)+")
_LINK = re.compile(r"\]\(([^)#:]+)\)")


def _codes(page: str) -> list[str]:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    return _CODE.findall(text)


def _is_there(dotted: str) -> bool:
    """Return whether a dotted name is a package, a module, or a name that a module defines."""
    path = ROOT / dotted.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    module = path.parent.with_suffix(".py")
    if not module.is_file():
        return False
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return path.name in {each.name for each in tree.body if isinstance(each, (ast.ClassDef, ast.FunctionDef))}


@pytest.mark.parametrize("page", PAGES)
def test_each_path_on_the_page_exists(page: str) -> None:
    paths = [code for code in _codes(page) if _PATH.fullmatch(code)]
    assert len(paths) > 5
    assert [path for path in paths if not list(ROOT.glob(path))] == []


@pytest.mark.parametrize("page", PAGES)
def test_each_module_and_package_on_the_page_exists(page: str) -> None:
    names = [code for code in _codes(page) if _DOTTED.fullmatch(code) and not _PATH.fullmatch(code)]
    assert [name for name in names if not _is_there(name)] == []


@pytest.mark.parametrize("page", PAGES)
def test_each_link_of_the_page_leads_to_a_file(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [link for link in _LINK.findall(text) if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_the_table_of_packages_has_every_layer_in_the_order_of_import_linter() -> None:
    listed = re.search(
        r"^layers = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert listed is not None
    layers = [sorted(re.findall(r"\w+", layer)) for layer in reversed(listed[1].strip().splitlines())]
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`action/[^|]+) \|", text.partition("## Packages")[2].partition("## ")[0], re.MULTILINE)
    assert [sorted(re.findall(r"action/(\w+)", row)) for row in rows] == layers


def test_no_table_escapes_a_pipe_with_a_backslash() -> None:
    # GitHub drops the backslash in code, and Python-Markdown shows it; `<code>a&#124;b</code>` is right on both.
    pages = (ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md"))
    lines = [line for page in pages for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert len(lines) > 200
    assert [line for line in lines if r"\|" in line] == []
