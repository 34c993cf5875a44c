"""The step of a build or of a bake: runs a request, sets the step outputs and reports the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from action.buildx.request import Request
from action.github import workflow_commands
from action.inputs.policy import Policy
from action.packages.preload import Preloader, PreloadItem
from action.pipeline.refs import refs_of
from action.pipeline.run import EVALUATION, run_request
from action.pipeline.run_result import RunResult
from action.pipeline.workspace import temporary_folder
from action.report.request import ReportRequest
from action.steps.common import step_log
from action.steps.outputs import (
    OUTPUT_MODULES,
    finish_step,
    print_digests,
    write_checksums,
    write_record,
    write_results,
)
from action.steps.reporting import report_packages, report_run

Outputs = Callable[[RunResult], Mapping[str, str]]
"""Returns the step outputs of a run that differ between a build and a bake: output name to text."""


def run_step(request: Request, policy: Policy, report: ReportRequest, outputs_of: Outputs) -> int:
    """Run a step and return its exit code.

    Args:
        request: what to run.
        policy: the rules for the run.
        report: what is reported of the run.
        outputs_of: returns the step outputs that differ between a build and a bake.

    Raises:
        BuildDigestsError: buildx cannot be started.
        Interrupted: a signal ended the run.
    """
    evaluation = PreloadItem(EVALUATION.packages, (*EVALUATION.modules, *OUTPUT_MODULES))
    report_items = report_packages(report.report_options)
    with temporary_folder() as workspace, Preloader(evaluation, *report_items) as preloader:
        # A line of a Dockerfile's output must not be taken for a workflow command.
        with workflow_commands.stopped():
            result = run_request(request, workspace, policy, step_log(), preloader)
        saves_record = report.report_options.record
        code = finish_step(result, _outputs(result, outputs_of, saves_record=saves_record))
        report_run(result, report, preloader)
    return code


def _outputs(result: RunResult, outputs_of: Outputs, *, saves_record: bool) -> Mapping[str, str]:
    outputs = {"metadata": result.metadata or "", "refs": "[]", **outputs_of(result)}
    if saves_record:
        outputs |= write_record(result.trace, list(refs_of(result).values()))
    if result.builds is None:
        return outputs
    print_digests(result.builds)
    exporters = [exporter for build in result.builds.values() for exporter in build.exporters]
    return {**outputs, "results": write_results(result), **write_checksums(exporters)}
