from __future__ import annotations

import pytest

from action.errors import InputError
from action.inputs.values import environment_boolean, go_boolean, input_boolean


@pytest.mark.parametrize("text", ["true", "True", "TRUE"])
def test_yaml_true_is_true(text: str) -> None:
    assert input_boolean("push", text) is True


@pytest.mark.parametrize("text", ["false", "False", "FALSE", ""])
def test_yaml_false_and_an_empty_input_are_false(text: str) -> None:
    assert input_boolean("push", text) is False


@pytest.mark.parametrize("text", ["yes", "no", "on", "1", "0", "tRUE", "truee", "${{ inputs.push }}"])
def test_any_other_input_is_not_a_boolean(text: str) -> None:
    with pytest.raises(InputError, match=r"^push: .* is not a boolean; write true or false$"):
        input_boolean("push", text)


def test_buildx_reads_booleans_as_go_does() -> None:
    # https://pkg.go.dev/strconv#ParseBool
    assert [go_boolean(text) for text in ("1", "t", "T", "TRUE", "true", "True")] == [True] * 6
    assert [go_boolean(text) for text in ("0", "f", "F", "FALSE", "false", "False")] == [False] * 6
    assert [go_boolean(text) for text in ("yes", "", "tRue", "2")] == [None] * 4


def test_an_environment_variable_is_true_as_in_go_and_otherwise_false() -> None:
    # docker/actions-toolkit 0.95, util.ts
    assert [environment_boolean(text) for text in ("1", "t", "T", "TRUE", "true", "True")] == [True] * 6
    assert [environment_boolean(text) for text in ("", "0", "false", "yes", "on", "y", "maybe", "2")] == [False] * 8
