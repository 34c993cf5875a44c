"""The steps of the actions: inputs from the environment, step outputs at the end."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import gettempdir

from action.bake import BakeOutcome, run_bake
from action.build import Outcome, run_build
from action.buildx.arguments import build_request
from action.buildx.bake_arguments import bake_request, read_bake
from action.buildx.definition import ask_definition
from action.buildx.program import find_buildx
from action.buildx.signals import Interrupted, end_by_signal, ending_on_signals
from action.buildx.version import FILE_ENTITLEMENT, GIT_QUERY, is_at_least
from action.errors import FAILED, BuildDigestsError
from action.inputs.bake import read_bake_inputs
from action.inputs.model import parse_inputs, read_inputs
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
    return _guarded(lambda: _run_build(dry_run=dry_run))


def run_bake_step(*, dry_run: bool = False) -> int:
    """Run the bake action's step.

    Args:
        dry_run: print buildx's arguments as a JSON array instead, and build nothing; the definition is asked for.

    Returns:
        The exit code.
    """
    return _guarded(lambda: _run_bake(dry_run=dry_run))


def _guarded(step: Callable[[], int]) -> int:
    try:
        with ending_on_signals():
            return step()
    except BuildDigestsError as error:
        commands.error(str(error))
        return error.exit_code
    except Interrupted as interrupted:
        end_by_signal(interrupted.number)
        return FAILED


def _sends_query() -> bool:
    return is_at_least(find_buildx(), os.environ, GIT_QUERY)


def _run_build(*, dry_run: bool) -> int:
    # INPUTS holds the secrets: from here on no program gets it.
    inputs = read_inputs(parse_inputs(os.environ.pop("INPUTS", "")))
    if not dry_run:
        _mask(secret_values(inputs))
    request, warnings = build_request(inputs, os.environ, _sends_query)
    if dry_run:
        return _print_arguments(request.arguments)
    for warning in warnings:
        commands.warning(warning)
    with temporary_folder() as workspace:
        outcome = run_build(request, workspace, capture=True, require_digests=inputs.require_digests)
    return _end(outcome, _build_outputs(outcome))


def _run_bake(*, dry_run: bool) -> int:
    inputs = read_bake_inputs(parse_inputs(os.environ.pop("INPUTS", "")))
    if not dry_run and inputs.github_token:
        _mask((inputs.github_token,))
    buildx = find_buildx()
    allows_files = is_at_least(buildx, os.environ, FILE_ENTITLEMENT)
    bake = read_bake(inputs, os.environ, _sends_query, allows_files=allows_files)
    targets = ask_definition(buildx, {**os.environ, **bake.environment}, bake.print_arguments, bake.folder)
    request = bake_request(bake, inputs, targets, os.environ)
    if dry_run:
        return _print_arguments(request.arguments)
    with temporary_folder() as workspace:
        outcome = run_bake(request, workspace, capture=True, require_digests=inputs.require_digests)
    return _end(outcome, _bake_outputs(outcome))


def _mask(secrets: Iterable[str]) -> None:
    for secret in secrets:
        commands.mask(secret)


def _print_arguments(arguments: tuple[str, ...]) -> int:
    sys.stdout.write(json.dumps(arguments) + "\n")
    return 0


def _end(outcome: Outcome | BakeOutcome, outputs: Mapping[str, str]) -> int:
    for notice in outcome.notices:
        commands.notice(notice)
    for warning in outcome.warnings:
        commands.warning(warning)
    commands.set_outputs(outputs)
    for error in outcome.errors:
        commands.error(str(error))
    if outcome.signal is not None:
        raise Interrupted(outcome.signal)
    return FAILED if outcome.errors else 0


def _build_outputs(outcome: Outcome) -> Mapping[str, str]:
    results = outcome.results
    outputs = {"metadata": outcome.metadata or "", "digests": "{}", "imageids": "{}", "exporters": "[]"}
    if results is None:
        return outputs
    from action.results.models import json_text, json_values  # noqa: PLC0415  # imported while the build ran

    _show({"": results.digests}, {"": [exporter.key for exporter in results.exporters]})
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


def _bake_outputs(outcome: BakeOutcome) -> Mapping[str, str]:
    results = outcome.results
    outputs = {"metadata": outcome.metadata or "", "digests": "{}", "imageids": "{}", "exporters": "{}"}
    if results is None:
        return outputs
    from action.results.models import json_text, json_values  # noqa: PLC0415  # imported while the build ran

    targets = results.targets.items()
    _show(
        {name: target.digests for name, target in targets},
        {name: [exporter.key for exporter in target.exporters] for name, target in targets},
    )
    return {
        **outputs,
        "digests": _compact({name: target.digests for name, target in targets}),
        "imageids": _compact({name: target.imageids for name, target in targets}),
        "exporters": _compact({name: json_values(target.exporters) for name, target in targets}),
        "results": str(_write_results(json_text(results))),
    }


def _show(digests: Mapping[str, Mapping[str, str]], keys: Mapping[str, Iterable[str]]) -> None:
    """Print the digest of every exporter in a group of the log; `keys` are all of a target's, without a digest too."""
    lines = [
        f"{' '.join(part for part in (target, key) if part)}: {digests[target].get(key, 'no digest')}\n"
        for target, all_keys in keys.items()
        for key in all_keys
    ]
    if lines:
        with commands.group("Digests"):
            sys.stdout.write("".join(lines))
            sys.stdout.flush()


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
