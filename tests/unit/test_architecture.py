"""Rules of the package's structure that no linter checks. import-linter checks the order of the layers."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "action").rglob("*.py"))

MAX_IMPORTS_IN_FUNCTIONS = 30
"""Each one saves a terminal command, or a step before buildx starts, the import of what it does not need. Readers look
for imports at the top of a file, so a module that is always needed later is imported by `packages/preload` users."""

MAX_NOQA = 45
"""A rule of ruff that needs more exceptions is the wrong rule for this project and belongs into pyproject.toml."""

MAX_LINES = 300
"""A longer module does a second thing."""

REAL_CYCLES: frozenset[str] = frozenset()
"""Modules that may have an `if TYPE_CHECKING` block: those with an import that would be circular at run time. Any other
import in such a block hides what a module costs to import."""


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def _imports_in_functions() -> Iterator[str]:
    for file in FILES:
        # A function in a function is walked twice: the set of lines counts its imports once.
        lines = {
            each.lineno
            for function in ast.walk(_tree(file))
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
            for each in ast.walk(function)
            if isinstance(each, (ast.Import, ast.ImportFrom))
        }
        yield from (f"{_name(file)}:{line}" for line in sorted(lines))


def test_imports_inside_functions_are_few() -> None:
    found = list(_imports_in_functions())
    assert len(found) <= MAX_IMPORTS_IN_FUNCTIONS, "\n".join(found)


def _noqa() -> dict[str, str]:
    """Return each comment with a `noqa`, by its place."""
    return {
        f"{_name(file)}:{token.start[0]}": token.string
        for file in FILES
        for token in tokenize.generate_tokens(io.StringIO(file.read_text(encoding="utf-8")).readline)
        if token.type == tokenize.COMMENT and "noqa" in token.string
    }


def test_exceptions_from_ruff_are_few() -> None:
    found = _noqa()
    assert len(found) <= MAX_NOQA, "\n".join(found)


def test_each_exception_from_ruff_names_its_rules_and_its_reason() -> None:
    bare = [
        place for place, text in _noqa().items() if not re.fullmatch(r"# noqa: [A-Z]+\d+(, [A-Z]+\d+)*  # .+", text)
    ]
    assert bare == []


def test_no_module_is_long() -> None:
    lengths = {_name(file): len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_no_import_is_hidden_from_the_running_program() -> None:
    found = {
        _name(file)
        for file in FILES
        for each in ast.walk(_tree(file))
        if isinstance(each, ast.If)
        and "TYPE_CHECKING" in {part.id for part in ast.walk(each.test) if isinstance(part, ast.Name)}
    }
    assert found == REAL_CYCLES


def test_data_classes_are_those_of_the_package() -> None:
    # Those of the standard library delay the start of a build, and its `replace` takes no instance of the others.
    found = [
        _name(file)
        for file in FILES
        if re.search(r"^(from|import) dataclasses\b", file.read_text("utf-8"), re.MULTILINE)
    ]
    assert found == []
