"""The merge action's step: inputs from the environment, step outputs at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from action.inputs.merge import read_merge_inputs
from action.inputs.model import parse_inputs
from action.merge import commands_of, run_merge
from action.outcome import Outcome
from action.workflow.step import compact, end, guarded, print_arguments, show_digests, write_results

if TYPE_CHECKING:
    from action.results.models import BuildResults


def run_merge_step(*, dry_run: bool = False) -> int:
    """Run the merge action's step.

    Args:
        dry_run: print buildx's arguments instead, a JSON array a line, and run nothing.

    Returns:
        The exit code.
    """
    return guarded(lambda: _run_merge(dry_run=dry_run))


def _run_merge(*, dry_run: bool) -> int:
    request = read_merge_inputs(parse_inputs(os.environ.pop("INPUTS", "")))
    if dry_run:
        for arguments in commands_of(request):
            print_arguments(arguments)
        return 0
    outcome = run_merge(request, _say)
    return end(outcome, _merge_outputs(outcome))


def _say(message: str) -> None:
    sys.stdout.write(message + "\n")
    sys.stdout.flush()


def _merge_outputs(outcome: Outcome[BuildResults]) -> Mapping[str, str]:
    results = outcome.results
    outputs = {"metadata": outcome.metadata or "", "digests": "{}", "exporters": "[]"}
    if results is None:
        return outputs
    from action.results.models import json_text, json_values  # noqa: PLC0415  # imported by now

    show_digests({"": results.digests}, {"": [exporter.key for exporter in results.exporters]})
    return {
        **outputs,
        "digest": results.digest or "",
        "digests": compact(results.digests),
        "exporters": compact(json_values(results.exporters)),
        "results": str(write_results(json_text(results))),
    }
