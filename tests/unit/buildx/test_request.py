from __future__ import annotations

import pytest

from action.buildx.request import without_option

ARGUMENTS = (
    "build",
    "--annotation",
    "a=1",
    "--label",
    "--annotation",
    "--push",
    "--annotation",
    "--push",
    "--load",
    ".",
)


def test_an_option_is_left_out_with_its_values_wherever_it_is() -> None:
    assert without_option(ARGUMENTS, "--annotation") == ("build", "--label", "--annotation", "--push", "--load", ".")
    assert without_option(ARGUMENTS, "--label") == (*ARGUMENTS[:3], *ARGUMENTS[5:])
    assert without_option(ARGUMENTS, "--attest") == ARGUMENTS


@pytest.mark.parametrize("flag", ["--load", "--push", "--pull", "--no-cache"])
def test_a_flag_takes_no_value(flag: str) -> None:
    assert without_option(("build", flag, "--attest", "x", "."), "--attest") == ("build", flag, ".")
