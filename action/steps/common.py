"""The start of a step: errors and signals, secrets, warnings about inputs, dry runs, and its log."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable

from action.buildx.builder import GIT_QUERY, is_at_least
from action.errors import FAILED, BuildDigestsError
from action.github import workflow_commands
from action.github.context import WorkflowRun, is_private
from action.inputs.values import known_inputs, parse_inputs
from action.packages.preload import PreloadItem
from action.packages.sets import GITHUB, MODELS
from action.process.docker import find_buildx
from action.process.launcher import Launch
from action.process.log import Log
from action.process.signals import Interrupted, end_by_signal, interrupt_on_signals
from action.report.request import ReportOptions


def exit_code_of(step: Callable[[], int]) -> int:
    """Run a step and return its exit code; an error is printed as a workflow command, a signal ends the process.

    Args:
        step: runs the step and returns its exit code.
    """
    try:
        with interrupt_on_signals():
            return step()
    except BuildDigestsError as error:
        workflow_commands.error(str(error))
        return error.exit_code
    except Interrupted as interrupted:
        end_by_signal(interrupted.number)
        # Not reached, unless the signal is blocked.
        return FAILED


def sends_query() -> bool:
    """Return whether buildx accepts a Git URL with a query."""
    return is_at_least(find_buildx(os.environ), os.environ, GIT_QUERY)


def privacy_from_github(token: str) -> Callable[[WorkflowRun], bool]:
    """Return a function that returns whether a workflow run's repository is private.

    Args:
        token: the token for GitHub's API, or empty.
    """
    return lambda run: is_private(run, token, os.environ)


def step_log() -> Log:
    """Return the log of a step, which is all on standard output: two streams would lose the order of the lines."""
    return Log(captured=True, stream=sys.stdout.buffer, write_line=workflow_commands.say)


def step_inputs(launch: Launch, names: frozenset[str], *, dry_run: bool) -> dict[str, str]:
    """Return the inputs of a step, input name to its text, and warn about those that the action does not declare.

    Args:
        launch: what the step is started with.
        names: the names of all inputs that the action declares.
        dry_run: print the warnings to standard error.

    Raises:
        InputError: the inputs are not a JSON object of texts.
    """
    declared, warnings = known_inputs(parse_inputs(launch.inputs), names)
    # The runner has warned about the inputs of a step that it has started.
    if not launch.by_runner:
        warn(warnings, dry_run=dry_run)
    return declared


def mask_all(secrets: Iterable[str]) -> None:
    """Let the runner mask secrets in the log."""
    for secret in secrets:
        workflow_commands.mask(secret)


def warn(warnings: Iterable[str], *, dry_run: bool) -> None:
    """Print warnings about a step's inputs.

    Args:
        warnings: the warnings.
        dry_run: print them to standard error, because standard output is only for buildx's arguments.
    """
    for warning in warnings:
        if dry_run:
            sys.stderr.write(f"warning: {warning}\n")
        else:
            workflow_commands.warning(warning)


def print_arguments(arguments: tuple[str, ...]) -> int:
    """Print buildx's arguments as a JSON array and return the exit code of a dry run."""
    sys.stdout.write(json.dumps(arguments) + "\n")
    return 0


def report_items(report_options: ReportOptions) -> tuple[PreloadItem, ...]:
    """Return the packages and modules that the report about a run needs."""
    summary = PreloadItem(MODELS, ("action.buildx.live_records", "action.report.publish"))
    comment = PreloadItem(GITHUB, ("action.github.api",))
    return (
        *((summary,) if has_summary(report_options) else ()),
        *((comment,) if report_options.comment else ()),
    )


def has_summary(report_options: ReportOptions) -> bool:
    """Return whether a summary is rendered: for the job summary, or for a comment, which has the same text."""
    return report_options.comment or (report_options.summary and bool(os.environ.get("GITHUB_STEP_SUMMARY")))
