"""Command lines of `docker buildx build` and `bake`, read as far as the results depend on them, and their help.

The arguments are passed on unchanged.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence

from action.buildx.options import ParsedOptions, option_names, read_options
from action.buildx.request import Request
from action.errors import InputError, ProgramError, SlowProgramError
from action.exporters.output import STDOUT_PATHS, parse_caches, parse_outputs
from action.exporters.requested import requested_exporters
from action.process.docker import NO_BUILDX, NO_BUILDX_MESSAGES, find_buildx, has_plugin
from action.process.program import capture_output, run_program

# Options with which a bake builds nothing.
_NO_BAKE = ("print", "list", "list-targets", "list-variables")

_VERSION_SECONDS = 20.0


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
        caches=parse_caches(given.options.get("cache-to", ()), source="--cache-to"),
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
    # Not only the options that are read below: they take `--print` for the option of a build, which has a value.
    for name in _NO_BAKE:
        if f"--{name}" in arguments:
            raise _builds_nothing(name)
    given = read_options(arguments)
    for name in _NO_BAKE:
        if name in given.options:
            raise _builds_nothing(name)
    return given


def read_bake_command_line(
    arguments: Sequence[str], folder: str = ".", environment: Mapping[str, str] | None = None
) -> Request:
    """Return the request for a bake from its command line; buildx prints the definition.

    Args:
        arguments: the arguments after `docker buildx bake`.
        folder: the folder that buildx runs in.
        environment: environment variables for buildx only, such as variables of the definition.

    Raises:
        InputError: the last option has no value, an option makes the bake build nothing, or an output breaks a rule.
        BuildDigestsError: buildx is not installed, or rejects the definition.
    """
    given = read_bake_options(arguments)
    from action.buildx.definition import query_definition  # noqa: PLC0415  # a build needs no definition

    variables = environment or {}
    whole = {**os.environ, **variables}
    targets = query_definition(find_buildx(whole), whole, ("bake", "--print", *arguments), folder)
    return Request(
        bake=True,
        folder=folder,
        environment=variables,
        arguments=("bake", *arguments),
        metadata_file=given.metadata_file,
        call=given.method,
        contexts={name: target.context for name, target in targets.items()},
        targets={name: target.requested for name, target in targets.items()},
    )


def shows_help(name: str, arguments: Sequence[str]) -> bool:
    """Show the help of a buildx command if the arguments ask for it, and return whether they do.

    Args:
        name: the command, such as `build`.
        arguments: the arguments of buildx.

    Raises:
        ProgramError: buildx is not installed, or its help failed.
    """
    if "help" not in option_names(arguments):
        return False
    require_buildx()
    ended = run_program((*find_buildx(os.environ), name, "--help"), os.environ)
    if ended.code:
        raise ProgramError(f"docker buildx {name} --help ended with exit code {ended.code}; its own message is above")
    return True


def require_buildx() -> None:
    """Check that buildx is installed: a docker without it would print pages of its own usage.

    Raises:
        ProgramError: it is not installed.
    """
    command = find_buildx(os.environ)
    if has_plugin(command, os.environ):
        return
    # Only docker knows all the folders that it searches.
    with contextlib.suppress(SlowProgramError):
        ended = capture_output((*command, "version"), os.environ, seconds=_VERSION_SECONDS)
        if ended.code and any(message in ended.stderr for message in NO_BUILDX_MESSAGES):
            raise ProgramError(NO_BUILDX)


def _builds_nothing(option: str) -> InputError:
    return InputError(
        f"--{option}", "with it a bake builds nothing, so there are no digests", "run docker buildx bake itself"
    )


def _prints_image_id(given: ParsedOptions) -> bool:
    """Return whether buildx prints the image ID on standard output: with `--quiet`, or if `--iidfile` is that."""
    progress = given.last("progress") or os.environ.get("BUILDKIT_PROGRESS", "")
    return given.flag("quiet") or progress == "quiet" or given.last("iidfile") in STDOUT_PATHS
