"""The step of a build or of a bake: runs a request, sets the step outputs and reports the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from action.buildx.request import Request
from action.github import workflow_commands
from action.inputs.policy import Policy
from action.inputs.report_options import ReportOptions
from action.packages.preload import Preloader, PreloadItem
from action.pipeline.refs import refs_of
from action.pipeline.run import EVALUATION, run_request
from action.pipeline.run_result import RunResult
from action.pipeline.workspace import temporary_folder
from action.steps.common import (
    AFTER_A_RUN,
    end,
    needed_by,
    show_digests,
    show_run,
    step_log,
    write_checksums,
    write_record,
    write_results,
)

Outputs = Callable[[RunResult], Mapping[str, str]]
"""Gives the step outputs of a run that are not the same for a build and a bake."""


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        request: what to run.
        policy: what the run must keep to.
        report_options: what is reported of it.
        inputs: input name to its text, as the user wrote it.
        secrets: texts that must not be shown.
        github_token: the token that a comment is written with, or empty.
    """

    request: Request
    policy: Policy
    report_options: ReportOptions
    inputs: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    github_token: str = field(repr=False)


def run_step(step: Step, outputs_of: Outputs) -> int:
    """Run a step and return its exit code.

    Args:
        step: the step.
        outputs_of: gives the step outputs that depend on whether it is a build or a bake.
    """
    title = "Bake" if step.request.bake else "Build"
    evaluation = PreloadItem(EVALUATION.packages, (*EVALUATION.modules, *AFTER_A_RUN))
    with temporary_folder() as workspace, Preloader(evaluation, *needed_by(step.report_options)) as preloader:
        with workflow_commands.stopped():
            result = run_request(step.request, workspace, step.policy, step_log(), preloader)
        code = end(result, _outputs(step, result, outputs_of))
        show_run(
            result,
            step.report_options,
            preloader,
            title,
            step.inputs,
            step.secrets,
            step.github_token,
            folder=step.request.folder,
        )
    return code


def _outputs(step: Step, result: RunResult, outputs_of: Outputs) -> Mapping[str, str]:
    outputs = {"metadata": result.metadata or "", "refs": "[]", **outputs_of(result)}
    if step.report_options.record:
        outputs |= write_record(result.trace, list(refs_of(result).values()))
    if result.builds is None:
        return outputs
    show_digests(result.builds)
    exporters = [exporter for build in result.builds.values() for exporter in build.exporters]
    return {**outputs, "results": write_results(result), **write_checksums(exporters)}
