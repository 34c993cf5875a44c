"""Shows a run to people, once its outputs are written: annotations, job summary, comment. A fault here is a warning."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from action.buildx.local_state import LocalState, read_local_state, state_folder
from action.buildx.refs import build_id
from action.errors import BuildDigestsError, BuildFailedError, EvidenceError, GitHubError, ProgramError
from action.evidence.record_file import read_records
from action.evidence.status_log import StatusLog, read_status_log
from action.exporters.attributed import AttributedBuild, AttributedExporter, AttributedPlatform
from action.github import workflow_commands
from action.github.context import read_workflow_run
from action.inputs.report_options import ReportOptions
from action.oci.image import Image, PlatformImage
from action.pipeline.refs import refs_of
from action.pipeline.run_result import RunResult, Trace
from action.report.annotations import FindFile, read_annotations
from action.report.comment import LIMIT as COMMENT_LIMIT
from action.report.comment import Place, comment_text
from action.report.failure import failure_excerpt
from action.report.markdown import one_line
from action.report.model import Report, Target
from action.report.summary import LIMIT, outputs_table, render, shown_inputs

MOST_ANNOTATIONS = 10
"""Most warnings of a step that GitHub shows."""

_RECORD_SECONDS = 5.0
"""How long a summary waits in all for records that no digest depends on."""

_TELLING_INPUTS = ("context", "file", "target", "source", "targets", "workdir", "keys")
_SECRET_INPUTS = ("github-token", "secrets", "secret-envs", "secret-files")

_T = TypeVar("_T")


@dataclass(frozen=True)
class Show:
    """What is shown of a run.

    Attributes:
        title: `Build`, `Bake` or `Merge`.
        report_options: which of it.
        inputs: the step's inputs, input name to its text.
        secrets: texts that are shown nowhere.
        token: the token that a comment is written with, or empty.
        folder: where paths in outputs start from.
    """

    title: str
    report_options: ReportOptions
    inputs: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    token: str = field(default="", repr=False)
    folder: str = "."


def show(result: RunResult, what: Show) -> None:
    """Show a run to people. Never raises, but for a signal."""
    refs = _harmless("report", lambda: refs_of(result)) or {}
    if what.report_options.annotations and result.metadata:
        _harmless("annotations", lambda: _annotate(result, what, list(refs.values())))
    summary_file = os.environ.get("GITHUB_STEP_SUMMARY") if what.report_options.summary else None
    if not (summary_file or what.report_options.comment) or what.inputs.get("call", "").strip() not in {"", "build"}:
        return
    report = _harmless("report", lambda: _report(result, what, refs))
    if report is None:
        return
    if summary_file:
        _harmless("job summary", lambda: _append(Path(summary_file), report))
    if what.report_options.comment:
        _harmless("comment", lambda: _comment(what, report))


def _harmless(what: str, function: Callable[[], _T]) -> _T | None:
    try:
        return function()
    except Exception as error:  # noqa: BLE001  # whatever it is, the build and its outputs are as they are
        detail = str(error) if isinstance(error, BuildDigestsError) else f"{type(error).__name__}: {error}"
        workflow_commands.warning(
            f"the {what} is missing: {one_line(detail)}; the build and its outputs are not affected"
        )
        return None


def _annotate(result: RunResult, what: Show, refs: Sequence[str]) -> None:
    folder = state_folder(os.environ)
    states = [state for ref in refs if (state := read_local_state(folder, ref))]
    context = what.inputs.get("context", "").strip()
    if not states and what.title == "Build" and context:
        # buildx keeps nothing of a build that it was only asked to check.
        states = [LocalState(context, what.inputs.get("file", "").strip())]
    annotations = read_annotations(result.metadata or "", _finder(states))
    # Our own warnings are of the same kind.
    shown = max(0, MOST_ANNOTATIONS - len(result.warnings))
    for annotation in annotations[:shown]:
        workflow_commands.annotate(
            annotation.message, title=annotation.rule, file=annotation.file, line=annotation.line
        )
    if (rest := len(annotations) - shown) > 0:
        workflow_commands.say(
            f"{rest} more warnings of build checks are not shown as annotations; GitHub shows ten a step"
        )


def _finder(states: Sequence[LocalState]) -> FindFile:
    """Finds a Dockerfile among those of the builds: a check names it by its base name and its bytes."""
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


def _report(result: RunResult, what: Show, refs: Mapping[str, str]) -> Report:
    progress, platforms = _recorded(result.trace, list(refs.values()))
    builds: dict[str, AttributedBuild | None] = {**dict.fromkeys(refs), **(result.builds or {})}
    targets = tuple(
        Target(name, build and _with_platforms(build, platforms), progress.get(build_id(refs.get(name, ""))))
        for name, build in builds.items()
    )
    by_buildx = any(isinstance(error, (BuildFailedError, ProgramError)) for error in result.errors)
    return Report(
        title=what.title,
        failed=bool(result.errors),
        targets=targets,
        errors=tuple(map(str, result.errors)),
        warnings=result.warnings,
        failure=failure_excerpt(result.trace.log) if by_buildx and result.trace else "",
        inputs=shown_inputs(what.inputs, _SECRET_INPUTS),
        sizes=_sizes(targets, Path(what.folder)),
        secrets=what.secrets,
    )


def _recorded(
    trace: Trace | None, refs: Sequence[str]
) -> tuple[dict[str, StatusLog], dict[str, tuple[PlatformImage, ...]]]:
    """How each build went, by the last part of its reference, and digest to platforms; nothing where no record is."""
    if trace is None or not refs:
        return {}, {}
    progress: dict[str, StatusLog] = {}
    images: list[Image] = []
    with contextlib.suppress(EvidenceError):
        for file in trace.records.files(refs, seconds=_RECORD_SECONDS):
            progress |= {each.ref: each for each in read_status_log(file)}
            images += [image for record in read_records(file) for image in record.images.values()]
    return progress, {image.digest: image.platforms for image in images if image.digest}


def _with_platforms(build: AttributedBuild, platforms: Mapping[str, tuple[PlatformImage, ...]]) -> AttributedBuild:
    """The results with platforms that the record alone says, where nothing else depended on it."""

    def filled(exporter: AttributedExporter) -> AttributedExporter:
        if exporter.platforms or exporter.digest is None:
            return exporter
        known = tuple(
            AttributedPlatform(platform=image.platform, digest=image.digest, imageid=image.imageid)
            for image in platforms.get(exporter.digest, ())
        )
        return replace(exporter, platforms=known)

    return replace(build, exporters=tuple(map(filled, build.exporters)))


def _sizes(targets: Sequence[Target], folder: Path) -> dict[str, int]:
    """The path of each file that was written to its size in bytes."""
    paths = {each.dest for target in targets if target.results for each in target.results.exporters if each.dest}
    return {path: (folder / path).stat().st_size for path in paths if (folder / path).is_file()}


def _append(file: Path, report: Report) -> None:
    there = file.stat().st_size if file.exists() else 0
    with file.open("a", encoding="utf-8", newline="") as opened:
        opened.write(render(report, LIMIT - there))


def _comment(what: Show, report: Report) -> None:
    run = read_workflow_run(os.environ)
    if run.pull_request is None:
        workflow_commands.say("this run is of no pull request: there is nothing to comment on")
        return
    if not what.token:
        raise GitHubError("there is no github-token")
    step = (what.title, *(what.inputs.get(name, "") for name in _TELLING_INPUTS))
    place = Place(
        workflow=os.environ.get("GITHUB_WORKFLOW", ""),
        job=os.environ.get("GITHUB_JOB", ""),
        leg=_leg(os.environ.get("BUILD_DIGESTS_MATRIX", "")),
        step="\0".join(step),
        commit=run.pull_request_head or run.sha,
    )

    def text(known: str) -> str:
        others = len(comment_text(place, "", known).encode())
        return comment_text(place, outputs_table(report, COMMENT_LIMIT - others), known)

    from action.github.api import put_comment  # noqa: PLC0415  # PyGithub: imported while the build ran

    try:
        put_comment(run.repository, run.pull_request, what.token, os.environ, marker=place.marker, body=text)
    except GitHubError as error:
        rule = "a comment needs the permission pull-requests: write, which a fork's token does not have"
        raise GitHubError(f"{error}; {rule}") from None


def _leg(text: str) -> dict[str, str]:
    try:
        leg = json.loads(text or "null")
    except (ValueError, RecursionError):
        return {}
    return {name: str(value) for name, value in leg.items()} if isinstance(leg, dict) else {}
