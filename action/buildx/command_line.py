"""Reads the arguments of a `docker buildx build` that somebody typed: only what says which exporters it asks for.

buildx reads its flags with spf13/pflag: `--name value`, `--name=value`, `-nvalue`, `-n=value`, `-n value`, and
one-letter flags without a value can stand together. The flags are those of docker/buildx 0.36 (commands/build.go and
root.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from action.buildx.request import BuildRequest
from action.errors import InputError
from action.inputs.booleans import go_boolean
from action.outputs.exporters import requested_exporters
from action.outputs.parse import parse_outputs

_SHORT = {
    "c": "cpu-shares",
    "D": "debug",
    "f": "file",
    "h": "help",
    "m": "memory",
    "o": "output",
    "q": "quiet",
    "t": "tag",
}
_WITHOUT_VALUE = frozenset(
    (
        "check",
        "compress",
        "debug",
        "detach",
        "force-rm",
        "help",
        "list-targets",
        "list-variables",
        "load",
        "no-cache",
        "pull",
        "push",
        "quiet",
        "rm",
        "squash",
    )
)


def given_options(arguments: Sequence[str]) -> dict[str, list[str]]:
    """Every option of a command line with its values in order; `true` for one that stands without.

    Raises:
        InputError: an option without its value.
    """
    given: dict[str, list[str]] = {}
    for name, value in _options(arguments):
        given.setdefault(name, []).append(value)
    return given


def read_command_line(arguments: Sequence[str]) -> BuildRequest:
    """Read a build from its arguments.

    Args:
        arguments: everything after `docker buildx build`, as typed.

    Raises:
        InputError: an option without its value, or an output that breaks a rule.
    """
    given = given_options(arguments)

    def flag(name: str) -> bool:
        return bool(go_boolean(given.get(name, ["false"])[-1]))

    call = _call(arguments)
    requested = requested_exporters(
        parse_outputs(given.get("output", ()), source="--output"),
        tags=tuple(given.get("tag", ())),
        push=flag("push"),
        load=flag("load"),
        call=call,
    )
    return BuildRequest(
        arguments=("build", *arguments),
        requested=requested,
        metadata_file=given["metadata-file"][-1] if "metadata-file" in given else None,
        call=call.partition(",")[0],
    )


def _call(arguments: Sequence[str]) -> str:
    """What is asked for instead of a build: three options write the same value, and the last one stands."""
    call = ""
    for name, value in _options(arguments):
        if name in {"call", "print"}:
            call = value
        elif name == "check" and go_boolean(value):
            call = "check"
    return call


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every option with its value; `true` for one that stands without."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            return
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            if equals:
                yield name, value
            elif name in _WITHOUT_VALUE:
                yield name, "true"
            else:
                yield name, _next(rest, argument)
        elif argument.startswith("-") and argument != "-":
            yield from _short_options(argument, rest)


def _short_options(argument: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    letters = argument[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        name = _SHORT.get(letter, letter)
        if letters.startswith("=") and len(letters) > 1:
            yield name, letters[1:]
            return
        if name in _WITHOUT_VALUE:
            yield name, "true"
            continue
        yield name, letters or _next(rest, argument)
        return


def _next(rest: Iterator[str], option: str) -> str:
    try:
        return next(rest)
    except StopIteration:
        raise InputError(option, "it stands last, without a value", "give it one") from None
