"""The step of the build action: reads its inputs and returns the step outputs of one build."""

from __future__ import annotations

import os

from action.buildx.build_arguments import build_request
from action.buildx.builder import Diagnostics, find_driver
from action.github.context import counts_as_private
from action.inputs.build import BUILD_NAMES, read_build_inputs
from action.inputs.secrets import secret_values
from action.process.launcher import Launch, launch_from_environment
from action.report.request import read_report_options
from action.steps.common import (
    exit_code_of,
    mask_all,
    print_arguments,
    privacy_from_github,
    sends_query,
    step_inputs,
    warn,
)
from action.steps.run import run_step


def run_build_step(launch: Launch | None = None, *, dry_run: bool = False) -> int:
    """Run the build action's step.

    Args:
        launch: the inputs, and what else the step is started with; None takes them out of the environment.
        dry_run: print buildx's arguments as a JSON array and run nothing.

    Returns:
        The exit code.
    """
    return exit_code_of(lambda: _run(launch or launch_from_environment(os.environ), dry_run=dry_run))


def _run(launch: Launch, *, dry_run: bool) -> int:
    raw = step_inputs(launch, BUILD_NAMES, dry_run=dry_run)
    inputs = read_build_inputs(raw)
    secrets = (*secret_values(inputs, os.environ), *launch.secrets)
    if not dry_run:
        mask_all(secrets)
    report_options = read_report_options(
        os.environ, summary=inputs.summary, comment=inputs.comment, record=inputs.record
    )
    # A dry run sends no request to GitHub.
    is_private = counts_as_private if dry_run else privacy_from_github(inputs.github_token)
    driver = find_driver(os.environ, inputs.builder)
    request, warnings = build_request(inputs, os.environ, sends_query, is_private, driver)
    warn(warnings, dry_run=dry_run)
    if dry_run:
        return print_arguments(request.arguments)
    # Added last, because no other program than buildx may get the token of GitHub's cache service.
    request = request.with_variables(launch.cache_service)
    return run_step(
        request,
        inputs.policy,
        report_options,
        inputs=raw,
        secrets=secrets,
        token=inputs.github_token,
        diagnostics=Diagnostics(inputs.builder, driver, launch.cache_service.get("ACTIONS_RUNTIME_TOKEN", "")),
    )
