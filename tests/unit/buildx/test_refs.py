from __future__ import annotations

import pytest

from action.buildx.local_state import BuildRef, build_id


def test_a_reference_has_three_parts() -> None:
    ref = BuildRef.parse("default/node0/kjudabc123")
    assert ref == BuildRef("default", "node0", "kjudabc123")
    assert str(ref) == "default/node0/kjudabc123"
    assert build_id("default/node0/kjudabc123") == "kjudabc123"


@pytest.mark.parametrize(
    "text", ["", "r", "b/r", "b/n/r/s", "b//r", "/n/r", "b/n/", "../n/r", "b/./r", "b/n/R", "b/n/r\n"]
)
def test_a_text_of_another_form_is_not_a_reference(text: str) -> None:
    assert BuildRef.parse(text) is None


@pytest.mark.parametrize("name", ["..b", ".b", "b.", "...", "a+b@c"])
def test_a_name_may_contain_dots(name: str) -> None:
    assert BuildRef.parse(f"{name}/{name}/r") == BuildRef(name, name, "r")
