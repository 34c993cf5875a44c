"""The step of a build or of a bake, until buildx has ended; `action.steps.finish` does the rest.

Modules that only the rest needs are imported while buildx runs, so that the build does not wait for them.
"""

from __future__ import annotations

from collections.abc import Mapping

from action.buildx.builder import Diagnostics
from action.buildx.request import Request
from action.github import workflow_commands
from action.inputs.policy import Policy
from action.packages.preload import Preloader, PreloadItem
from action.pipeline.execute import EVALUATION, evidence_items, execute, live_connections
from action.pipeline.workspace import temporary_folder
from action.report.request import ReportOptions
from action.steps.common import has_summary, report_items, step_log

_FINISH = PreloadItem(None, ("action.steps.finish",))


def run_step(
    request: Request,
    policy: Policy,
    report_options: ReportOptions,
    *,
    inputs: Mapping[str, str],
    secrets: tuple[str, ...],
    token: str,
    diagnostics: Diagnostics,
) -> int:
    """Run a step and return its exit code.

    Args:
        request: what to run.
        policy: the rules for the run.
        report_options: the parts of the report that the step wants.
        inputs: input name to its text.
        secrets: texts that must not be shown.
        token: the token to write a comment with, or empty.
        diagnostics: is filled while buildx runs.

    Raises:
        BuildDigestsError: buildx cannot be started.
        Interrupted: a signal ended the run.
    """
    log = step_log()
    needed = (*evidence_items(request, policy), *report_items(report_options))
    wanted = has_summary(report_options) or policy.reads_builder
    with (
        temporary_folder() as workspace,
        live_connections(request, wanted=wanted) as connections,
        Preloader(EVALUATION, _FINISH, *needed, last=diagnostics.query) as preloader,
    ):
        # The output of a Dockerfile's command must not be read as a workflow command.
        with workflow_commands.stopped():
            executed = execute(request, workspace, policy, log, preloader=preloader, connections=connections)
            diagnostics.stop()
            from action.steps.finish import ReportRequest, finish_run, result_of  # noqa: PLC0415  # loaded meanwhile

            result = result_of(request, executed, workspace, policy, log=log, preloader=preloader)
        title = "Bake" if request.bake else "Build"
        report = ReportRequest(title, report_options, inputs, secrets, token, request.folder)
        return finish_run(result, report, preloader, diagnostics)
