"""Command lines of `docker buildx build` and `bake`, read as far as the results depend on them.

The arguments are passed on unchanged. buildx parses them with spf13/pflag, which accepts `--name value`,
`--name=value`, `-nvalue`, `-n=value` and `-n value`, and one-letter flags without a value in one argument (`-qD`). The
flags without a value are those of docker/buildx 0.36 (commands/build.go, bake.go and root.go); any other option is
taken to have one.
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
# Options with which a bake builds nothing.
_NO_BAKE = ("print", "list", "list-targets", "list-variables")

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
        options: option name, without hyphens, to its values in order; the value is `true` for a flag without one.
        call: the value of `--call`, such as `check` or `outline,format=json`; empty for a build.
    """

    options: Mapping[str, Sequence[str]]
    call: str

    @property
    def metadata_file(self) -> str | None:
        """The path of the metadata file, or None."""
        return self.last("metadata-file") or None

    @property
    def method(self) -> str:
        """The method of `call` without its attributes, such as `outline`."""
        return next((field for field in self.call.split(",") if "=" not in field), "")

    def last(self, name: str) -> str:
        """Return the last value of an option, which overrides the others, or an empty text."""
        return self.options[name][-1] if name in self.options else ""

    def flag(self, name: str) -> bool:
        """Return whether a boolean option is true."""
        return bool(go_boolean(self.last(name)))


def read_options(arguments: Sequence[str]) -> ParsedOptions:
    """Read all options of a command line.

    Args:
        arguments: the arguments after `docker buildx build` or `bake`.

    Raises:
        InputError: the last option has no value.

    Example:
        >>> read_options(["--push", "-ta", "--tag=b", "."]).options
        {'push': ['true'], 'tag': ['a', 'b']}
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
    """Return the request for a build from its command line.

    Args:
        arguments: the arguments after `docker buildx build`.

    Raises:
        InputError: the last option has no value, or an output breaks a rule.
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
    """Return the options of a bake, without starting buildx.

    Args:
        arguments: the arguments after `docker buildx bake`.

    Raises:
        InputError: the last option has no value, or an option makes the bake build nothing.
    """
    given = read_options(arguments)
    for name in _NO_BAKE:
        if name in given.options:
            raise InputError(
                f"--{name}", "with it a bake builds nothing, so there are no digests", "run docker buildx bake itself"
            )
    return given


def read_bake_command_line(arguments: Sequence[str], folder: str = ".") -> Request:
    """Return the request for a bake from its command line; buildx prints the definition.

    Args:
        arguments: the arguments after `docker buildx bake`.
        folder: the folder that buildx runs in.

    Raises:
        InputError: the last option has no value, an option makes the bake build nothing, or an output breaks a rule.
        BuildDigestsError: buildx is not installed, or rejects the definition.
    """
    given = read_bake_options(arguments)
    from action.buildx.definition import query_definition  # noqa: PLC0415  # a build needs no definition

    targets = query_definition(find_buildx(), os.environ, ("bake", "--print", *arguments), folder)
    return Request(
        bake=True,
        folder=folder,
        arguments=("bake", *arguments),
        metadata_file=given.metadata_file,
        call=given.method,
        contexts={name: target.context for name, target in targets.items()},
        targets={name: target.requested for name, target in targets.items()},
    )


def _prints_image_id(given: ParsedOptions) -> bool:
    """Return whether buildx prints the image ID on standard output: with `--quiet`, or if `--iidfile` is that."""
    progress = given.last("progress") or os.environ.get("BUILDKIT_PROGRESS", "")
    return given.flag("quiet") or progress == "quiet" or given.last("iidfile") in STDOUT_PATHS


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of each option, in order; the value is `true` for a flag without one."""
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
    """Yield the options in an argument with one hyphen, such as `-ta` or `-qD`."""
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
    """Return the next argument as the value of an option."""
    try:
        return next(rest)
    except StopIteration:
        raise InputError(option, "it is the last argument and has no value", "add a value") from None
