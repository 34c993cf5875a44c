from __future__ import annotations

import pytest

from action.inputs.look import Look, read_look


def test_everything_is_shown_that_neither_an_input_nor_a_variable_turns_off() -> None:
    assert read_look({}, summary=True, comment=True, record=True) == Look(True, True, True, True)  # noqa: FBT003
    assert read_look({}, summary=False, comment=False, record=False) == Look(False, True, False, False)  # noqa: FBT003


@pytest.mark.parametrize("text", ["false", "0", "F"])
def test_the_peers_variables_turn_off_what_they_name(text: str) -> None:
    names = ("DOCKER_BUILD_SUMMARY", "DOCKER_BUILD_CHECKS_ANNOTATIONS", "DOCKER_BUILD_RECORD_UPLOAD")
    look = read_look(dict.fromkeys(names, text), summary=True, comment=True, record=True)
    assert look == Look(False, False, True, False)  # noqa: FBT003


@pytest.mark.parametrize("text", ["yes", "on", "2"])
def test_a_variable_that_is_no_boolean_counts_as_false(text: str) -> None:
    assert read_look({"DOCKER_BUILD_SUMMARY": text}, summary=True, comment=False, record=False).summary is False
