"""The options of a command line of `docker buildx build` or `bake`.

buildx parses them with spf13/pflag, which accepts `--name value`, `--name=value`, `-nvalue`, `-n=value` and `-n value`,
and one-letter flags without a value in one argument (`-qD`). The flags without a value are those of docker/buildx 0.36
(commands/build.go, bake.go and root.go); any other option is taken to have one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from action.dataclass import dataclass
from action.errors import InputError
from action.inputs.values import go_boolean

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


_COMMON = (
    *("--builder", "--call", "--check", "--debug", "--file", "--help", "--load", "--metadata-file", "--no-cache"),
    *("--allow", "--policy", "--progress", "--provenance", "--pull", "--push", "--sbom"),
)
BUILDX_OPTIONS = {
    "build": (
        *_COMMON,
        *("--add-host", "--annotation", "--attest", "--build-arg", "--build-context", "--cache-from", "--cache-to"),
        *("--cgroup-parent", "--compress", "--cpu-period", "--cpu-quota", "--cpu-shares", "--cpuset-cpus"),
        *("--cpuset-mems", "--detach", "--force-rm", "--iidfile", "--invoke", "--isolation", "--label", "--memory"),
        *("--memory-swap", "--network", "--no-cache-filter", "--output", "--platform", "--print", "--quiet"),
        *("--resource", "--rm", "--root", "--secret", "--security-opt", "--server-config", "--shm-size", "--squash"),
        *("--ssh", "--tag", "--target", "--ulimit"),
    ),
    "bake": (*_COMMON, "--jobs", "--list", "--list-targets", "--list-variables", "--print", "--set", "--var"),
}
"""The options of docker/buildx 0.10 to 0.38, to find the nearest one to a misspelt one; a newer buildx has more."""


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
        # Three options set the same value, and the last one wins; `--check=false` sets nothing.
        if name in {"call", "print"}:
            call = value
        elif name == "check" and go_boolean(value):
            call = "check"
    return ParsedOptions(options, call)


def option_names(arguments: Sequence[str]) -> list[str]:
    """Return the names of all options of a command line, without hyphens and in order.

    Args:
        arguments: the arguments after `docker buildx build` or `bake`; the last option may lack its value.
    """
    # The empty argument is the value of an option that is the last argument.
    return [name for name, _ in _options([*arguments, ""])]


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
