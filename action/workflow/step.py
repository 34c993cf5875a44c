"""The build action's step: inputs from the environment, step outputs at the end."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from tempfile import gettempdir

from action.build import Outcome, run_build
from action.buildx.arguments import build_request
from action.buildx.program import find_buildx
from action.buildx.request import BuildRequest
from action.buildx.signals import Interrupted, end_by_signal, ending_on_signals
from action.buildx.version import sends_git_query
from action.errors import FAILED, BuildDigestsError
from action.inputs.model import Inputs, parse_inputs, read_inputs
from action.inputs.secrets import secret_values
from action.workflow import commands
from action.workspace import runner_temporary_folder, temporary_folder


def run_build_step(*, dry_run: bool = False) -> int:
    """Run the build action's step.

    Args:
        dry_run: print buildx's arguments as a JSON array instead, and run nothing.

    Returns:
        The exit code.
    """
    try:
        with ending_on_signals():
            return _run(dry_run=dry_run)
    except BuildDigestsError as error:
        commands.error(str(error))
        return error.exit_code
    except Interrupted as interrupted:
        end_by_signal(interrupted.number)
        return FAILED


def _run(*, dry_run: bool) -> int:
    # INPUTS holds the secrets: from here on no program gets it.
    inputs = read_inputs(parse_inputs(os.environ.pop("INPUTS", "")))
    if not dry_run:
        for secret in secret_values(inputs):
            commands.mask(secret)
    request, warnings = build_request(inputs, os.environ, lambda: sends_git_query(find_buildx(), os.environ))
    if dry_run:
        sys.stdout.write(json.dumps(request.arguments) + "\n")
        return 0
    for warning in warnings:
        commands.warning(warning)
    outcome = _build(request, inputs)
    _report(outcome)
    commands.set_outputs(_outputs(outcome))
    for error in outcome.errors:
        commands.error(str(error))
    if outcome.signal is not None:
        raise Interrupted(outcome.signal)
    return FAILED if outcome.errors else 0


def _build(request: BuildRequest, inputs: Inputs) -> Outcome:
    with temporary_folder() as workspace:
        return run_build(request, workspace, capture=True, require_digests=inputs.require_digests)


def _report(outcome: Outcome) -> None:
    for notice in outcome.notices:
        commands.notice(notice)
    for warning in outcome.warnings:
        commands.warning(warning)
    if outcome.results is not None and outcome.results.exporters:
        with commands.group("Digests"):
            for exporter in outcome.results.exporters:
                found = f"{exporter.digest} ({exporter.evidence})" if exporter.digest else "no digest"
                sys.stdout.write(f"{exporter.key} ({exporter.type}): {found}\n")
            sys.stdout.flush()


def _outputs(outcome: Outcome) -> Mapping[str, str]:
    results = outcome.results
    outputs = {"metadata": outcome.metadata or "", "digests": "{}", "imageids": "{}", "exporters": "[]"}
    if results is None:
        return outputs
    from action.results.models import json_text, json_values  # noqa: PLC0415  # imported while the build ran

    return {
        **outputs,
        "digest": results.digest or "",
        "imageid": results.imageid or "",
        "digests": _compact(results.digests),
        "imageids": _compact(results.imageids),
        "exporters": _compact(json_values(results.exporters)),
        "ref": results.ref or "",
        "results": str(_write_results(json_text(results))),
    }


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _write_results(document: str) -> Path:
    """Write the results file where later steps of the job find it; the runner removes it with the job."""
    folder = (runner_temporary_folder() or Path(gettempdir())) / "build-digests"
    file = folder / f"results-{uuid.uuid4()}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(document + "\n", encoding="utf-8")
    except OSError as error:
        message = f"the results file {file} cannot be written: {error.strerror}"
        raise BuildDigestsError(message) from None
    return file
