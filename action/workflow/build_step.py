"""The build action's step: inputs from the environment, step outputs at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from action.build import run_build
from action.buildx.arguments import build_request
from action.buildx.builder import find_driver
from action.inputs.look import Look, read_look
from action.inputs.model import NAMES, known_inputs, parse_inputs, read_inputs
from action.inputs.secrets import secret_values
from action.inputs.workflow_run import counts_as_private
from action.outcome import Outcome
from action.packages import STEP
from action.preparation import Part, Preparation
from action.workflow import commands
from action.workflow.refs import refs_of
from action.workflow.step import (
    AFTER_A_RUN,
    asking_github,
    compact,
    end,
    guarded,
    mask_all,
    needed_by,
    print_arguments,
    sends_query,
    show_digests,
    show_run,
    step_log,
    warn,
    write_checksums,
    write_record,
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
    raw, undeclared = known_inputs(parse_inputs(os.environ.pop("INPUTS", "")), NAMES)
    warn(undeclared, dry_run=dry_run)
    inputs = read_inputs(raw)
    secrets = secret_values(inputs, os.environ)
    if not dry_run:
        mask_all(secrets)
    look = read_look(os.environ, summary=inputs.summary, comment=inputs.comment, record=inputs.record)
    is_private = counts_as_private if dry_run else asking_github(inputs.github_token)
    driver = find_driver(os.environ, inputs.builder)
    request, warnings = build_request(inputs, os.environ, sends_query, is_private, driver)
    warn(warnings, dry_run=dry_run)
    if dry_run:
        return print_arguments(request.arguments)
    preparation = Preparation(Part(STEP, ("action.conclusion", *AFTER_A_RUN)), *needed_by(look))
    with temporary_folder() as workspace, preparation as ready:
        with commands.stopped():
            outcome = run_build(request, workspace, inputs.policy, step_log(), ready)
        code = end(outcome, _build_outputs(outcome, look))
        show_run(outcome, look, ready, "Build", raw, secrets, inputs.github_token)
    return code


def _build_outputs(outcome: Outcome[BuildResults], look: Look) -> Mapping[str, str]:
    results = outcome.results
    outputs = {"metadata": outcome.metadata or "", "digests": "{}", "imageids": "{}", "exporters": "[]", "refs": "[]"}
    if look.record:
        outputs |= write_record(outcome.trace, list(refs_of(outcome, bake=False).values()))
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
        **write_checksums(results.exporters),
        "results": write_results(json_text(results)),
    }
