"""The references of a run's builds."""

from __future__ import annotations

import os

from action.buildx.local_state import LocalState, is_built_from, known_refs, read_local_state, state_folder
from action.pipeline.run_result import RunResult, Trace


def refs_of(result: RunResult) -> dict[str, str]:
    """Return the reference of each build of a run: target name, empty for a build, to `builder/node/ref`.

    A failed build writes no metadata. What buildx keeps of it on this machine names its context and its target; if
    another build of both began meanwhile, neither is returned. A run with `call` has no builds.
    """
    known = {name: build.ref for name, build in (result.builds or {}).items() if build.ref}
    if result.builds is not None and not result.errors and result.bake:
        return known
    if known and not result.bake:
        return known
    if result.trace is None or not result.trace.builds:
        return known
    folder, trace = state_folder(os.environ), result.trace
    found: dict[str, list[str]] = {}
    for ref in sorted(known_refs(folder) - trace.known_refs):
        state = read_local_state(folder, ref)
        target = state.target if state and result.bake else ""
        if trace.contexts and not _is_ours(state, target, trace):
            continue
        found.setdefault(target, []).append(ref)
    # Of a bake that failed some targets have results, and others may have a log.
    return {target: refs[0] for target, refs in found.items() if len(refs) == 1} | known


def _is_ours(state: LocalState | None, target: str, trace: Trace) -> bool:
    context = trace.contexts.get(target)
    return state is not None and context is not None and is_built_from(state, context, trace.folder)
