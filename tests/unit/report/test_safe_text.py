"""No value from outside can leave its cell, block or line, whatever it contains."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action.report.safe_text import block, code, log_line, one_line, table, visible
from tests.unit.report.rendered import Page, html, tokens

HOSTILE = [
    "a | b",
    "`code` ``more``",
    "<script>alert(1)</script>",
    "<!-- ",
    "</code></td></tr></table>",
    "**bold** _it_ ~~no~~ [link](https://x) ![i](x)",
    "@octocat #12 https://example.com a@b.c",
    "line\nbreak\r\n\n| x | y |",
    "::set-output name=a::b",
    "%0A::error::x",
    "\\| \\` \\",
    "&amp; &#124; &lt;b&gt;",
    "\x1b[31mred\x1b[0m",
    "\u202egnp.exe",
    "- [ ] task",
    "1. list",
    "# heading",
    "```\nfence",
    "~~~",
    "$x$ $$y$$",
]
TEXTS = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=400), st.text(alphabet="|`<>&\\*_[]()#~\n-!:;\"' ab", max_size=80)
)


@given(TEXTS, TEXTS, TEXTS)
def test_a_value_stays_in_its_cell(one: str, two: str, title: str) -> None:
    page = Page(html(table(["A", "B"], [[code(one), code(two, title=title)]])))
    assert page.cells == ["A", "B", one_line(one), one_line(two)]
    assert set(page.elements) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert page.attributes <= {"title"}
    assert page.comments == []


@given(TEXTS)
def test_a_value_stays_in_its_paragraph(text: str) -> None:
    page = Page(html(f"before {code(text)} after\n"))
    assert page.elements == ["p", "code"]
    assert page.codes == [one_line(text)]


@given(TEXTS)
def test_a_text_stays_in_its_block(text: str) -> None:
    fence, after = (token for token in tokens(block(text, "text") + "\nafter\n") if token.type in {"fence", "inline"})
    assert (fence.type, fence.info, after.content) == ("fence", "text", "after")
    assert fence.content.strip("\n") == visible(text).strip("\n")


@given(st.text(max_size=2000))
def test_one_line_has_a_limited_length_and_no_invisible_characters(text: str) -> None:
    line = one_line(text)
    assert len(line) <= 300
    assert line == " ".join(line.split())
    assert not {unicodedata.category(character) for character in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07", "red link"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\x00b\x07c", "abc"),
        ("\u202eabc\u202c\u200b\ufeff", "abc"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_terminal_sequences_and_invisible_characters_are_removed(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", ": :error::x"),
        ("  \x1b[1m::error::x", ": :error::x"),
        ("a\n::error::x\tb", "a ::error::x b"),
        ("a ##[error]x", "a ## [error]x"),
        ("plain", "plain"),
    ],
)
def test_a_log_line_is_one_line_and_never_a_workflow_command(text: str, shown: str) -> None:
    assert log_line(text) == shown
