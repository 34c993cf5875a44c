"""The step of the bake action: reads its inputs and returns step outputs with a member for each target."""

from __future__ import annotations

import os

from action.buildx.bake_arguments import bake_request, read_bake
from action.buildx.builder import GIT_QUERY, Diagnostics, find_driver, query_version, satisfies
from action.buildx.definition import query_definition
from action.github.context import counts_as_private
from action.inputs.bake import BAKE_NAMES, read_bake_inputs
from action.process.docker import find_buildx
from action.process.launcher import Launch, launch_from_environment
from action.report.request import read_report_options
from action.steps.common import exit_code_of, mask_all, print_arguments, privacy_from_github, step_inputs, warn
from action.steps.run import run_step


def run_bake_step(launch: Launch | None = None, *, dry_run: bool = False) -> int:
    """Run the bake action's step.

    Args:
        launch: the inputs, and what else the step is started with; None takes them out of the environment.
        dry_run: print buildx's arguments as a JSON array and build nothing; buildx still prints the definition.

    Returns:
        The exit code.
    """
    return exit_code_of(lambda: _run(launch or launch_from_environment(os.environ), dry_run=dry_run))


def _run(launch: Launch, *, dry_run: bool) -> int:
    raw = step_inputs(launch, BAKE_NAMES, dry_run=dry_run)
    inputs = read_bake_inputs(raw)
    secrets = (*((inputs.github_token,) if inputs.github_token else ()), *launch.secrets)
    if not dry_run:
        mask_all(secrets)
    report_options = read_report_options(
        os.environ, summary=inputs.summary, comment=inputs.comment, record=inputs.record
    )
    # A dry run sends no request to GitHub.
    is_private = counts_as_private if dry_run else privacy_from_github(inputs.github_token)
    version = query_version(find_buildx(os.environ), os.environ)
    bake = read_bake(inputs, os.environ, lambda: satisfies(version, GIT_QUERY), version)
    warn(bake.warnings, dry_run=dry_run)
    environment = {**os.environ, **bake.environment}
    targets = query_definition(
        find_buildx(environment), environment, bake.print_arguments, bake.folder, version=version, dry_run=dry_run
    )
    driver = find_driver(os.environ, inputs.builder)
    request = bake_request(bake, inputs, targets, os.environ, is_private, driver=driver)
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
