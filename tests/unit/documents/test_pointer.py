"""Where a text stops that no parser accepts."""

from __future__ import annotations

import pytest

from action.documents.pointer import first_beyond, lines_of, pointer_at


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": {"b": 1}, "c": ', "/c"),
        ('{"a": {"b": 1}', "/a"),
        ("[[1], [2], ", "/2"),
        ('[{}, {"x": [{}, ', "/1/x/1"),
        ('{"a": [{"b": []}], "c": {"d": [[], [', "/c/d/1/0"),
        ('{"": {"": ', "//"),
        ('"a"', ""),
        ("[1]]", ""),
    ],
)
def test_the_pointer_leads_to_the_value_in_which_the_text_ends(text: str, place: str) -> None:
    assert pointer_at(text) == place


def test_the_first_value_beyond_the_maximum_depth_is_found_and_one_at_the_maximum_is_not() -> None:
    text = '[{}, {"a": [], "b": [1, {}]}]'
    assert [first_beyond(text, depth) for depth in (1, 2, 3, 4)] == ["/0", "/1/a/0", "/1/b/1", None]


def test_each_value_is_found_on_its_line() -> None:
    # As an editor counts them.
    text = """
{
  "a": [1,
    {"b": [], "None": 2}],
  "c/d~e":
    {
      "": "x\\n{[",
      "1": [[
        ], 7]
    },
  "last": null, "a": 3
}"""
    lines = {"": 2, "/a/0": 3, "/a/1": 4, "/a/1/b": 4, "/a/1/None": 4, "/c~1d~0e": 6, "/c~1d~0e/": 7}
    lines |= {"/c~1d~0e/1": 8, "/c~1d~0e/1/0": 8, "/c~1d~0e/1/1": 9, "/last": 11, "/a": 11}
    assert lines_of(text, lines) == lines
    assert lines_of(text, {"/none", "/a/2", "/a/b"}) == {}
    assert [lines_of(text, {place}) for place in lines] == [{place: line} for place, line in lines.items()]


def test_lines_are_found_up_to_where_a_text_is_no_json() -> None:
    assert lines_of('{"a": 1,\n"b": [2,\n3 4', {"/a", "/b/1", "/c"}) == {"/a": 1, "/b/1": 3}
