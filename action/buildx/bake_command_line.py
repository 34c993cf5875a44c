"""Reads the arguments of a `docker buildx bake` that somebody typed; what it builds, buildx itself is asked."""

from __future__ import annotations

import os
from collections.abc import Sequence

from action.buildx.command_line import given_options
from action.buildx.definition import ask_definition
from action.buildx.program import find_buildx
from action.buildx.request import BakeRequest
from action.errors import InputError

_NO_BAKE = ("print", "list", "list-targets", "list-variables")


def read_bake_command_line(arguments: Sequence[str]) -> BakeRequest:
    """Read a bake from its arguments, and ask buildx for its definition.

    Args:
        arguments: everything after `docker buildx bake`, as typed.

    Raises:
        InputError: an option without its value, one that builds nothing, or an output that breaks a rule.
        BuildDigestsError: buildx finds a fault in the definition, or is not there.
    """
    given = given_options(arguments)
    for name in _NO_BAKE:
        if name in given:
            raise InputError(
                f"--{name}", "it builds nothing, so that there are no digests", "run docker buildx bake itself"
            )
    call = "check" if given.get("check", ["false"])[-1] == "true" else given.get("call", [""])[-1].partition(",")[0]
    targets = ask_definition(find_buildx(), os.environ, ("bake", "--print", *arguments), ".")
    return BakeRequest(
        arguments=("bake", *arguments),
        metadata_file=given["metadata-file"][-1] if "metadata-file" in given else None,
        call=call,
        targets={name: target.requested for name, target in targets.items()},
    )
