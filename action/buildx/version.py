"""The version of buildx. It is queried only if something depends on it, because buildx starts as slowly as a build."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from action.errors import ProgramError
from action.process.program import capture_output

GIT_QUERY = (0, 29)
"""The first buildx that accepts a Git URL with a query (`repo.git?ref=…`)."""

FILE_ENTITLEMENT = (0, 18)
"""The first buildx with the entitlement `fs` for a bake."""

BAKE_ENTITLEMENTS = (0, 17)
"""The first buildx with `bake --allow`."""

LAZY_OUTPUTS = (0, 30)
"""The first buildx that opens the files of outputs when it writes to them; `bake --print` then touches none."""

ATTESTATIONS = (0, 10)
"""The first buildx with attestations."""

Version = tuple[int, int]
"""Major and minor version."""

_NEWEST: Version = (sys.maxsize, 0)

_VERSION = re.compile(r"\bv?(\d+)\.(\d+)")
_COMMIT = re.compile(r"\s[0-9a-f]{7}")
_VERSION_SECONDS = 20.0


def is_at_least(buildx: tuple[str, ...], environment: Mapping[str, str], version: Version) -> bool:
    """Return whether this buildx has at least a given version; False if it does not print its version.

    Args:
        buildx: the command that runs buildx.
        environment: buildx's whole environment.
        version: major and minor version.
    """
    return satisfies(query_version(buildx, environment), version)


def satisfies(found: Version | None, version: Version) -> bool:
    """Return whether a version is at least another one; False if it is not known."""
    return found is not None and found >= version


def query_version(buildx: tuple[str, ...], environment: Mapping[str, str]) -> Version | None:
    """Return the version of buildx, or None if it does not print it.

    Args:
        buildx: the command that runs buildx.
        environment: buildx's whole environment.
    """
    try:
        ended = capture_output((*buildx, "version"), environment, seconds=_VERSION_SECONDS)
    except ProgramError:
        return None
    if ended.code:
        return None
    if match := _VERSION.search(ended.stdout):
        return int(match[1]), int(match[2])
    # A buildx built from a commit without a tag prints the commit. It counts as the newest, as in
    # docker/actions-toolkit (src/buildx/buildx.ts, versionSatisfies).
    return _NEWEST if _COMMIT.search(ended.stdout) else None
