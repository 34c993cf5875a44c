"""The report about a step's run, after its outputs are set."""

from __future__ import annotations

from action.errors import PackagesError
from action.github import workflow_commands
from action.packages.preload import Preloader, PreloadItem
from action.packages.sets import COMMANDS, MODELS
from action.pipeline.run_result import RunResult
from action.report.request import ReportRequest
from action.steps.common import has_summary, report_items

# Metadata keys of build checks, which annotations are made from: of a build, and of `call: check`.
_CHECK_KEYS = ('"buildx.build.warnings"', '"result.json"')


def report_run(result: RunResult, request: ReportRequest, preloader: Preloader) -> None:
    """Report a run for people, after the step outputs are set; a failure is a warning.

    Args:
        result: the result of the run.
        request: what is reported.
        preloader: loads the packages that the report needs.
    """
    report_options = request.report_options
    has_checks = any(key in (result.metadata or "") for key in _CHECK_KEYS)
    if not (report_options.annotations and has_checks) and not has_summary(report_options):
        return
    try:
        for item in (PreloadItem(MODELS), PreloadItem(COMMANDS), *report_items(report_options)):
            preloader.wait(item.packages)
    except PackagesError as error:
        text = f"the run is not shown: {error}"
        if result.errors:
            # No annotation: the first thing to look at is why the run failed.
            workflow_commands.say(text)
        elif not result.lacks_packages:
            workflow_commands.warning(f"{text}; the build and its outputs are not affected")
        return
    from action.report.publish import publish_report  # noqa: PLC0415  # its packages were loaded while buildx ran

    publish_report(result, request)
