"""The table of engines and scenarios in docs/engines.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.matrix.engines import ENGINES
from tests.matrix.result import REASONS
from tests.matrix.scenarios import SCENARIOS

FILE = Path(__file__).resolve().parents[2] / "docs/engines.md"

_BEGIN, _END = "<!-- results: written by make engines -->", "<!-- end of results -->"

Results = Mapping[tuple[str, str], str]
"""Names of engine and scenario to the result in a few words."""


def table(results: Results) -> str:
    """Return a Markdown table with a row for each engine, and a list of the messages of steps without a digest."""
    head = ["engine", *(scenario.title for scenario in SCENARIOS)]
    rows = [_row(engine.name, results) for engine in ENGINES if any(name == engine.name for name, _ in results)]
    messages = {name: text for name, text in REASONS.items() if any(name in result for result in results.values())}
    lines = ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows)]
    return "\n".join([*lines, "", *(f"- {name}: “{text} …”" for name, text in messages.items())])


def _row(engine: str, results: Results) -> list[str]:
    cells = [results.get((engine, scenario.name), "") for scenario in SCENARIOS]
    if len(set(cells)) == 1:
        cells[1:] = [""] * len(cells[1:])
    return [engine, *cells]


def is_complete(results: Results) -> bool:
    """Tell whether every scenario ran on every engine."""
    return results.keys() == {(engine.name, scenario.name) for engine in ENGINES for scenario in SCENARIOS}


def write(results: Results) -> None:
    """Write the table into docs/engines.md, between its two markers."""
    text = FILE.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    assert begin, f"{FILE} has no line {_BEGIN}"
    assert end, f"{FILE} has no line {_END}"
    FILE.write_text(f"{before}{begin}\n\n{table(results)}\n\n{end}{after}", encoding="utf-8")
