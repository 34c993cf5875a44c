"""What the steps of the actions share: the way in, the way out, and the results file."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from action.buildx.version import GIT_QUERY, is_at_least
from action.errors import FAILED, BuildDigestsError, EvidenceError, PackagesError
from action.exporters.attributed import AttributedBuild, AttributedExporter, checksums, references
from action.github import workflow_commands
from action.github.context import WorkflowRun, is_private
from action.inputs.report_options import ReportOptions
from action.packages.preload import Preloader, PreloadItem
from action.packages.sets import GITHUB, MODELS, SUMMARY
from action.pipeline.run_result import RunResult, Trace
from action.pipeline.workspace import folder_for_later_steps
from action.process.docker import find_buildx
from action.process.log import Log
from action.process.signals import Interrupted, end_by_signal, interrupt_on_signals

AFTER_A_RUN = ("action.pipeline.results_document", "actions_toolkit.file_command")
"""Modules that every step needs once its run has ended."""

_WARNINGS = ('"buildx.build.warnings"', '"result.json"')


def exit_code_of(step: Callable[[], int]) -> int:
    """Run a step: an error of ours becomes a workflow command and an exit code, a signal ends the process."""
    try:
        with interrupt_on_signals():
            return step()
    except BuildDigestsError as error:
        workflow_commands.error(str(error))
        return error.exit_code
    except Interrupted as interrupted:
        end_by_signal(interrupted.number)
        return FAILED


def sends_query() -> bool:
    """Whether buildx takes the query form of a Git URL."""
    return is_at_least(find_buildx(), os.environ, GIT_QUERY)


def asking_github(token: str) -> Callable[[WorkflowRun], bool]:
    """Return a function that tells whether a run's repository is private, with a token for GitHub's API."""
    return lambda run: is_private(run, token, os.environ)


def step_log() -> Log:
    """A step's log: all of it on standard output, so that it comes in its order."""
    return Log(True, sys.stdout.buffer, workflow_commands.say)  # noqa: FBT003


def needed_by(report_options: ReportOptions) -> tuple[PreloadItem, ...]:
    """What showing a run needs."""
    reports = _reports(report_options)
    return (
        *((PreloadItem(SUMMARY, ("google.protobuf.message_factory", "action.report.publish")),) if reports else ()),
        *((PreloadItem(GITHUB, ("action.github.api",)),) if report_options.comment else ()),
    )


def _reports(report_options: ReportOptions) -> bool:
    return report_options.comment or (report_options.summary and bool(os.environ.get("GITHUB_STEP_SUMMARY")))


def show_run(  # noqa: PLR0913, PLR0917  # a run, and how it is shown
    result: RunResult,
    report_options: ReportOptions,
    preloader: Preloader,
    title: str,
    inputs: Mapping[str, str],
    secrets: tuple[str, ...],
    token: str,
    *,
    folder: str = ".",
) -> None:
    """Show a run to people, now that its outputs are written.

    Args:
        result: what became of it.
        report_options: what of it is shown.
        preloader: has made ready what showing it needs.
        title: `Build`, `Bake` or `Merge`.
        inputs: the step's inputs, input name to its text.
        secrets: texts that are shown nowhere.
        token: the token that a comment is written with, or empty.
        folder: where paths in outputs start from.
    """
    warns = report_options.annotations and any(key in (result.metadata or "") for key in _WARNINGS)
    if not warns and not _reports(report_options):
        return
    try:
        for part in (PreloadItem(MODELS), *needed_by(report_options)):
            preloader.wait(part.packages)
    except PackagesError as error:
        workflow_commands.warning(f"the run is not shown: {error}; the build and its outputs are not affected")
        return
    from action.report.publish import ReportRequest, publish_report  # noqa: PLC0415  # imported while the build ran

    publish_report(result, ReportRequest(title, report_options, inputs, secrets, token, folder))


def mask_all(secrets: Iterable[str]) -> None:
    """Have the runner mask secrets."""
    for secret in secrets:
        workflow_commands.mask(secret)


def warn(warnings: Iterable[str], *, dry_run: bool) -> None:
    """Print warnings about a step's inputs; in a dry run, standard output is only for the arguments."""
    for warning in warnings:
        if dry_run:
            sys.stderr.write(f"warning: {warning}\n")
        else:
            workflow_commands.warning(warning)


def print_arguments(arguments: tuple[str, ...]) -> int:
    """Print buildx's arguments as a JSON array; the exit code of a dry run."""
    sys.stdout.write(json.dumps(arguments) + "\n")
    return 0


def end(result: RunResult, outputs: Mapping[str, str]) -> int:
    """Say what became of a run and set the step's outputs; the exit code."""
    for notice in result.notices:
        workflow_commands.notice(notice)
    for warning in result.warnings:
        workflow_commands.warning(warning)
    for error in result.errors:
        workflow_commands.error(str(error))
    workflow_commands.set_outputs(outputs)
    if result.signal is not None:
        raise Interrupted(result.signal)
    return result.errors[0].exit_code if result.errors else 0


def show_digests(builds: Mapping[str, AttributedBuild]) -> None:
    """Print the digest of every exporter, or that it has none, in a group of the log.

    Args:
        builds: target name, empty for a build that is not of a bake, to what its exporters made.
    """
    lines = [
        f"{' '.join(part for part in (target, exporter.key) if part)}: {exporter.digest or 'no digest'}\n"
        for target, build in builds.items()
        for exporter in build.exporters
    ]
    if lines:
        with workflow_commands.group("Digests"):
            sys.stdout.write("".join(lines))
            sys.stdout.flush()


def compact(value: object) -> str:
    """A value as JSON without white space."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def write_results(result: RunResult) -> str:
    """Write the results file for later steps and return its path, or an empty text, with a warning."""
    from action.pipeline.results_document import json_text, results_of  # noqa: PLC0415  # loaded while buildx ran

    return _write("results", ".json", json_text(results_of(result.builds or {}, bake=result.bake)) + "\n")


def write_checksums(exporters: Iterable[AttributedExporter]) -> Mapping[str, str]:
    """The step outputs for attesting and signing: `refs`, and `checksums`, whose file is written if there is a ref."""
    every = tuple(exporters)
    pushed = references(every)
    if not pushed:
        return {"refs": "[]"}
    return {"refs": compact(pushed), "checksums": _write("checksums", ".txt", checksums(every))}


def write_record(trace: Trace | None, refs: Sequence[str]) -> Mapping[str, str]:
    """The step output `record`: a file with the records of builds; empty, with a warning, where there is none."""
    if trace is None or not refs:
        return {}
    try:
        exported = trace.records.file(refs)
        file = _file("record", ".dockerbuild")
        shutil.copyfile(exported, file)
    except (EvidenceError, OSError) as error:
        workflow_commands.warning(f"the build's record is missing: {error}")
        return {}
    return {"record": str(file)}


def _write(kind: str, suffix: str, text: str) -> str:
    try:
        file = _file(kind, suffix)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        # What was built is there, whatever becomes of a file that describes it.
        place = f" {error.filename}" if error.filename else ""
        workflow_commands.warning(f"the {kind} file{place} cannot be written: {error.strerror}; the output is empty")
        return ""
    return str(file)


def _file(kind: str, suffix: str) -> Path:
    """A new file's path, in a folder that is there."""
    return folder_for_later_steps() / f"{kind}-{os.urandom(16).hex()}{suffix}"
