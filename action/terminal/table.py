"""The table of digests."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from action.buildx.diagnosis import plain

if TYPE_CHECKING:
    from action.results.models import BuildResults, ExporterResult

_COLUMNS = ("KEY", "TYPE", "NAME OR DEST", "DIGEST", "EVIDENCE")
_WIDE = 400
"""Columns where the table goes to a file or a pipe, which has no width."""


def print_table(results: BuildResults, file: TextIO) -> None:
    """Print every exporter with its digest.

    Args:
        results: the results of one build.
        file: where to print; colours are used where it is a terminal.
    """
    console = Console(file=file, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDE
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in _COLUMNS:
        # A digest that is broken into two lines cannot be copied.
        table.add_column(column, no_wrap=column == "DIGEST", overflow="fold")
    for exporter in results.exporters:
        table.add_row(*(Text(cell) for cell in _cells(exporter)))
    console.print(table)


def _cells(exporter: ExporterResult) -> tuple[str, ...]:
    made = ", ".join(exporter.names) or exporter.dest or "-"
    digest = exporter.digest or "-"
    return tuple(map(plain, (exporter.key, exporter.type, made, digest, exporter.evidence or "-")))
