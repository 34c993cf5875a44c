"""Publish a report about a run: annotations, job summary and comment.

This runs after the step outputs are written. Whatever goes wrong here is a warning, and never fails the step.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from action.buildx.local_state import LocalState, build_id, read_local_state, state_folder
from action.dataclass import replace
from action.errors import (
    BuildDigestsError,
    BuildFailedError,
    EvidenceError,
    NoRecordsError,
    ProgramError,
    SlowEvidenceError,
)
from action.evidence.record import Record, StatusLog
from action.evidence.record_file import read_records
from action.evidence.status_log import read_status_log
from action.exporters.attributed import AttributedBuild, AttributedExporter
from action.github import workflow_commands
from action.oci.image import Image
from action.pipeline.run_result import RunResult, Trace, refs_of
from action.report.annotations import FindFile, print_annotation, read_annotations
from action.report.comment import write_comment
from action.report.layers import BuiltLayer, largest_layers
from action.report.model import Report, Target
from action.report.request import ReportRequest
from action.report.safe_text import one_line
from action.report.summary import LIMIT, failure_excerpt, render, shown_inputs

# Time limit for reading all records that only the summary needs. It is short, because the build has ended and the step
# waits only for its summary.
_RECORD_SECONDS = 5.0

# `matrix` is set by action.yml and not by the user; the others can contain secrets.
_HIDDEN_INPUTS = ("github-token", "matrix", "secrets", "secret-envs", "secret-files")

_T = TypeVar("_T")


def publish_report(result: RunResult, request: ReportRequest) -> Mapping[str, AttributedBuild]:
    """Publish a report about a run, and return its builds with what the report found out about them.

    It raises nothing except on a signal.

    Args:
        result: the result of the run.
        request: the parts of the report that the step wants.

    Returns:
        Target name to build, with platforms and sizes from the records; empty if no record was read.
    """
    refs = _or_warn("report", lambda: refs_of(result)) or {}
    options = request.report_options
    if options.annotations and result.metadata:
        _or_warn("annotations", lambda: _annotate(result, request, list(refs.values())))
    summary_file = os.environ.get("GITHUB_STEP_SUMMARY") if options.summary else None
    # With `call` nothing is exported, so a summary would have no outputs.
    if not (summary_file or options.comment) or request.inputs.get("call", "").strip() not in {"", "build"}:
        return {}
    report = _or_warn("report", lambda: _report(result, request, refs))
    if report is None:
        return {}
    if summary_file:
        _or_warn("job summary", lambda: _append(Path(summary_file), report))
    if options.comment:
        _or_warn("comment", lambda: write_comment(request, report))
    return {target.name: target.results for target in report.targets if target.results is not None}


def _or_warn(what: str, function: Callable[[], _T]) -> _T | None:
    """Return the function's value; print a warning and return None if it raises an exception."""
    try:
        return function()
    except Exception as error:  # noqa: BLE001  # no fault of a report may fail a build that has succeeded
        detail = str(error) if isinstance(error, BuildDigestsError) else f"{type(error).__name__}: {error}"
        workflow_commands.warning(
            f"the {what} is missing: {one_line(detail)}; the build and its outputs are not affected"
        )
        return None


def _annotate(result: RunResult, request: ReportRequest, refs: Sequence[str]) -> None:
    folder = state_folder(os.environ)
    states = [state for ref in refs if (state := read_local_state(folder, ref))]
    context = request.inputs.get("context", "").strip()
    if not states and request.title == "Build" and context:
        # buildx keeps no local state of a build with `call: check`, so the inputs name the Dockerfile.
        states = [LocalState(context, request.inputs.get("file", "").strip())]
    annotations = read_annotations(result.metadata or "", _finder(states))
    # The step's own warnings count towards GitHub's limit too.
    shown = max(0, workflow_commands.MAX_ANNOTATIONS - len(result.warnings))
    for annotation in annotations[:shown]:
        print_annotation(annotation)
    if (rest := len(annotations) - shown) > 0:
        workflow_commands.say(
            f"{rest} more warnings of build checks are not shown as annotations: GitHub shows ten per step"
        )


def _finder(states: Sequence[LocalState]) -> FindFile:
    """Return a function that finds the path of a Dockerfile among the Dockerfiles of the builds.

    A warning names only the file's base name and its content. A local file is found by its content. BuildKit fetches
    the file of a remote context itself, so it is found by its name, if the context is the workflow's own repository.
    """
    root = Path(os.environ.get("GITHUB_WORKSPACE") or ".").resolve()
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    local: list[tuple[str, bytes]] = []
    remote: list[str] = []
    for state in states:
        if "://" in state.context:
            if repository and urlsplit(state.context).path.strip("/").removesuffix(".git") == repository:
                remote.append(state.dockerfile or "Dockerfile")
            continue
        path = Path(state.dockerfile) if state.dockerfile else Path(state.context, "Dockerfile")
        try:
            local.append((path.resolve().relative_to(root).as_posix(), path.read_bytes()))
        except (OSError, ValueError):
            continue

    def find(name: str, data: bytes | None) -> str | None:
        same = (path for path, content in local if content == data)
        named = (path for path in remote if path.rpartition("/")[2] == name)
        return next(same, None) or next(named, None)

    return find


def _report(result: RunResult, request: ReportRequest, refs: Mapping[str, str]) -> Report:
    progress, images = _read_records(result.trace, list(refs.values()))
    builds: dict[str, AttributedBuild | None] = {**dict.fromkeys(refs), **(result.builds or {})}
    targets = tuple(
        Target(name, build and _with_images(build, images), progress.get(build_id(refs.get(name, ""))))
        for name, build in builds.items()
    )
    buildx_failed = any(isinstance(error, (BuildFailedError, ProgramError)) for error in result.errors)
    return Report(
        title=request.title,
        failed=bool(result.errors),
        targets=targets,
        errors=tuple(map(str, result.errors)),
        warnings=result.warnings,
        failure=failure_excerpt(result.trace.log) if buildx_failed and result.trace else "",
        inputs=shown_inputs(request.inputs, _HIDDEN_INPUTS),
        sizes=_sizes(targets, Path(request.folder)),
        # An engine that gave no record is not asked again.
        layers=_layers(result, refs) if request.report_options.summary and progress else (),
        secrets=request.secrets,
    )


def _layers(result: RunResult, refs: Mapping[str, str]) -> tuple[BuiltLayer, ...]:
    return largest_layers(result.builds or {}, refs, result.trace.live) if result.trace else ()


def _read_records(trace: Trace | None, refs: Sequence[str]) -> tuple[dict[str, StatusLog], dict[str, Image]]:
    """Return the progress of each build by the last part of `builder/node/ref`, and images by their digests.

    Both are empty if the records cannot be read.
    """
    if trace is None or not refs:
        return {}, {}
    progress: dict[str, StatusLog] = {}
    deadline = time.monotonic() + _RECORD_SECONDS
    answers = trace.live.read(refs, seconds=_RECORD_SECONDS)
    images = [image for each in answers.values() if isinstance(each, Record) for image in each.images.values()]
    # A summary without times is better than none.
    with contextlib.suppress(EvidenceError):
        progress = {each.ref: each for each in trace.live.status_logs(refs, seconds=deadline - time.monotonic())}
    # An engine that was too slow, or has no record, is not asked again.
    final = (SlowEvidenceError, NoRecordsError)
    left = [ref for ref in refs if build_id(ref) not in progress and not isinstance(answers.get(ref), final)]
    with contextlib.suppress(EvidenceError):
        for file in trace.records.files(left, seconds=deadline - time.monotonic()) if left else ():
            progress |= {each.ref: each for each in read_status_log(file)}
            images += [image for record in read_records(file) for image in record.images.values()]
    return progress, {image.digest: image for image in images if image.digest}


def _with_images(build: AttributedBuild, images: Mapping[str, Image]) -> AttributedBuild:
    """Return the build with platforms and sizes filled in from its record.

    They may be missing because the record is not read for a digest that the metadata file contains.
    """

    def filled(exporter: AttributedExporter) -> AttributedExporter:
        image = images.get(exporter.digest or "")
        if image is None:
            return exporter
        platforms = image.platforms if len(image.platforms) >= len(exporter.platforms) else exporter.platforms
        return replace(exporter, platforms=platforms, size=image.size if exporter.size is None else exporter.size)

    return replace(build, exporters=tuple(map(filled, build.exporters)))


def _sizes(targets: Sequence[Target], folder: Path) -> dict[str, int]:
    """Return the path of each written file to its size in bytes."""
    paths = {each.dest for target in targets if target.results for each in target.results.exporters if each.dest}
    return {path: (folder / path).stat().st_size for path in paths if (folder / path).is_file()}


def _append(file: Path, report: Report) -> None:
    # The limit is for the whole file: other programs of the step may have written to it too.
    size = file.stat().st_size if file.exists() else 0
    with file.open("a", encoding="utf-8", newline="") as opened:
        opened.write(render(report, LIMIT - size))
