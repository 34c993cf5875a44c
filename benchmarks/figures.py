"""Figures of a benchmark: what is printed, kept as JSON, and compared between two commits."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.processes import Measured


@dataclass(frozen=True)
class Figures:
    """The figures of a case; seconds, and MiB of its own process at the peak.

    Attributes:
        name: the case.
        rounds: how often it ran.
        median: of the whole run; `least` and `most` are the extremes.
        added: median of what each run took more than the bare build of the same round.
        ratio: its median to that of the bare build.
        first: median until buildx's first line.
        memory: the most of all runs.
    """

    name: str
    rounds: int
    median: float
    least: float
    most: float
    added: float
    ratio: float
    first: float | None
    memory: float


def figures_of(name: str, runs: Sequence[Measured], bare: Sequence[Measured]) -> Figures:
    """The figures of runs, each with the bare build of its round."""
    seconds = [run.seconds for run in runs]
    pairs = list(zip(seconds, [run.seconds for run in bare], strict=False))
    firsts = [run.first for run in runs if run.first is not None]
    return Figures(
        name=name,
        rounds=len(runs),
        median=statistics.median(seconds),
        least=min(seconds),
        most=max(seconds),
        added=statistics.median(mine - other for mine, other in pairs),
        ratio=statistics.median(seconds) / statistics.median(other for _, other in pairs),
        first=statistics.median(firsts) if firsts else None,
        memory=max(run.memory for run in runs),
    )


def print_table(figures: Sequence[Figures]) -> None:
    """Print the figures."""
    table = Table("case", "runs", "median", "min", "max", "added", "ratio", "first line", "memory")
    for each in figures:
        table.add_row(
            each.name,
            str(each.rounds),
            *(f"{value:.3f} s" for value in (each.median, each.least, each.most, each.added)),
            f"{each.ratio:.2f}",
            f"{each.first:.3f} s" if each.first is not None else "-",
            f"{each.memory:.0f} MiB",
        )
    Console(width=130).print(table)


def write(figures: Sequence[Figures], file: Path) -> None:
    """Write the figures as JSON."""
    file.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n", encoding="utf-8")


def slower(before: Path, now: Sequence[Figures], tolerance: float) -> list[str]:
    """What became slower than in a file of figures, beyond a tolerance; ratios alone are compared, never seconds.

    Args:
        before: a file that `write` wrote.
        now: figures of the same cases.
        tolerance: how much a ratio may grow: 0.25 is a quarter.
    """
    known: Mapping[str, float] = {each["name"]: each["ratio"] for each in json.loads(before.read_text("utf-8"))}
    return [
        f"{each.name}: {known[each.name]:.2f} times the bare build before, {each.ratio:.2f} times now"
        for each in now
        if each.name in known and each.ratio > known[each.name] * (1 + tolerance)
    ]
