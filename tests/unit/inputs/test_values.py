from __future__ import annotations

import pytest

from action.errors import InputError
from action.inputs.build import BUILD_NAMES
from action.inputs.values import known_inputs, parse_inputs


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("platform", "platforms"), ("tag", "tags"), ("ouputs", "outputs"), ("secret", "secrets"), ("pùsh", "push")],
)
def test_an_input_that_is_not_declared_gives_a_warning_with_the_nearest_name_and_no_value(
    name: str, nearest: str
) -> None:
    known, warnings = known_inputs({"push": "true", name: "hunter2"}, BUILD_NAMES)
    assert known == {"push": "true"}
    assert warnings == (f"{name}: this action has no such input, so it is ignored; did you mean {nearest}?",)


@pytest.mark.parametrize("name", ["frobnicate", ""])
def test_the_warning_for_an_input_that_is_like_no_other_names_action_yml(name: str) -> None:
    assert known_inputs({name: ""}, BUILD_NAMES) == (
        {},
        (f"{name}: this action has no such input, so it is ignored; see the inputs in action.yml",),
    )


def test_names_are_read_in_any_case_as_github_reads_them() -> None:
    # The peer reads INPUT_PUSH, whatever the case of `push` in the workflow.
    assert parse_inputs('{"Push": "true", "BUILD-ARGS": "A=Z"}') == {"push": "true", "build-args": "A=Z"}


def test_booleans_and_numbers_of_json_become_texts() -> None:
    assert parse_inputs('{"push": true, "load": false, "target": 1, "file": null}') == {
        "push": "true",
        "load": "false",
        "target": "1",
        "file": "",
    }


@pytest.mark.parametrize("document", ["[]", "null", '"x"', "{", '{"secrets": "hunter2"', "[" * 100_000])
def test_a_document_that_is_not_an_object_is_an_error_that_does_not_show_it(document: str) -> None:
    with pytest.raises(InputError, match=r"^INPUTS: ") as error:
        parse_inputs(document)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("value", ["[1]", "{}"])
def test_an_input_that_is_not_a_text_is_an_error(value: str) -> None:
    with pytest.raises(InputError, match=r"^tags: found a JSON"):
        parse_inputs(f'{{"tags": {value}}}')


def test_a_nul_is_an_error() -> None:
    with pytest.raises(InputError, match=r"^secrets: it contains a NUL character"):
        parse_inputs('{"secrets": "hunter2\\u0000"}')


def test_a_lone_surrogate_is_an_error_that_does_not_show_it() -> None:
    # A lone surrogate has no bytes: nothing could print it or pass it on.
    with pytest.raises(InputError, match=r"^secrets: it contains a lone surrogate") as error:
        parse_inputs('{"secrets": "K=hunter2\\ud800"}')
    assert "hunter2" not in str(error.value)


def test_a_name_with_a_lone_surrogate_is_an_error() -> None:
    with pytest.raises(InputError, match=r"^INPUTS: a name contains a lone surrogate") as error:
        parse_inputs('{"ta\\ud800gs": "x"}')
    assert str(error.value).encode()
