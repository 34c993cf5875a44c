"""What changed, for people: in the summary, in the comment and on a terminal."""

from __future__ import annotations

import io

from action.dataclass import replace
from action.exporters.attributed import AttributedExporter
from action.oci.comparison import Comparison, Layer, PlatformComparison
from action.report.model import Report, Target
from action.report.summary import outputs_table, render
from action.report.table import print_table
from tests.unit.merging.jobs import digest_of, exporter, results
from tests.unit.report.rendered import Page, html
from tests.unit.report.test_safe_text import HOSTILE

MAIN = "ghcr.io/octo/app:main"
NEW = Layer(digest_of("new"), 2_500_000, None, "RUN make TOKEN=hunter2")
OLD = Layer(digest_of("old"), 1_000_000, None, "RUN make")
AMD = PlatformComparison(
    platform="linux/amd64",
    changed=True,
    size=12_500_000,
    compared_size=11_000_000,
    added=(NEW,),
    removed=(OLD,),
)
ARM = PlatformComparison(platform="linux/arm64", changed=False, size=10_000, compared_size=10_000)
GONE = PlatformComparison(platform="linux/s390x", changed=True, size=None, compared_size=9_000)
CONFIG = PlatformComparison(platform="linux/arm/v7", changed=True, size=900, compared_size=1_000)
RELEASE = replace(
    exporter(), comparison=Comparison(MAIN, digest_of("main"), changed=True, platforms=(AMD, ARM, GONE, CONFIG))
)
FIRST = replace(exporter("1"), comparison=Comparison(MAIN, None, changed=True))
UNKNOWN = replace(exporter("2"), comparison=Comparison(MAIN, None, changed=None))
REPORT = Report(
    title="Build", failed=False, targets=(Target("", results(RELEASE, FIRST, UNKNOWN)),), secrets=("hunter2",)
)


def _cells(text: str) -> list[list[str]]:
    cells = Page(html(text)).cells
    start = cells.index("Compared with") - 1
    return [cells[place : place + 6] for place in range(start, len(cells), 6)]


def test_summary_and_comment_have_a_row_for_each_platform() -> None:
    for text in (render(REPORT), outputs_table(REPORT, 50_000)):
        assert _cells(text)[:7] == [
            ["Output", "Compared with", "Platform", "Size", "Difference", "Changed"],
            ["release", MAIN, "linux/amd64", "12.5 MB", "+1.5 MB", "1 layer added, 1 layer removed"],
            ["release", MAIN, "linux/arm64", "10.0 kB", "±0 B", "no"],
            ["release", MAIN, "linux/s390x", "-", "-", "platform is gone"],
            ["release", MAIN, "linux/arm/v7", "900 B", "-100 B", "config"],
            ["1", MAIN, "-", "-", "-", "there was no such image"],
            ["2", MAIN, "-", "-", "-", "not known"],
        ]
        cells = Page(html(text)).cells
        added = cells.index("+")
        assert cells[added : added + 4] == ["+", "2.5 MB", digest_of("new")[:19], "RUN make TOKEN=***"]
        removed = cells.index("-", added)
        assert cells[removed : removed + 4] == ["-", "1.0 MB", digest_of("old")[:19], "RUN make"]
        assert "hunter2" not in text


def test_without_a_comparison_there_is_no_such_part() -> None:
    report = replace(REPORT, targets=(Target("", results(exporter())),))
    assert "Compared with" not in render(report)
    assert "Compared with" not in outputs_table(report, 50_000)


def test_a_comment_that_is_full_has_no_comparison() -> None:
    whole = outputs_table(REPORT, 50_000)
    assert "Layers added" in whole
    # Less than the layers alone need.
    limit = len(whole.encode()) - whole.encode().index(b"<details><summary>Layers added") - 1
    text = outputs_table(REPORT, limit)
    assert len(text.encode()) <= limit
    assert "Layers added" not in text


def test_only_the_largest_layers_are_shown() -> None:
    layers = tuple(Layer(digest_of(str(number)), number) for number in range(1, 31))
    many = replace(
        RELEASE, comparison=Comparison(MAIN, digest_of("m"), changed=True, platforms=(replace(AMD, added=layers),))
    )
    text = render(replace(REPORT, targets=(Target("web", results(many)),)))
    assert "Layers added and removed (the 20 largest of 31)" in text
    cells = Page(html(text)).cells
    assert [number for number in range(1, 31) if digest_of(str(number))[:19] in cells] == list(range(12, 31))


def test_no_text_of_a_comparison_adds_markup() -> None:
    for hostile in HOSTILE:
        layer = replace(NEW, created_by=hostile)
        comparison = Comparison(
            hostile, None, changed=True, platforms=(replace(AMD, platform=hostile, added=(layer,)),)
        )
        text = render(replace(REPORT, targets=(Target("", results(replace(exporter(), comparison=comparison))),)))
        page = Page(html(text))
        assert "linux/s390x" not in page.cells
        assert len(page.cells) == len(
            Page(html(render(replace(REPORT, targets=(Target("", results(_plain())),))))).cells
        )


def _plain() -> AttributedExporter:
    comparison = Comparison("app", None, changed=True, platforms=(AMD,))
    return replace(exporter(), comparison=comparison)


def test_a_terminal_has_a_line_for_each_platform() -> None:
    out = io.StringIO()
    print_table(results(RELEASE, FIRST, UNKNOWN), out)
    assert out.getvalue().splitlines()[-6:] == [
        f"release linux/amd64, against {MAIN}: 1 layer added, 1 layer removed; 12.5 MB (+1.5 MB)",
        f"release linux/arm64, against {MAIN}: no change; 10.0 kB (±0 B)",
        f"release linux/s390x, against {MAIN}: platform is gone",
        f"release linux/arm/v7, against {MAIN}: config; 900 B (-100 B)",
        f"1, against {MAIN}: there was no such image",
        f"2, against {MAIN}: it is not known whether it changed",
    ]
