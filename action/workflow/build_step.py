"""The build action's step: inputs from the environment, step outputs at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from action.build import run_build
from action.buildx.arguments import build_request
from action.inputs.model import parse_inputs, read_inputs
from action.inputs.secrets import secret_values
from action.outcome import Outcome
from action.workflow import commands
from action.workflow.step import (
    compact,
    end,
    guarded,
    mask_all,
    print_arguments,
    sends_query,
    show_digests,
    write_results,
)
from action.workspace import temporary_folder

if TYPE_CHECKING:
    from action.results.models import BuildResults


def run_build_step(*, dry_run: bool = False) -> int:
    """Run the build action's step.

    Args:
        dry_run: print buildx's arguments as a JSON array instead, and run nothing.

    Returns:
        The exit code.
    """
    return guarded(lambda: _run_build(dry_run=dry_run))


def _run_build(*, dry_run: bool) -> int:
    # INPUTS holds the secrets: from here on no program gets it.
    inputs = read_inputs(parse_inputs(os.environ.pop("INPUTS", "")))
    if not dry_run:
        mask_all(secret_values(inputs))
    request, warnings = build_request(inputs, os.environ, sends_query)
    if dry_run:
        return print_arguments(request.arguments)
    for warning in warnings:
        commands.warning(warning)
    with temporary_folder() as workspace:
        outcome = run_build(request, workspace, capture=True, require_digests=inputs.require_digests)
    return end(outcome, _build_outputs(outcome))


def _build_outputs(outcome: Outcome[BuildResults]) -> Mapping[str, str]:
    results = outcome.results
    outputs = {"metadata": outcome.metadata or "", "digests": "{}", "imageids": "{}", "exporters": "[]"}
    if results is None:
        return outputs
    from action.results.models import json_text, json_values  # noqa: PLC0415  # imported while the build ran

    show_digests({"": results.digests}, {"": [exporter.key for exporter in results.exporters]})
    return {
        **outputs,
        "digest": results.digest or "",
        "imageid": results.imageid or "",
        "digests": compact(results.digests),
        "imageids": compact(results.imageids),
        "exporters": compact(json_values(results.exporters)),
        "ref": results.ref or "",
        "results": str(write_results(json_text(results))),
    }
