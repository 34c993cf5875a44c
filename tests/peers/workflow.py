"""The jobs of a workflow, and as much of GitHub's expressions as docker's own workflows use."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Contexts = Mapping[str, Any]
"""The contexts of expressions: name to nested mappings."""


@dataclass(frozen=True)
class Job:
    """A job with one cell of its matrix.

    Attributes:
        name: the job's name in the workflow.
        matrix: the cell.
        variables: its environment variables.
        steps: its steps.
    """

    name: str
    matrix: Mapping[str, Any]
    variables: Mapping[str, str]
    steps: tuple[Mapping[str, Any], ...]

    @property
    def title(self) -> str:
        cell = ", ".join(str(value) for value in self.matrix.values())
        return f"{self.name} ({cell})" if cell else self.name


def jobs_of(file: Path) -> Iterator[Job]:
    """Yield each job of a workflow once for each cell of its matrix."""
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    for name, job in document["jobs"].items():
        variables = {key: text(value) for key, value in {**document.get("env", {}), **job.get("env", {})}.items()}
        for cell in _cells(job.get("strategy", {}).get("matrix", {})):
            yield Job(name, cell, variables, tuple(job["steps"]))


def _cells(matrix: Mapping[str, Any]) -> list[dict[str, Any]]:
    axes = {name: values for name, values in matrix.items() if name not in {"include", "exclude"}}
    cells = [dict(zip(axes, each, strict=True)) for each in itertools.product(*axes.values())] if axes else []
    left_out = matrix.get("exclude", [])
    kept = [cell for cell in cells if not any(each.items() <= cell.items() for each in left_out)]
    return [*kept, *matrix.get("include", [])] or [{}]


def text(value: object) -> str:
    """Return a value as an expression gives it."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def expanded(template: object, contexts: Contexts) -> str:
    """Return a text with its expressions replaced."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: _evaluated(found[1], contexts), text(template))


def holds(condition: object, contexts: Contexts) -> bool:
    """Return whether a step's `if` is true; without one it is."""
    bare = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", text(condition).strip())
    return not bare or _evaluated(bare, contexts) not in {"", "false"}


def _evaluated(expression: str, contexts: Contexts) -> str:
    if compared := re.fullmatch(r"\s*(\S+)\s*([!=]=)\s*'(.*)'\s*", expression):
        return text((_found(compared[1], contexts) == compared[3]) == (compared[2] == "=="))
    return next(filter(None, (_found(each.strip(), contexts) for each in expression.split("||"))), "")


def _found(path: str, contexts: Contexts) -> str:
    value: Any = contexts
    for name in path.split("."):
        value = value.get(name, {}) if isinstance(value, Mapping) else {}
    return "" if isinstance(value, Mapping) else text(value)
