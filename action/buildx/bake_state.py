"""The builds of a bake that failed, found in the files that buildx keeps on this machine.

Such a bake writes no metadata file, except with `--jobs=defer-error` (docker/buildx 0.38). But before it builds, buildx
writes a file `refs/__group__/ID` with the IDs of all its builds, and then a file for each build (docker/buildx 0.36,
commands/bake.go and localstate/localstate.go).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from action.buildx.failures import last_error_line, plain
from action.buildx.local_state import build_id, is_built_from, known_groups, known_refs, read_group, read_local_state

# docker/buildx 0.17 and later add the target to the error (build/build.go).
_FAILED_TARGET = re.compile(r"ERROR: target (?P<name>\S+): ")


def failed_target(log: str, targets: Collection[str]) -> str | None:
    """Return the target that failed, or None if buildx's last error names no target of the bake.

    Args:
        log: the end of what buildx printed on standard error.
        targets: the names of the bake's targets.
    """
    found = _FAILED_TARGET.match(last_error_line(plain(log)))
    return found["name"] if found and found["name"] in targets else None


def refs_of_failed_bake(  # noqa: PLR0917  # a bake, and the state before it
    folder: Path,
    targets: Collection[str],
    contexts: Mapping[str, str],
    start: Path,
    groups_before: Collection[str],
    refs_before: Collection[str],
) -> dict[str, str]:
    """Return the references of the builds that a failed bake started.

    Args:
        folder: buildx's folder.
        targets: the names of the targets that the bake builds.
        contexts: target name to its context as the user wrote it.
        start: the folder that the bake ran in.
        groups_before: the groups that buildx knew before the bake.
        refs_before: the builds, `builder/node/ref`, that buildx knew before the bake.

    Returns:
        Target name to `builder/node/ref`. Empty if more than one group of builds can be the bake, because other bakes
        ran at the same time.
    """
    refs_by_id: dict[str, list[str]] = {}
    for ref in known_refs(folder) - frozenset(refs_before):
        refs_by_id.setdefault(build_id(ref), []).append(ref)
    candidates = []
    for group in known_groups(folder) - frozenset(groups_before):
        ids = read_group(folder, group)
        # A group that cannot be read stays a candidate, without builds: it may be the bake.
        if ids is not None and len(ids) != len(targets):
            continue
        refs = [ref for identifier in ids or () for ref in refs_by_id.get(identifier, ())]
        found = {ref: state for ref in refs if (state := read_local_state(folder, ref)) is not None}
        if all(
            state.target in targets
            and (state.target not in contexts or is_built_from(state, contexts[state.target], start))
            for state in found.values()
        ):
            candidates.append(found)
    if len(candidates) != 1:
        return {}
    refs_by_target: dict[str, list[str]] = {}
    for ref, state in candidates[0].items():
        refs_by_target.setdefault(state.target, []).append(ref)
    # A build on several nodes has a reference on each node, and each node's record covers only a part of the build.
    return {target: refs[0] for target, refs in refs_by_target.items() if len(refs) == 1}
