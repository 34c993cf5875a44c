"""The table of digests."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from action.report.line import line

if TYPE_CHECKING:
    from action.exporters.attributed import AttributedBuild, AttributedExporter

_COLUMNS = ("KEY", "TYPE", "NAME OR DEST", "DIGEST", "EVIDENCE")
_WIDE = 10_000
"""Columns of a table that nothing limits."""


def print_table(results: AttributedBuild, file: TextIO) -> None:
    """Print every exporter with its digest, in a table, or a digest below its exporter where a terminal is narrow.

    Args:
        results: the results of one build.
        file: where to print; colours are used where it is a terminal.
    """
    console = Console(file=file, highlight=False, emoji=False, markup=False)
    rows = [_cells(exporter) for exporter in results.exporters]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in _COLUMNS:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    width = console.measure(table, options=console.options.update_width(_WIDE)).maximum
    if not console.is_terminal or width <= console.width:
        # Nothing is wrapped: a digest that is broken into two lines cannot be copied.
        console.width = max(console.width, width)
        console.print(table)
        return
    for key, kind, made, digest, evidence in rows:
        console.print(Text.assemble((key, "bold"), f"  {kind}  {made}  {evidence}"), soft_wrap=True)
        console.print(Text(f"  {digest}"), soft_wrap=True)


def _cells(exporter: AttributedExporter) -> tuple[str, ...]:
    made = ", ".join(exporter.names) or exporter.dest or "-"
    digest = exporter.digest or "-"
    return tuple(map(line, (exporter.key, exporter.type, made, digest, exporter.evidence or "-")))
