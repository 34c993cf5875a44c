"""Figures of a benchmark: printed as a table, kept as JSON, compared between two commits."""

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
    """The figures of a case; times in seconds, memory in MiB.

    Attributes:
        name: the case's name.
        rounds: how often it ran.
        median: the median time of a run.
        minimum: the shortest time of a run.
        maximum: the longest time of a run.
        added: the median difference between a run and that of the case that it is compared with, of the same round.
        ratio: its median time divided by that of this other case.
        first: the median time until buildx's first line, or None if there was no such line.
        first_added: the median difference of that time from that of the other case, of the same round, or None.
        memory: the largest peak memory of the case's own process.
    """

    name: str
    rounds: int
    median: float
    minimum: float
    maximum: float
    added: float
    ratio: float
    first: float | None
    first_added: float | None
    memory: float


def figures_of(name: str, runs: Sequence[Measured], others: Sequence[Measured]) -> Figures:
    """Compute the figures of a case.

    Args:
        name: the case's name.
        runs: its runs.
        others: the runs of the case that it is compared with, in the same rounds.
    """
    seconds = [run.seconds for run in runs]
    pairs = list(zip(seconds, [run.seconds for run in others], strict=False))
    firsts = [run.first for run in runs if run.first is not None]
    later = [
        run.first - other.first
        for run, other in zip(runs, others, strict=False)
        if run.first is not None and other.first is not None
    ]
    return Figures(
        name=name,
        rounds=len(runs),
        median=statistics.median(seconds),
        minimum=min(seconds),
        maximum=max(seconds),
        added=statistics.median(mine - other for mine, other in pairs),
        ratio=statistics.median(seconds) / statistics.median(other for _, other in pairs),
        first=statistics.median(firsts) if firsts else None,
        first_added=statistics.median(later) if later else None,
        memory=max(run.memory for run in runs),
    )


def print_table(figures: Sequence[Figures]) -> None:
    """Print the figures as a table."""
    table = Table("case", "runs", "median", "min", "max", "added", "ratio", "first line", "added", "memory")
    for each in figures:
        table.add_row(
            each.name,
            str(each.rounds),
            *(f"{value:.3f} s" for value in (each.median, each.minimum, each.maximum, each.added)),
            f"{each.ratio:.2f}",
            *(f"{value:.3f} s" if value is not None else "-" for value in (each.first, each.first_added)),
            f"{each.memory:.0f} MiB",
        )
    Console(width=140).print(table)


def write(figures: Sequence[Figures], file: Path) -> None:
    """Write the figures as JSON."""
    file.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n", encoding="utf-8")


def slower(before: Path, now: Sequence[Figures], tolerance: float) -> list[str]:
    """Return a line for each case that is slower than in an earlier run.

    Only ratios are compared, because seconds depend on the machine and its load.

    Args:
        before: a file that `write` wrote.
        now: the figures of the same cases.
        tolerance: how much a ratio may grow: 0.25 is a quarter.
    """
    known: Mapping[str, float] = {each["name"]: each["ratio"] for each in json.loads(before.read_text("utf-8"))}
    return [
        f"{each.name}: {known[each.name]:.2f} times the bare build before, {each.ratio:.2f} times now"
        for each in now
        if each.name in known and each.ratio > known[each.name] * (1 + tolerance)
    ]
