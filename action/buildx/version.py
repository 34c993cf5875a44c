"""Which buildx this is. Asked only where something depends on it: the answer takes as long as a small build's start."""

from __future__ import annotations

import re
from collections.abc import Mapping

from action.buildx.program import ask
from action.errors import ProgramError

GIT_QUERY = (0, 29)
"""The first buildx that takes a Git URL with a query (`repo.git?ref=…`)."""

FILE_ENTITLEMENT = (0, 18)
"""The first buildx whose bake has the entitlement `fs`."""

_VERSION = re.compile(r"\bv?(\d+)\.(\d+)")
_VERSION_SECONDS = 20.0


def is_at_least(buildx: tuple[str, ...], environment: Mapping[str, str], version: tuple[int, int]) -> bool:
    """Whether this buildx is of a version or later; false where it does not say.

    Args:
        buildx: the command that runs buildx.
        environment: its whole environment.
        version: major and minor version.
    """
    try:
        ended = ask((*buildx, "version"), environment, seconds=_VERSION_SECONDS)
    except ProgramError:
        return False
    match = _VERSION.search(ended.stdout)
    return ended.code == 0 and match is not None and (int(match[1]), int(match[2])) >= version
