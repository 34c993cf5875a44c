"""Finds the builds of a bake that failed, in what buildx keeps on this machine.

Such a bake writes no metadata file, except with `--jobs=defer-error` (docker/buildx 0.38). Before it builds anything,
buildx writes a file `refs/__group__/ID` with the references of all its builds, and then a file for each build
(docker/buildx 0.36, commands/bake.go and localstate/localstate.go).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from action.buildx.failures import last_error_line, plain
from action.buildx.local_state import (
    is_built_from,
    known_groups,
    known_refs,
    read_group,
    read_local_state,
)

_FAILED_TARGET = re.compile(r"ERROR: target (?P<name>\S+): ")


def failed_target(log: str, targets: Collection[str]) -> str | None:
    """Return the target that buildx says failed (buildx 0.17 and later), or None.

    Args:
        log: the end of what buildx printed on standard error.
        targets: the bake's targets.
    """
    said = _FAILED_TARGET.match(last_error_line(plain(log)))
    return said["name"] if said and said["name"] in targets else None


def refs_of_failed_bake(  # noqa: PLR0913, PLR0917  # a bake, and what was there before it
    folder: Path,
    targets: Collection[str],
    contexts: Mapping[str, str],
    start: Path,
    groups_before: Collection[str],
    refs_before: Collection[str],
) -> dict[str, str]:
    """Return the references of the builds of a bake that began to build: target name to `builder/node/ref`.

    Other bakes may run at once. The bake is surely among the groups that are new, so that it is known if only one of
    them can be it; otherwise nothing is returned.

    Args:
        folder: buildx's folder.
        targets: the targets that the bake builds.
        contexts: target name to its context as written.
        start: the folder that the bake runs in.
        groups_before: the groups that buildx knew before it.
        refs_before: the builds, `builder/node/ref`, that buildx knew before it.
    """
    new = known_refs(folder) - frozenset(refs_before)
    by_id: dict[str, list[str]] = {}
    for ref in new:
        by_id.setdefault(ref.rpartition("/")[2], []).append(ref)
    candidates = []
    for group in known_groups(folder) - frozenset(groups_before):
        ids = read_group(folder, group)
        if ids is not None and len(ids) != len(targets):
            continue
        refs = [ref for identifier in ids or () for ref in by_id.get(identifier, ())]
        found = {ref: read_local_state(folder, ref) for ref in refs}
        states = [state for state in found.values() if state is not None]
        if all(
            state.target in targets
            and (state.target not in contexts or is_built_from(state, contexts[state.target], start))
            for state in states
        ):
            candidates.append(found)
    if len(candidates) != 1:
        return {}
    of_targets: dict[str, list[str]] = {}
    for ref, state in candidates[0].items():
        if state is not None:
            of_targets.setdefault(state.target, []).append(ref)
    # A build on several nodes has a reference on each, and a record of a part on each.
    return {target: each[0] for target, each in of_targets.items() if len(each) == 1}
