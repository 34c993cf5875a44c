"""The references of a run's builds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from action.buildx.local_state import LocalState, is_built_from, known_refs, read_local_state, state_folder
from action.pipeline.run_result import RunResult, Trace

if TYPE_CHECKING:
    from action.results import BakeResults, BuildResults


def refs_of(outcome: RunResult[BuildResults] | RunResult[BakeResults], *, bake: bool) -> dict[str, str]:
    """Target name, empty for a build, to `builder/node/ref`.

    A build that failed writes no metadata. What buildx keeps of it on this machine names its context and its target, so
    another build of both that began meanwhile leaves both out. A run with `call` has no builds.

    Args:
        outcome: what became of the run.
        bake: whether it was a bake.
    """
    results = outcome.results
    known: dict[str, str] = {}
    if results is not None:
        from action.results import BakeResults  # noqa: PLC0415  # imported while the build ran

        if isinstance(results, BakeResults):
            known = {name: target.ref for name, target in results.targets.items() if target.ref}
            if not outcome.errors:
                return known
        elif results.ref:
            return {"": results.ref}
    if outcome.trace is None or not outcome.trace.builds:
        return known
    folder, trace = state_folder(os.environ), outcome.trace
    found: dict[str, list[str]] = {}
    for ref in sorted(known_refs(folder) - trace.known_refs):
        state = read_local_state(folder, ref)
        target = state.target if state and bake else ""
        if trace.contexts and not _is_ours(state, target, trace):
            continue
        found.setdefault(target, []).append(ref)
    # Of a bake that failed some targets have results, and others may have a log.
    return {target: refs[0] for target, refs in found.items() if len(refs) == 1} | known


def _is_ours(state: LocalState | None, target: str, trace: Trace) -> bool:
    context = trace.contexts.get(target)
    return state is not None and context is not None and is_built_from(state, context, trace.folder)
