"""A run's outcome, verified."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from action.buildx.imagetools import Registries
from action.errors import BuildDigestsError, VerificationError
from action.inputs.merge import RETRY_POLICY
from action.pipeline.run_result import RunResult
from action.pipeline.verify import verify
from action.process.log import Log
from action.results import BakeResults, BuildResults


def verified_build(
    outcome: RunResult[BuildResults], folder: Path, buildx: tuple[str, ...], log: Log
) -> RunResult[BuildResults]:
    """The outcome of a build, each digest held against what is there; one that is not so is left out, with an error.

    Args:
        outcome: what became of the build.
        folder: where paths in outputs start from.
        buildx: the command that runs buildx.
        log: where the log goes: of registries that failed and are asked again.

    Raises:
        Interrupted: a signal ended it.
    """
    if outcome.results is None:
        return outcome
    results, errors = _verified(outcome.results, folder, buildx, log)
    return replace(outcome, results=results, errors=(*outcome.errors, *errors))


def verified_bake(
    outcome: RunResult[BakeResults], folder: Path, buildx: tuple[str, ...], log: Log
) -> RunResult[BakeResults]:
    """The same of a bake."""
    if outcome.results is None:
        return outcome
    targets: dict[str, BuildResults] = {}
    errors: list[BuildDigestsError] = []
    for name, build in outcome.results.targets.items():
        targets[name], found = _verified(build, folder, buildx, log)
        errors += [VerificationError(f"target {name}: {error}") for error in found]
    return replace(outcome, results=BakeResults(targets=targets), errors=(*outcome.errors, *errors))


def _verified(
    build: BuildResults, folder: Path, buildx: tuple[str, ...], log: Log
) -> tuple[BuildResults, tuple[BuildDigestsError, ...]]:
    # The builder's own settings of registries hold for what it pushed.
    builder = (build.ref or "").partition("/")[0]
    return verify(build, folder, Registries(buildx, os.environ, builder, RETRY_POLICY, log))
