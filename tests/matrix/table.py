"""The table of engines and scenarios in docs/engines.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.matrix.engines import ENGINES
from tests.matrix.result import REASONS
from tests.matrix.scenarios import SCENARIOS

FILE = Path(__file__).resolve().parents[2] / "docs/engines.md"

_BEGIN, _END = "<!-- results: written by make engines -->", "<!-- end of results -->"

NOTHING = "nothing exported"
"""The result of a build without an output on a builder that then keeps it only in its cache, as buildx warns."""

_DASH = "\N{EN DASH}"

EXPECTED = Path(__file__).with_name("expected.yml")

Results = Mapping[tuple[str, str], str]
"""Names of engine and scenario to the result in a few words."""


def table(results: Results) -> str:
    """Return the builds, a Markdown table with a row for each engine, and the reasons of what an engine cannot do.

    The builds are columns with numbers, so that the table fits the width of a page.
    """
    builds = [f"{number}. {scenario.title}" for number, scenario in enumerate(SCENARIOS, 1)]
    names = [engine.name for engine in ENGINES if any(name == engine.name for name, _ in results)]
    found = " ".join(
        results[name, scenario.name] for name in names for scenario in SCENARIOS if (name, scenario.name) in results
    )
    marks = {
        reason: chr(ord("a") + index)
        for index, reason in enumerate(each for each in (*REASONS, NOTHING) if each in found)
    }
    head = ["engine", *(str(number) for number in range(1, len(SCENARIOS) + 1))]
    rows = [[name, *(_cell(results.get((name, scenario.name), ""), marks) for scenario in SCENARIOS)] for name in names]
    lines = ["| " + " | ".join(line) + " |" for line in (head, ["---", *[":-:"] * len(SCENARIOS)], *rows)]
    notes = [
        f"- {mark}: {reason}" + (f": “{REASONS[reason]} …”" if reason in REASONS else "")
        for reason, mark in marks.items()
    ]
    return "\n".join([*builds, "", *lines, "", *notes])


def _cell(result: str, marks: Mapping[str, str]) -> str:
    """Return ✓ if all digests are right, a dash and the mark of the reason if none is, both if some are, else ?."""
    if not result or result.startswith("not run"):
        return "?"
    right = "✓" if "right" in result else ""
    missing = "".join(f"{_DASH}<sup>{mark}</sup>" for reason, mark in marks.items() if reason in result)
    return f"{right} {missing}".strip()


def is_complete(results: Results) -> bool:
    """Return whether every scenario ran on every engine."""
    return results.keys() == {(engine.name, scenario.name) for engine in ENGINES for scenario in SCENARIOS}


def write(results: Results) -> None:
    """Write the table into docs/engines.md, between its two markers."""
    text = FILE.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    assert begin, f"{FILE} has no line {_BEGIN}"
    assert end, f"{FILE} has no line {_END}"
    FILE.write_text(f"{before}{begin}\n\n{table(results)}\n\n{end}{after}", encoding="utf-8")


def expected() -> Results:
    """Return what expected.yml says of each engine and scenario."""
    document = yaml.safe_load(EXPECTED.read_text(encoding="utf-8"))
    return {(engine, scenario): text for engine, each in document.items() for scenario, text in each.items()}


def written() -> str:
    """Return the table that docs/engines.md has."""
    return FILE.read_text(encoding="utf-8").partition(_BEGIN)[2].partition(_END)[0].strip()
