"""Which buildx this is. Asked only where something depends on it: the answer takes as long as a small build's start."""

from __future__ import annotations

import re
from collections.abc import Mapping

from action.buildx.program import ask
from action.errors import ProgramError

_VERSION = re.compile(r"\bv?(\d+)\.(\d+)")
_VERSION_SECONDS = 20.0
_GIT_QUERY = (0, 29)


def sends_git_query(buildx: tuple[str, ...], environment: Mapping[str, str]) -> bool:
    """Whether this buildx takes a Git URL with a query (`repo.git?ref=…`): 0.29 and later.

    Args:
        buildx: the command that runs buildx.
        environment: its whole environment.
    """
    try:
        ended = ask((*buildx, "version"), environment, seconds=_VERSION_SECONDS)
    except ProgramError:
        return False
    match = _VERSION.search(ended.stdout)
    return match is not None and (int(match[1]), int(match[2])) >= _GIT_QUERY
