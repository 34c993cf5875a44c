"""Whether buildx is installed, and its own help."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from action.buildx.options import option_names
from action.errors import ProgramError, SlowProgramError
from action.process.docker import NO_BUILDX, NO_BUILDX_MESSAGES, find_buildx, has_plugin
from action.process.program import capture_output, run_program

_SECONDS = 20.0


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
        message = f"docker buildx {name} --help ended with exit code {ended.code}; its own message is above"
        raise ProgramError(message)
    return True


def require_buildx() -> None:
    """Check that there is a buildx, before docker prints pages of its own usage because it has none.

    Raises:
        ProgramError: there is none.
    """
    command = find_buildx(os.environ)
    if has_plugin(command, os.environ):
        return
    # Only docker knows all the folders that it searches.
    with contextlib.suppress(SlowProgramError):
        ended = capture_output((*command, "version"), os.environ, seconds=_SECONDS)
        if ended.code and any(message in ended.stderr for message in NO_BUILDX_MESSAGES):
            raise ProgramError(NO_BUILDX)
