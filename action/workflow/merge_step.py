"""The merge action's step: inputs from the environment, step outputs at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from action.inputs.look import read_look
from action.inputs.merge import MERGE_NAMES, read_merge_inputs
from action.inputs.model import known_inputs, parse_inputs
from action.outcome import Outcome
from action.packages import RETRIES, SCHEMAS, STEP, provide
from action.preparation import Preparation
from action.workflow import commands
from action.workflow.step import (
    compact,
    end,
    guarded,
    mask_all,
    needed_by,
    print_arguments,
    show_digests,
    show_run,
    step_log,
    warn,
    write_checksums,
    write_results,
)

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
    raw, undeclared = known_inputs(parse_inputs(os.environ.pop("INPUTS", "")), MERGE_NAMES)
    # An input that is missing may be there under a wrong name.
    warn(undeclared, dry_run=dry_run)
    request = read_merge_inputs(raw)
    for packages in (STEP, RETRIES, SCHEMAS):
        provide(packages)
    from action.merge import commands_of, run_merge  # noqa: PLC0415  # not importable before

    if dry_run:
        for arguments in commands_of(request):
            print_arguments(arguments)
        return 0
    secrets = (request.github_token,) if request.github_token else ()
    mask_all(secrets)
    look = read_look(os.environ, summary=request.summary, comment=request.comment, record=False)
    with Preparation(*needed_by(look)) as ready:
        ready.start()
        with commands.stopped():
            outcome = run_merge(request, step_log())
        code = end(outcome, _merge_outputs(outcome))
        show_run(outcome, look, ready, "Merge", raw, secrets, request.github_token)
    return code


def _merge_outputs(outcome: Outcome[BuildResults]) -> Mapping[str, str]:
    results = outcome.results
    outputs = {"metadata": outcome.metadata or "", "digests": "{}", "exporters": "[]", "refs": "[]"}
    if results is None:
        return outputs
    from action.results.models import json_text, json_values  # noqa: PLC0415  # imported by now

    show_digests({"": results.digests}, {"": [exporter.key for exporter in results.exporters]})
    return {
        **outputs,
        "digest": results.digest or "",
        "digests": compact(results.digests),
        "exporters": compact(json_values(results.exporters)),
        "results": write_results(json_text(results)),
        **write_checksums(results.exporters),
    }
