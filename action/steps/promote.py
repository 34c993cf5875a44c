"""The step of the promote action: reads its inputs and returns the digests of the images under their new names."""

from __future__ import annotations

import os
from collections.abc import Mapping

from action.dataclass import replace
from action.exporters.attributed import references
from action.github import workflow_commands
from action.inputs.promote import PROMOTE_NAMES, read_promote_inputs
from action.packages.sets import MODELS, RETRIES, SCHEMAS, provide
from action.pipeline.run_result import RunResult
from action.process.launcher import Launch, launch_from_environment
from action.report.outputs import compact
from action.steps.common import exit_code_of, mask_all, print_arguments, step_inputs, step_log
from action.steps.finish import finish_step, print_digests


def run_promote_step(launch: Launch | None = None, *, dry_run: bool = False) -> int:
    """Run the promote action's step.

    Args:
        launch: the inputs, and what else the step is started with; None takes them out of the environment.
        dry_run: push nothing, as with the input `dry-run`.

    Returns:
        The exit code.
    """
    return exit_code_of(lambda: _run(launch or launch_from_environment(os.environ), dry_run=dry_run))


def _run(launch: Launch, *, dry_run: bool) -> int:
    # The warnings come before errors: a required input that is missing may be misspelled.
    raw = step_inputs(launch, PROMOTE_NAMES, dry_run=dry_run)
    request = read_promote_inputs(raw)
    for packages in (MODELS, RETRIES, SCHEMAS):
        provide(packages)
    from action.merging.promote import run_promote  # noqa: PLC0415  # its packages are provided only now

    mask_all(launch.secrets)
    with workflow_commands.stopped():
        result = run_promote(replace(request, dry_run=request.dry_run or dry_run), step_log(), print_arguments)
    return finish_step(result, _outputs(result))


def _outputs(result: RunResult) -> Mapping[str, str]:
    if result.builds is None:
        return {"digests": "{}", "refs": "[]"}
    print_digests(result.builds)
    build = result.builds[""]
    return {
        "digest": build.digest or "",
        "digests": compact(build.digests),
        "refs": compact(references(build.exporters)),
    }
