"""The table of digests on a terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from action.exporters.attributed import AttributedBuild, AttributedCache, AttributedExporter
from action.report.comparison import comparison_lines, size_text
from action.report.safe_text import log_line

_COLUMNS = ("KEY", "TYPE", "NAME OR DEST", "DIGEST", "EVIDENCE")
_CACHE_COLUMNS = ("CACHE", "TYPE", "REF OR DEST", "DIGEST", "EVIDENCE")
_SIZE = 4
"""The position of the column for sizes, which is there only if a size is known."""
# Wider than any table: rich measures a table only up to the width that it is given.
_WIDE = 10_000


def print_table(results: AttributedBuild, file: TextIO) -> None:
    """Print each exporter and cache with its digest, as tables, or as two lines for each if the terminal is narrow.

    Args:
        results: the results of one build.
        file: the stream to print to; it gets colors if it is a terminal.
    """
    # By default rich reads `[bold]` and `:smile:` in a name as markup, and colors numbers. With NO_COLOR it leaves out
    # colors but still prints bold text, which is out of place in the file of a log.
    colors: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    console = Console(file=file, highlight=False, emoji=False, markup=False, color_system=colors)
    sizes = any(exporter.size is not None for exporter in results.exporters)
    columns = (*_COLUMNS[:_SIZE], *(["SIZE"] if sizes else []), *_COLUMNS[_SIZE:])
    _print(console, columns, [_cells(exporter, sizes=sizes) for exporter in results.exporters])
    _print(console, _CACHE_COLUMNS, [_cache_cells(cache) for cache in results.caches])
    for line in comparison_lines(results):
        console.print(Text(line), soft_wrap=True)


def _print(console: Console, columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    width = console.measure(table, options=console.options.update_width(_WIDE)).maximum
    if not console.is_terminal or width <= console.width:
        # No cell is wrapped: a digest that is broken into two lines cannot be copied.
        console.width = max(console.width, width)
        console.print(table)
    else:
        _print_lines(console, rows)


def _print_lines(console: Console, rows: Sequence[tuple[str, ...]]) -> None:
    for key, kind, made, digest, *more in rows:
        console.print(Text.assemble((key, "bold"), f"  {'  '.join((kind, made, *more))}"), soft_wrap=True)
        console.print(Text(f"  {digest}"), soft_wrap=True)


def _cells(exporter: AttributedExporter, *, sizes: bool) -> tuple[str, ...]:
    made = ", ".join(exporter.names) or exporter.dest or "-"
    digest = exporter.digest or "-"
    size = "-" if exporter.size is None else size_text(exporter.size)
    cells = (exporter.key, exporter.type, made, digest, *([size] if sizes else []), exporter.evidence or "-")
    return tuple(map(log_line, cells))


def _cache_cells(cache: AttributedCache) -> tuple[str, ...]:
    cells = (cache.key, cache.type, cache.ref or cache.dest or "-", cache.digest or "-", cache.evidence or "-")
    return tuple(map(log_line, cells))
