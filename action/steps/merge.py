"""The step of the merge action: reads its inputs and returns the step outputs of the merged image."""

from __future__ import annotations

import os
from collections.abc import Mapping

from action.github import workflow_commands
from action.inputs.merge import MERGE_NAMES, read_merge_inputs
from action.packages.preload import Preloader
from action.packages.sets import MODELS, RETRIES, SCHEMAS, provide
from action.pipeline.run_result import RunResult
from action.process.launcher import Launch, launch_from_environment
from action.report.outputs import compact
from action.report.request import ReportRequest, read_report_options
from action.steps.common import exit_code_of, mask_all, print_arguments, report_items, step_inputs, step_log
from action.steps.finish import finish_step, print_digests, report_run, write_checksums, write_results


def run_merge_step(launch: Launch | None = None, *, dry_run: bool = False) -> int:
    """Run the merge action's step.

    Args:
        launch: the inputs, and what else the step is started with; None takes them out of the environment.
        dry_run: print buildx's arguments, one JSON array per line, and run nothing.

    Returns:
        The exit code.
    """
    return exit_code_of(lambda: _run(launch or launch_from_environment(os.environ), dry_run=dry_run))


def _run(launch: Launch, *, dry_run: bool) -> int:
    # The warnings come before errors: a required input that is missing may be misspelled.
    raw = step_inputs(launch, MERGE_NAMES, dry_run=dry_run)
    request = read_merge_inputs(raw)
    for packages in (MODELS, RETRIES, SCHEMAS):
        provide(packages)
    from action.merging.run import commands_of, run_merge  # noqa: PLC0415  # its packages are provided only now

    if dry_run:
        for arguments in commands_of(request):
            print_arguments(arguments)
        return 0
    secrets = (request.github_token,) if request.github_token else ()
    mask_all(secrets)
    report_options = read_report_options(os.environ, summary=request.summary, comment=request.comment, record=False)
    report = ReportRequest("Merge", report_options, raw, secrets, request.github_token)
    with Preloader(*report_items(report_options)) as preloader:
        preloader.start()
        with workflow_commands.stopped():
            result = run_merge(request, step_log())
        code = finish_step(result, _outputs(result))
        report_run(result, report, preloader)
    return code


def _outputs(result: RunResult) -> Mapping[str, str]:
    outputs = {"metadata": result.metadata or "", "digests": "{}", "exporters": "[]", "refs": "[]"}
    if result.builds is None:
        return outputs
    print_digests(result.builds)
    build = result.builds[""]
    return {
        **outputs,
        "digest": build.digest or "",
        "digests": compact(build.digests),
        "exporters": compact([exporter.document() for exporter in build.exporters]),
        "results": write_results(result),
        **write_checksums(build.exporters),
    }
