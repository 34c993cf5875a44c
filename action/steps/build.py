"""The build action's step: inputs from the environment, step outputs at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from action.buildx.build_arguments import build_request
from action.buildx.builder import find_driver
from action.github import workflow_commands
from action.github.context import counts_as_private
from action.inputs.build import BUILD_NAMES, read_build_inputs
from action.inputs.raw import known_inputs, parse_inputs
from action.inputs.report_options import ReportOptions, read_report_options
from action.inputs.secrets import secret_values
from action.packages.preload import Preloader, PreloadItem
from action.packages.sets import STEP
from action.pipeline.refs import refs_of
from action.pipeline.run import run_build
from action.pipeline.run_result import RunResult
from action.pipeline.workspace import temporary_folder
from action.steps.common import (
    AFTER_A_RUN,
    asking_github,
    compact,
    end,
    exit_code_of,
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

if TYPE_CHECKING:
    from action.results import BuildResults


def run_build_step(*, dry_run: bool = False) -> int:
    """Run the build action's step.

    Args:
        dry_run: print buildx's arguments as a JSON array instead, and run nothing.

    Returns:
        The exit code.
    """
    return exit_code_of(lambda: _run_build(dry_run=dry_run))


def _run_build(*, dry_run: bool) -> int:
    # INPUTS holds the secrets: from here on no program gets it.
    raw, undeclared = known_inputs(parse_inputs(os.environ.pop("INPUTS", "")), BUILD_NAMES)
    warn(undeclared, dry_run=dry_run)
    inputs = read_build_inputs(raw)
    secrets = secret_values(inputs, os.environ)
    if not dry_run:
        mask_all(secrets)
    report_options = read_report_options(
        os.environ, summary=inputs.summary, comment=inputs.comment, record=inputs.record
    )
    is_private = counts_as_private if dry_run else asking_github(inputs.github_token)
    driver = find_driver(os.environ, inputs.builder)
    request, warnings = build_request(inputs, os.environ, sends_query, is_private, driver)
    warn(warnings, dry_run=dry_run)
    if dry_run:
        return print_arguments(request.arguments)
    preloader = Preloader(PreloadItem(STEP, ("action.pipeline.conclude", *AFTER_A_RUN)), *needed_by(report_options))
    with temporary_folder() as workspace, preloader as ready:
        with workflow_commands.stopped():
            outcome = run_build(request, workspace, inputs.policy, step_log(), ready)
        code = end(outcome, _build_outputs(outcome, report_options))
        show_run(outcome, report_options, ready, "Build", raw, secrets, inputs.github_token)
    return code


def _build_outputs(outcome: RunResult[BuildResults], report_options: ReportOptions) -> Mapping[str, str]:
    results = outcome.results
    outputs = {"metadata": outcome.metadata or "", "digests": "{}", "imageids": "{}", "exporters": "[]", "refs": "[]"}
    if report_options.record:
        outputs |= write_record(outcome.trace, list(refs_of(outcome, bake=False).values()))
    if results is None:
        return outputs
    from action.results import json_text, json_values  # noqa: PLC0415  # imported while the build ran

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
