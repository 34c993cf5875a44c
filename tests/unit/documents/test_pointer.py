"""Where a text stops that no parser accepts."""

from __future__ import annotations

import pytest

from action.documents.pointer import first_beyond, pointer_at


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
