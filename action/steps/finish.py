"""The step of a build or of a bake, once buildx has ended: the step outputs, the files that they name, the report."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from action.buildx.builder import Diagnostics
from action.errors import EvidenceError, PackagesError
from action.exporters.attributed import AttributedBuild, AttributedExporter, checksums, document_text, references
from action.github import workflow_commands
from action.github.workflow_commands import set_outputs
from action.packages.preload import WITHOUT_PACKAGES, Preloader
from action.packages.sets import MODELS
from action.pipeline.evaluate import result_of
from action.pipeline.run_result import RunResult, Trace, refs_of
from action.pipeline.workspace import folder_for_later_steps
from action.process.search import docker_folder
from action.process.signals import Interrupted
from action.report.diagnostics import print_diagnostics, print_group
from action.report.outputs import compact, digest_outputs
from action.report.request import ReportRequest, upload_notice
from action.steps.common import has_summary, report_items

__all__ = ["ReportRequest", "finish_run", "result_of"]


def finish_run(result: RunResult, report: ReportRequest, preloader: Preloader, diagnostics: Diagnostics) -> int:
    """Set the step outputs of a run, report it, and return the step's exit code.

    Args:
        result: the result of the run.
        report: what is reported of the run.
        preloader: loads the packages that the report needs.
        diagnostics: what docker and buildx printed about themselves until now.

    Raises:
        Interrupted: a signal ended the run; its outputs are set.
    """
    print_diagnostics(diagnostics, docker_folder(os.environ))
    outputs = _outputs(result, saves_record=report.report_options.record)
    print_group("Metadata", result.metadata or "")
    refs = (build.ref for build in (result.builds or {}).values() if build.ref)
    print_group("Build references" if result.bake else "Reference", "\n".join(refs))
    if notice := upload_notice(os.environ):
        workflow_commands.notice(notice)
    code = finish_step(result, outputs)
    builds = report_run(result, report, preloader)
    if builds and builds.keys() == (result.builds or {}).keys() and (file := outputs.get("results")):
        _rewrite(Path(file), document_text(builds, bake=result.bake) + "\n")
    return code


def _rewrite(file: Path, text: str) -> None:
    """Replace a results file by one that also has the platforms and sizes that the report has read.

    If that fails, the file stays as it is. It is replaced in one operation, so that no reader sees half a file.
    """
    with contextlib.suppress(OSError):
        new = file.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(file)


def _outputs(result: RunResult, *, saves_record: bool) -> Mapping[str, str]:
    outputs = {"metadata": result.metadata or "", "refs": "[]", **digest_outputs(result.builds, bake=result.bake)}
    if saves_record:
        outputs |= write_record(result.trace, list(refs_of(result).values()))
    if result.builds is None:
        return outputs
    print_digests(result.builds)
    exporters = [exporter for build in result.builds.values() for exporter in build.exporters]
    return {
        **outputs,
        "results": write_results(result),
        **write_checksums(exporters, platforms=result.platform_subjects),
    }


# The metadata keys that annotations are made from: of a build, and of a run with `call: check`.
_CHECK_KEYS = ('"buildx.build.warnings"', '"result.json"')


def report_run(result: RunResult, request: ReportRequest, preloader: Preloader) -> Mapping[str, AttributedBuild]:
    """Report a run for people, after the step outputs are set; a failure is a warning.

    Args:
        result: the result of the run.
        request: what is reported.
        preloader: loads the packages that the report needs.

    Returns:
        Target name to build, with the platforms and sizes that the report has read; empty without a report.
    """
    report_options = request.report_options
    has_checks = any(key in (result.metadata or "") for key in _CHECK_KEYS)
    if not (report_options.annotations and has_checks) and not has_summary(report_options):
        return {}
    sets = (item.packages for item in report_items(report_options) if item.packages is not None)
    try:
        preloader.wait_for_report(MODELS, *sets)
    except PackagesError as error:
        text = f"the run is not shown: {error}"
        if result.errors:
            # No annotation: the first thing to look at is why the run failed.
            workflow_commands.say(text)
        elif not result.lacks_packages:
            workflow_commands.warning(f"{error}. {WITHOUT_PACKAGES}")
        return {}
    from action.report.publish import publish_report  # noqa: PLC0415  # its packages were loaded while buildx ran

    return publish_report(result, request)


def finish_step(result: RunResult, outputs: Mapping[str, str]) -> int:
    """Print the messages of a run, set the step outputs and return the exit code.

    Args:
        result: the result of the run.
        outputs: step output name to its text.

    Raises:
        Interrupted: a signal ended the run; its outputs are set.
    """
    for notice in result.notices:
        workflow_commands.notice(notice)
    for warning in result.warnings:
        workflow_commands.warning(warning)
    for error in result.errors:
        workflow_commands.error(str(error))
    set_outputs(outputs)
    if result.signal is not None:
        raise Interrupted(result.signal)
    return result.errors[0].exit_code if result.errors else 0


def print_digests(builds: Mapping[str, AttributedBuild]) -> None:
    """Print the digest of each exporter, or that it has none, and the image IDs, in groups of the log.

    Args:
        builds: target name, empty for a build that is not of a bake, to its exporters with their digests.
    """
    exporters = {
        " ".join(part for part in (target, exporter.key) if part): exporter
        for target, build in builds.items()
        for exporter in build.exporters
    }
    ids = (f"{name}: {exporter.imageid}" for name, exporter in exporters.items() if exporter.imageid)
    print_group("Image IDs", "\n".join(ids))
    digests = (f"{name}: {exporter.digest or 'no digest'}" for name, exporter in exporters.items())
    print_group("Digests", "\n".join(digests))


def write_results(result: RunResult) -> str:
    """Write the results file for later steps and return its path; if that fails, print a warning and return ''."""
    return _write("results", ".json", document_text(result.builds or {}, bake=result.bake) + "\n")


def write_checksums(exporters: Iterable[AttributedExporter], *, platforms: bool = False) -> Mapping[str, str]:
    """Return the step outputs for attesting and signing, and write the file that `checksums` names.

    Args:
        exporters: all exporters of the run.
        platforms: whether each platform's image is listed too.

    Returns:
        `refs`, and `checksums` if there is a ref.
    """
    every = tuple(exporters)
    pushed = references(every, platforms=platforms)
    if not pushed:
        return {"refs": "[]"}
    return {"refs": compact(pushed), "checksums": _write("checksums", ".txt", checksums(every, platforms=platforms))}


def write_record(trace: Trace | None, refs: Sequence[str]) -> Mapping[str, str]:
    """Return the step output `record`, and write its file; if that fails, print a warning and return no output.

    Args:
        trace: what the run left behind, or None.
        refs: `builder/node/ref` of each build whose record goes into the file.
    """
    if trace is None or not refs:
        return {}
    try:
        exported = trace.records.file(refs)
        file = _new_file("record", ".dockerbuild")
        shutil.copyfile(exported, file)
    except (EvidenceError, OSError) as error:
        workflow_commands.warning(f"the build's record is missing: {error}")
        return {}
    return {"record": str(file)}


def _write(kind: str, suffix: str, text: str) -> str:
    try:
        file = _new_file(kind, suffix)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        # The images are built and pushed. If the step failed now, the user would have to build them again.
        path = f" {error.filename}" if error.filename else ""
        workflow_commands.warning(f"the {kind} file{path} cannot be written: {error.strerror}; the output is empty")
        return ""
    return str(file)


def _new_file(kind: str, suffix: str) -> Path:
    """Return the path of a file that does not exist, in a folder that does."""
    # The folder is shared by all steps of a job, so the name is random.
    return folder_for_later_steps() / f"{kind}-{os.urandom(16).hex()}{suffix}"
