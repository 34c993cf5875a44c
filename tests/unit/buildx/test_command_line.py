"""Flags as spf13/pflag reads them, which buildx uses."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action.buildx.command_line import read_build_command_line
from action.buildx.options import read_options
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
        ["-q=false", "-D", "-o", "type=oci,dest=x", "."],
        ["-t", "--push", "--tag", "-o", "-f", "--", "-o", "type=oci,dest=x", "."],
        ["--target=--load", "-m", "-o", "-c=-o", "-o", "type=oci,dest=x", "."],
        ["--check=false", "--quiet=1", "--sbom=true", "--provenance", "false", "-o", "type=oci,dest=x", "."],
        ["", "--load=false", "--output", "type=oci,dest=x"],
        [".", "-o", "type=oci,dest=x"],
        ["--build-arg", "-o", "-o", "type=oci,dest=x", "."],
        ["--label=--push", "-f", "--load", "-o", "type=oci,dest=x", "--", "-o", "."],
        ["--pull", "--no-cache", "--rm", "-o", "type=oci,dest=x", "-"],
    ],
)
def test_an_output_is_found_however_it_is_written(arguments: list[str]) -> None:
    requested = read_build_command_line(arguments).targets[""]
    assert [(each.type, each.dest) for each in requested.exporters] == [("oci", "x")]
    assert (requested.push, requested.load) == (False, False)


@pytest.mark.parametrize(
    ("arguments", "dest"), [(["-o="], "="), (["-o", "="], "="), (["-o=="], "="), (["-o./x=y"], "./x=y")]
)
def test_a_short_option_takes_what_is_glued_to_it(arguments: list[str], dest: str) -> None:
    # pflag takes the '=' off only where something stands after it.
    (exporter,) = read_build_command_line(arguments).targets[""].exporters
    assert (exporter.type, exporter.dest) == ("local", dest)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--", "--push", "-o", "type=oci,dest=x"],
        ["--label", "--push", "."],
        ["--label=a", "--label", "--output", "--build-arg=--push", "."],
        ["-"],
        ["-f", "-o", "."],
        ["-f-o", "."],
        [],
    ],
)
def test_what_only_looks_like_an_option_asks_for_nothing(arguments: list[str]) -> None:
    request = read_build_command_line(arguments)
    assert (request.targets[""].exporters, request.targets[""].push) == ((), False)
    assert request.arguments == ("build", *arguments)


_LONG = {"output": "o", "tag": "t", "file": "f"}
_VALUES = st.text("-=ab:o,t/ ", min_size=1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(_LONG)), st.integers(0, 3), _VALUES)), st.data())
def test_every_way_to_write_a_value_gives_the_same_value(
    options: list[tuple[str, int, str]], data: st.DataObject
) -> None:
    arguments: list[str] = []
    for name, form, value in options:
        arguments += data.draw(st.sampled_from([[], ["."], ["--pull"], ["-q"], ["-"], ["-qD"]]))
        forms = [[f"--{name}", value], [f"--{name}={value}"], [f"-{_LONG[name]}", value], [f"-{_LONG[name]}={value}"]]
        arguments += forms[form]
    given_values = read_options([*arguments, "--", "--tag", "no"]).options
    for name in _LONG:
        assert given_values.get(name, []) == [value for each, _, value in options if each == name]


@settings(deadline=None)
@given(st.lists(st.text("-=qotDh,xé\0 \n"), max_size=6))
def test_any_arguments_are_read_or_refused_with_a_plain_error(arguments: list[str]) -> None:
    with contextlib.suppress(InputError):
        assert read_build_command_line(arguments).arguments == ("build", *arguments)


@pytest.mark.parametrize(
    ("arguments", "push"),
    [(["--push", "."], True), (["--push=false", "."], False), (["--push=1"], True), (["--push", "--push=0"], False)],
)
def test_the_last_push_counts(arguments: list[str], *, push: bool) -> None:
    assert read_build_command_line(arguments).targets[""].push is push


def test_tags_are_collected() -> None:
    request = read_build_command_line(
        ["-t", "a:1", "--tag=b:2", "--platform", "linux/amd64,linux/arm64", "--push", "."]
    )
    assert request.targets[""].tags == ("a:1", "b:2")
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
        (["--call", "outline", "--check"], "check"),
        (["--check", "--call", "outline"], "outline"),
        (["--check=false", "--call", "outline"], "outline"),
        (["--call", "outline", "--check=false"], "outline"),
        (["--call=outline", "--print=targets"], "targets"),
        (["--check", "--call="], ""),
        ([], ""),
    ],
)
def test_a_call_is_found(arguments: list[str], call: str) -> None:
    request = read_build_command_line([*arguments, "."])
    assert request.call == call
    assert request.targets[""].exports is (call in {"", "build"})


def test_a_metadata_file_of_the_users_own_is_found() -> None:
    assert read_build_command_line(["--metadata-file", "m", "--metadata-file=--push", "."]).metadata_file == "--push"
    assert read_build_command_line(["--metadata-file", "m", "."]).metadata_file == "m"
    assert read_build_command_line(["."]).metadata_file is None


@pytest.mark.parametrize("arguments", [["--output"], ["-o"], [".", "-qt"]])
def test_an_option_without_its_value_is_named(arguments: list[str]) -> None:
    with pytest.raises(InputError, match=r"it is the last argument and has no value; add a value$"):
        read_build_command_line(arguments)


def test_an_output_that_breaks_a_rule_is_named_by_its_option() -> None:
    with pytest.raises(InputError, match=r"^--output: id '1' is all digits"):
        read_build_command_line(["-o", "type=oci,id=1,dest=x", "."])
