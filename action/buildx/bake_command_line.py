"""Reads the arguments of a `docker buildx bake` that somebody typed; buildx itself says what it builds."""

from __future__ import annotations

import os
from collections.abc import Sequence

from action.buildx.command_line import ParsedOptions, read_options
from action.buildx.definition import ask_definition
from action.buildx.request import BakeRequest
from action.errors import InputError
from action.process.docker import find_buildx

_NO_BAKE = ("print", "list", "list-targets", "list-variables")


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


def read_bake_command_line(arguments: Sequence[str]) -> BakeRequest:
    """Read a bake from its arguments, and ask buildx for its definition.

    Args:
        arguments: everything after `docker buildx bake`, as typed.

    Raises:
        InputError: an option without its value, one that builds nothing, or an output that breaks a rule.
        BuildDigestsError: buildx finds a fault in the definition, or is not there.
    """
    given = read_bake_options(arguments)
    targets = ask_definition(find_buildx(), os.environ, ("bake", "--print", *arguments), ".")
    return BakeRequest(
        arguments=("bake", *arguments),
        metadata_file=given.metadata_file,
        call=given.method,
        contexts={name: target.context for name, target in targets.items()},
        targets={name: target.requested for name, target in targets.items()},
    )
