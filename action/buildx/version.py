"""Which buildx this is. Asked only where something depends on it: the answer takes as long as a small build's start."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from action.errors import ProgramError
from action.process.program import capture_output

GIT_QUERY = (0, 29)
"""The first buildx that takes a Git URL with a query (`repo.git?ref=…`)."""

FILE_ENTITLEMENT = (0, 18)
"""The first buildx whose bake has the entitlement `fs`."""

BAKE_ENTITLEMENTS = (0, 17)
"""The first buildx whose bake takes `--allow`."""

LAZY_OUTPUTS = (0, 30)
"""The first buildx whose bake opens the files of outputs when it writes to them, and not when it reads a definition."""

ATTESTATIONS = (0, 10)
"""The first buildx that takes attestations."""

Version = tuple[int, int]
"""Major and minor version."""

_NEWEST: Version = (sys.maxsize, 0)

_VERSION = re.compile(r"\bv?(\d+)\.(\d+)")
_COMMIT = re.compile(r"\s[0-9a-f]{7}")
_VERSION_SECONDS = 20.0


def is_at_least(buildx: tuple[str, ...], environment: Mapping[str, str], version: Version) -> bool:
    """Whether this buildx is of a version or later; false where it does not say.

    Args:
        buildx: the command that runs buildx.
        environment: its whole environment.
        version: major and minor version.
    """
    return satisfies(ask_version(buildx, environment), version)


def satisfies(found: Version | None, version: Version) -> bool:
    """Return whether a version that was found out is at least another one; false if it is not known."""
    return found is not None and found >= version


def ask_version(buildx: tuple[str, ...], environment: Mapping[str, str]) -> Version | None:
    """Return this buildx's version, or None if it does not say it.

    One that was built from a commit without a tag counts as the newest, as in docker/actions-toolkit (buildx.ts,
    versionSatisfies).

    Args:
        buildx: the command that runs buildx.
        environment: its whole environment.
    """
    try:
        ended = capture_output((*buildx, "version"), environment, seconds=_VERSION_SECONDS)
    except ProgramError:
        return None
    if ended.code:
        return None
    if match := _VERSION.search(ended.stdout):
        return int(match[1]), int(match[2])
    return _NEWEST if _COMMIT.search(ended.stdout) else None
