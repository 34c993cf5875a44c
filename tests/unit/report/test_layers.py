"""Sizes as people read them, and the part of the summary with the largest layers."""

from __future__ import annotations

import pytest

from action.dataclass import replace
from action.oci.comparison import Layer
from action.report.comparison import size_text
from action.report.layers import BuiltLayer
from action.report.model import Report, Target
from action.report.summary import outputs_table, render
from tests.unit.merging.jobs import digest_of, exporter, results
from tests.unit.report.rendered import Page, html
from tests.unit.report.test_safe_text import HOSTILE

LAYER = Layer(digest_of("layer"), 28_711_233, None, "RUN make TOKEN=hunter2")
REPORT = Report(
    title="Build",
    failed=False,
    targets=(Target("", results(replace(exporter(), size=28_711_233), exporter("files", kind="local", digest=None))),),
    layers=(BuiltLayer("", "release", "linux/amd64", LAYER),),
    secrets=("hunter2",),
)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (28_711_233, "28.7 MB"),
        (1_500_000_000, "1.5 GB"),
        (10**400, f"1{'0' * 391}.0 GB"),
    ],
)
def test_a_size_has_one_decimal_and_a_decimal_unit(size: int, shown: str) -> None:
    assert size_text(size) == shown


def test_summary_and_comment_have_a_column_with_the_size_of_each_image() -> None:
    for text in (render(REPORT), outputs_table(REPORT, 50_000)):
        cells = Page(html(text)).cells
        column = cells.index("Size")
        assert [cells[column], cells[column + 6], cells[column + 12]] == ["Size", "28.7 MB", "-"]
    assert "Largest layers" not in outputs_table(REPORT, 50_000)


def test_a_layer_has_its_instruction_without_secrets() -> None:
    cells = Page(html(render(REPORT))).cells
    row = ["release", "linux/amd64", "28.7 MB", digest_of("layer")[:19], "RUN make TOKEN=***"]
    assert cells[-len(row) :] == row


def test_no_text_of_a_layer_adds_markup() -> None:
    plain = Page(html(render(REPORT)))
    for hostile in HOSTILE:
        layer = BuiltLayer("", "release", hostile, replace(LAYER, created_by=hostile))
        page = Page(html(render(replace(REPORT, layers=(layer,)))))
        assert page.elements == plain.elements, hostile
        assert page.attributes == plain.attributes, hostile
