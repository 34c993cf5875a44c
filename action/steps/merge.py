"""The merge action's step: inputs from the environment, step outputs at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping

from action.github import workflow_commands
from action.inputs.merge import MERGE_NAMES, read_merge_inputs
from action.inputs.raw import known_inputs, parse_inputs
from action.inputs.report_options import read_report_options
from action.packages.preload import Preloader
from action.packages.sets import MODELS, RETRIES, SCHEMAS, provide
from action.pipeline.run_result import RunResult
from action.steps.common import (
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
    write_results,
)


def run_merge_step(*, dry_run: bool = False) -> int:
    """Run the merge action's step.

    Args:
        dry_run: print buildx's arguments instead, a JSON array a line, and run nothing.

    Returns:
        The exit code.
    """
    return exit_code_of(lambda: _run_merge(dry_run=dry_run))


def _run_merge(*, dry_run: bool) -> int:
    raw, undeclared = known_inputs(parse_inputs(os.environ.pop("INPUTS", "")), MERGE_NAMES)
    # An input that is missing may be there under a wrong name.
    warn(undeclared, dry_run=dry_run)
    request = read_merge_inputs(raw)
    for packages in (MODELS, RETRIES, SCHEMAS):
        provide(packages)
    from action.merging.run import commands_of, run_merge  # noqa: PLC0415  # not importable before

    if dry_run:
        for arguments in commands_of(request):
            print_arguments(arguments)
        return 0
    secrets = (request.github_token,) if request.github_token else ()
    mask_all(secrets)
    report_options = read_report_options(os.environ, summary=request.summary, comment=request.comment, record=False)
    with Preloader(*needed_by(report_options)) as ready:
        ready.start()
        with workflow_commands.stopped():
            result = run_merge(request, step_log())
        code = end(result, _merge_outputs(result))
        show_run(result, report_options, ready, "Merge", raw, secrets, request.github_token)
    return code


def _merge_outputs(result: RunResult) -> Mapping[str, str]:
    outputs = {"metadata": result.metadata or "", "digests": "{}", "exporters": "[]", "refs": "[]"}
    if result.builds is None:
        return outputs
    show_digests(result.builds)
    build = result.builds[""]
    return {
        **outputs,
        "digest": build.digest or "",
        "digests": compact(build.digests),
        "exporters": compact([exporter.document() for exporter in build.exporters]),
        "results": write_results(result),
        **write_checksums(build.exporters),
    }
