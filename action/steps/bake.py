"""The bake action's step: inputs from the environment, step outputs at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from action.buildx.bake_arguments import bake_request, read_bake
from action.buildx.builder import find_driver
from action.buildx.definition import ask_definition
from action.buildx.version import GIT_QUERY, ask_version, satisfies
from action.github import workflow_commands
from action.github.context import counts_as_private
from action.inputs.bake import BAKE_NAMES, read_bake_inputs
from action.inputs.raw import known_inputs, parse_inputs
from action.inputs.report_options import ReportOptions, read_report_options
from action.packages.preload import Preloader, PreloadItem
from action.packages.sets import STEP
from action.pipeline.refs import refs_of
from action.pipeline.run_bake import run_bake
from action.pipeline.run_result import RunResult
from action.pipeline.workspace import temporary_folder
from action.process.docker import find_buildx
from action.steps.common import (
    AFTER_A_RUN,
    asking_github,
    compact,
    end,
    exit_code_of,
    mask_all,
    needed_by,
    print_arguments,
    show_digests,
    show_run,
    step_log,
    warn,
    write_checksums,
    write_record,
    write_results,
)

if TYPE_CHECKING:
    from action.results import BakeResults


def run_bake_step(*, dry_run: bool = False) -> int:
    """Run the bake action's step.

    Args:
        dry_run: print buildx's arguments as a JSON array instead, and build nothing; the definition is asked for.

    Returns:
        The exit code.
    """
    return exit_code_of(lambda: _run_bake(dry_run=dry_run))


def _run_bake(*, dry_run: bool) -> int:
    raw, undeclared = known_inputs(parse_inputs(os.environ.pop("INPUTS", "")), BAKE_NAMES)
    warn(undeclared, dry_run=dry_run)
    inputs = read_bake_inputs(raw)
    secrets = (inputs.github_token,) if inputs.github_token else ()
    if not dry_run:
        mask_all(secrets)
    report_options = read_report_options(
        os.environ, summary=inputs.summary, comment=inputs.comment, record=inputs.record
    )
    is_private = counts_as_private if dry_run else asking_github(inputs.github_token)
    buildx = find_buildx()
    version = ask_version(buildx, os.environ)
    bake = read_bake(inputs, os.environ, lambda: satisfies(version, GIT_QUERY), version)
    warn(bake.warnings, dry_run=dry_run)
    environment = {**os.environ, **bake.environment}
    targets = ask_definition(buildx, environment, bake.print_arguments, bake.folder, version=version, dry_run=dry_run)
    driver = find_driver(os.environ, inputs.builder)
    request = bake_request(bake, inputs, targets, os.environ, is_private, driver=driver)
    if dry_run:
        return print_arguments(request.arguments)
    with (
        temporary_folder() as workspace,
        Preloader(
            PreloadItem(STEP, ("action.pipeline.conclude_bake", *AFTER_A_RUN)), *needed_by(report_options)
        ) as ready,
    ):
        with workflow_commands.stopped():
            outcome = run_bake(request, workspace, inputs.policy, step_log(), ready)
        code = end(outcome, _bake_outputs(outcome, report_options))
        show_run(outcome, report_options, ready, "Bake", raw, secrets, inputs.github_token, folder=request.folder)
    return code


def _bake_outputs(outcome: RunResult[BakeResults], report_options: ReportOptions) -> Mapping[str, str]:
    results = outcome.results
    outputs = {"metadata": outcome.metadata or "", "digests": "{}", "imageids": "{}", "exporters": "{}", "refs": "[]"}
    if report_options.record:
        outputs |= write_record(outcome.trace, list(refs_of(outcome, bake=True).values()))
    if results is None:
        return outputs
    from action.results import json_text, json_values  # noqa: PLC0415  # imported while the build ran

    targets = results.targets.items()
    show_digests(
        {name: target.digests for name, target in targets},
        {name: [exporter.key for exporter in target.exporters] for name, target in targets},
    )
    return {
        **outputs,
        "digests": compact({name: target.digests for name, target in targets}),
        "imageids": compact({name: target.imageids for name, target in targets}),
        "exporters": compact({name: json_values(target.exporters) for name, target in targets}),
        "results": write_results(json_text(results)),
        **write_checksums(exporter for _, target in targets for exporter in target.exporters),
    }
