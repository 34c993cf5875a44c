"""The chart of docs/performance.md: for each kind of build, how long each program takes beside the bare build."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from benchmarks.figures import Figures

_BAR, _GAP, _LEFT, _RIGHT, _WIDTH = 18, 6, 290, 90, 860
_KINDS = ("bare", "action", "peer")
_STYLE = """
text { font: 13px sans-serif; fill: #24292f }
.kind { font-weight: bold }
.bare { fill: #8c959f } .action { fill: #2da44e } .peer { fill: #bf8700 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
"""


def chart(figures: Sequence[Figures]) -> str:
    """Return an SVG picture with a bar for each case, in groups that share their bare build.

    Within a group the longest bar fills the width, since only ratios can be compared; the label has the ratio.
    """
    parts: list[str] = []
    y = 10
    for bare in (each for each in figures if each.name.startswith("bare")):
        kind = bare.name.partition(", ")[2]
        group = [each for each in figures if each.name.partition(", ")[2].startswith(kind)]
        longest = max(each.median for each in group)
        y += 22
        parts.append(f'<text class="kind" x="10" y="{y - 6}">{escape(kind)}</text>')
        for each in group:
            width = round(each.median / longest * (_WIDTH - _LEFT - _RIGHT))
            program = each.name.partition(",")[0]
            assert program in _KINDS, program
            label = each.name.replace(f", {kind}", "")
            parts += [
                f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>',
                f'<rect class="{program}" x="{_LEFT}" y="{y}" width="{width}" height="{_BAR}" rx="3"/>',
                f'<text x="{_LEFT + width + 6}" y="{y + 14}">{each.ratio:.2f}</text>',
            ]
            y += _BAR + _GAP
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y + 10}" viewBox="0 0 {_WIDTH} {y + 10}">'
        f"<title>Time of a build, as a multiple of the bare build</title><style>{_STYLE}</style>\n{body}\n</svg>\n"
    )


def draw(figures: Sequence[Figures], file: Path) -> None:
    """Write the chart into a file."""
    file.write_text(chart(figures), encoding="utf-8")
