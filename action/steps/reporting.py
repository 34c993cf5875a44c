"""The report about a step's run: what it needs while buildx runs, and its start after the step outputs are set."""

from __future__ import annotations

import os

from action.errors import PackagesError
from action.github import workflow_commands
from action.inputs.report_options import ReportOptions
from action.packages.preload import Preloader, PreloadItem
from action.packages.sets import GITHUB, MODELS, SUMMARY
from action.pipeline.run_result import RunResult
from action.report.request import ReportRequest

# Metadata keys of build checks, which annotations are made from: of a build, and of `call: check`.
_CHECK_KEYS = ('"buildx.build.warnings"', '"result.json"')


def report_packages(report_options: ReportOptions) -> tuple[PreloadItem, ...]:
    """Return the packages and modules that the report about a run needs."""
    summary = PreloadItem(SUMMARY, ("google.protobuf.message_factory", "action.report.publish"))
    comment = PreloadItem(GITHUB, ("action.github.api",))
    return (
        *((summary,) if _has_summary(report_options) else ()),
        *((comment,) if report_options.comment else ()),
    )


def report_run(result: RunResult, request: ReportRequest, preloader: Preloader) -> None:
    """Report a run for people, after the step outputs are set; a failure is a warning.

    Args:
        result: the result of the run.
        request: what is reported.
        preloader: loads the packages that the report needs.
    """
    report_options = request.report_options
    has_checks = any(key in (result.metadata or "") for key in _CHECK_KEYS)
    if not (report_options.annotations and has_checks) and not _has_summary(report_options):
        return
    try:
        for item in (PreloadItem(MODELS), *report_packages(report_options)):
            preloader.wait(item.packages)
    except PackagesError as error:
        workflow_commands.warning(f"the run is not shown: {error}; the build and its outputs are not affected")
        return
    from action.report.publish import publish_report  # noqa: PLC0415  # its packages were loaded while buildx ran

    publish_report(result, request)


def _has_summary(report_options: ReportOptions) -> bool:
    """Return whether a summary is rendered: for the job summary, or for a comment, which has the same text."""
    return report_options.comment or (report_options.summary and bool(os.environ.get("GITHUB_STEP_SUMMARY")))
