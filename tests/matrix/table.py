"""The table of results in docs/engines.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.matrix.engines import ENGINES
from tests.matrix.outcome import REASONS
from tests.matrix.scenarios import SCENARIOS

FILE = Path(__file__).resolve().parents[2] / "docs/engines.md"

_BEGIN, _END = "<!-- results: written by make engines -->", "<!-- end of results -->"

Results = Mapping[tuple[str, str], str]
"""Engine and scenario to what came out."""


def table(results: Results) -> str:
    """The results as a table of Markdown, a row for each engine, and what the steps say where they give no digest."""
    head = ["engine", *(scenario.title for scenario in SCENARIOS)]
    rows = [_row(engine.name, results) for engine in ENGINES if any(name == engine.name for name, _ in results)]
    said = {reason: says for reason, says in REASONS.items() if any(reason in came for came in results.values())}
    lines = ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows)]
    return "\n".join([*lines, "", *(f"- {reason}: “{says} …”" for reason, says in said.items())])


def _row(engine: str, results: Results) -> list[str]:
    cells = [results.get((engine, scenario.name), "") for scenario in SCENARIOS]
    if len(set(cells)) == 1:
        cells[1:] = [""] * len(cells[1:])
    return [engine, *cells]


def is_whole(results: Results) -> bool:
    """Whether every scenario ran on every engine."""
    return results.keys() == {(engine.name, scenario.name) for engine in ENGINES for scenario in SCENARIOS}


def write(results: Results) -> None:
    """Put the table into the docs."""
    text = FILE.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    assert begin, f"{FILE} has no line {_BEGIN}"
    assert end, f"{FILE} has no line {_END}"
    FILE.write_text(f"{before}{begin}\n\n{table(results)}\n\n{end}{after}", encoding="utf-8")
