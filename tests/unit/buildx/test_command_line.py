"""Flags as spf13/pflag reads them, which buildx uses."""

from __future__ import annotations

import pytest

from action.buildx.command_line import read_command_line
from action.errors import InputError


@pytest.mark.parametrize(
    "arguments",
    [
        ["--output", "type=oci,dest=x", "."],
        ["--output=type=oci,dest=x", "."],
        ["-o", "type=oci,dest=x", "."],
        ["-otype=oci,dest=x", "."],
        ["-o=type=oci,dest=x", "."],
        ["-qo", "type=oci,dest=x", "."],
        ["-qDotype=oci,dest=x", "."],
        [".", "-o", "type=oci,dest=x"],
        ["--build-arg", "-o", "-o", "type=oci,dest=x", "."],
        ["--label=--push", "-f", "--load", "-o", "type=oci,dest=x", "--", "-o", "."],
        ["--pull", "--no-cache", "--rm", "-o", "type=oci,dest=x", "-"],
    ],
)
def test_an_output_is_found_however_it_is_written(arguments: list[str]) -> None:
    requested = read_command_line(arguments).requested
    assert [(each.type, each.dest) for each in requested.exporters] == [("oci", "x")]
    assert (requested.push, requested.load) == (False, False)


@pytest.mark.parametrize(
    ("arguments", "push"),
    [(["--push", "."], True), (["--push=false", "."], False), (["--push=1"], True), (["--push", "--push=0"], False)],
)
def test_the_last_push_counts(arguments: list[str], *, push: bool) -> None:
    assert read_command_line(arguments).requested.push is push


def test_tags_are_collected() -> None:
    request = read_command_line(["-t", "a:1", "--tag=b:2", "--platform", "linux/amd64,linux/arm64", "--push", "."])
    assert request.requested.tags == ("a:1", "b:2")
    assert request.arguments == (
        "build",
        "-t",
        "a:1",
        "--tag=b:2",
        "--platform",
        "linux/amd64,linux/arm64",
        "--push",
        ".",
    )


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (["--call", "outline"], "outline"),
        (["--call=check,format=json"], "check"),
        (["--check"], "check"),
        (["--print=targets"], "targets"),
        (["--call=build"], "build"),
        ([], ""),
    ],
)
def test_a_call_is_found(arguments: list[str], call: str) -> None:
    request = read_command_line([*arguments, "."])
    assert request.call == call
    assert request.requested.exports is (call in {"", "build"})


def test_a_metadata_file_of_the_users_own_is_found() -> None:
    assert read_command_line(["--metadata-file", "m", "."]).metadata_file == "m"
    assert read_command_line(["."]).metadata_file is None


@pytest.mark.parametrize("arguments", [["--output"], ["-o"], [".", "-qt"]])
def test_an_option_without_its_value_is_named(arguments: list[str]) -> None:
    with pytest.raises(InputError, match=r"it stands last, without a value; give it one$"):
        read_command_line(arguments)


def test_an_output_that_breaks_a_rule_is_named_by_its_option() -> None:
    with pytest.raises(InputError, match=r"^--output: id '1' is all digits"):
        read_command_line(["-o", "type=oci,id=1,dest=x", "."])
