"""Reads the arguments of a `docker buildx build` or `bake` that somebody typed: only what the results depend on.

buildx reads its flags with spf13/pflag: `--name value`, `--name=value`, `-nvalue`, `-n=value`, `-n value`, and
one-letter flags without a value can stand together. The flags are those of docker/buildx 0.36 (commands/build.go and
root.go).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from action.buildx.request import Request
from action.errors import InputError
from action.exporters.output import STDOUT_PATHS, parse_outputs
from action.exporters.requested import requested_exporters
from action.inputs.booleans import go_boolean
from action.process.docker import find_buildx

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
_NO_BAKE = ("print", "list", "list-targets", "list-variables")
"""Options with which a bake builds nothing."""

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


@dataclass(frozen=True)
class ParsedOptions:
    """The options of a command line.

    Attributes:
        options: option name to its values in order; `true` for one without a value.
        call: what is asked for instead of a build, such as `check` or `outline,format=json`; empty if nothing is.
    """

    options: Mapping[str, Sequence[str]]
    call: str

    @property
    def metadata_file(self) -> str | None:
        """The path of the metadata file, or None."""
        return self.last("metadata-file") or None

    @property
    def method(self) -> str:
        """The method of the call, without its attributes."""
        return next((field for field in self.call.split(",") if "=" not in field), "")

    def last(self, name: str) -> str:
        """Return an option's last value, which is the one that counts, or an empty text."""
        return self.options[name][-1] if name in self.options else ""

    def flag(self, name: str) -> bool:
        """Whether a boolean option is set."""
        return bool(go_boolean(self.last(name)))


def read_options(arguments: Sequence[str]) -> ParsedOptions:
    """Read every option of a command line.

    Raises:
        InputError: an option without its value.
    """
    options: dict[str, list[str]] = {}
    call = ""
    for name, value in _options(arguments):
        options.setdefault(name, []).append(value)
        # Three options write the same value, and the last one stands; `--check=false` writes nothing.
        if name in {"call", "print"}:
            call = value
        elif name == "check" and go_boolean(value):
            call = "check"
    return ParsedOptions(options, call)


def read_build_command_line(arguments: Sequence[str]) -> Request:
    """Read a build from its arguments.

    Args:
        arguments: everything after `docker buildx build`, as typed.

    Raises:
        InputError: an option without its value, or an output that breaks a rule.
    """
    given = read_options(arguments)
    requested = requested_exporters(
        parse_outputs(given.options.get("output", ()), source="--output"),
        tags=tuple(given.options.get("tag", ())),
        push=given.flag("push"),
        load=given.flag("load"),
        call=given.call,
        annotations=given.options.get("annotation", ()),
    )
    return Request(
        arguments=("build", *arguments),
        targets={"": requested},
        metadata_file=given.metadata_file,
        call=given.method,
        writes_stdout=_prints_image_id(given),
        image_id_file=given.options["iidfile"][-1] if "iidfile" in given.options else None,
    )


def read_bake_options(arguments: Sequence[str]) -> ParsedOptions:
    """Read the options of a bake; nothing is run.

    Args:
        arguments: everything after `docker buildx bake`, as typed.

    Raises:
        InputError: an option without its value, or one that builds nothing.
    """
    given = read_options(arguments)
    for name in _NO_BAKE:
        if name in given.options:
            raise InputError(
                f"--{name}", "it builds nothing, so that there are no digests", "run docker buildx bake itself"
            )
    return given


def read_bake_command_line(arguments: Sequence[str]) -> Request:
    """Read a bake from its arguments, and ask buildx for its definition.

    Args:
        arguments: everything after `docker buildx bake`, as typed.

    Raises:
        InputError: an option without its value, one that builds nothing, or an output that breaks a rule.
        BuildDigestsError: buildx finds a fault in the definition, or is not there.
    """
    given = read_bake_options(arguments)
    from action.buildx.definition import ask_definition  # noqa: PLC0415  # a build needs no definition

    targets = ask_definition(find_buildx(), os.environ, ("bake", "--print", *arguments), ".")
    return Request(
        bake=True,
        arguments=("bake", *arguments),
        metadata_file=given.metadata_file,
        call=given.method,
        contexts={name: target.context for name, target in targets.items()},
        targets={name: target.requested for name, target in targets.items()},
    )


def _prints_image_id(given: ParsedOptions) -> bool:
    """Whether the image ID goes to standard output: with `--quiet`, or where its file is standard output."""
    progress = given.last("progress") or os.environ.get("BUILDKIT_PROGRESS", "")
    return given.flag("quiet") or progress == "quiet" or given.last("iidfile") in STDOUT_PATHS


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
