"""The references (`builder/node/ref`) of the builds of a run."""

from __future__ import annotations

import os

from action.buildx.local_state import LocalState, is_built_from, known_refs, read_local_state, state_folder
from action.pipeline.run_result import RunResult, Trace


def refs_of(result: RunResult) -> dict[str, str]:
    """Return the reference of each build of a run: target name, empty for a build, to `builder/node/ref`.

    A failed build writes no metadata file. It is then found by the state that buildx keeps on this machine, which has
    its context and its target. If another build with the same context and target began meanwhile, neither is returned.
    A run with `call` has no builds.
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
        if trace.contexts and not _is_from_run(state, target, trace):
            continue
        found.setdefault(target, []).append(ref)
    # In a failed bake, some targets have results and others only a state.
    return {target: refs[0] for target, refs in found.items() if len(refs) == 1} | known


def _is_from_run(state: LocalState | None, target: str, trace: Trace) -> bool:
    context = trace.contexts.get(target)
    return state is not None and context is not None and is_built_from(state, context, trace.folder)
