"""What is told of a run, and that without its secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from action.evidence.status_log import StatusLog
from action.exporters.attributed import AttributedBuild, AttributedExporter
from action.report.markdown import seen


@dataclass(frozen=True)
class Target:
    """One build.

    Attributes:
        name: the bake target, or empty.
        results: its results, or None.
        progress: how it went, or None where no record says it.
    """

    name: str
    results: AttributedBuild | None
    progress: StatusLog | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is told of a run.

    Attributes:
        title: `Build`, `Bake` or `Merge`.
        failed: whether the run failed.
        targets: its builds.
        errors: what went wrong.
        warnings: what is missing, and why.
        failure: the end of buildx's log, from the step that failed on; or empty.
        inputs: input name to its text, secrets left out.
        sizes: the path of each file that was written to its size in bytes.
        secrets: texts that are shown nowhere.
    """

    title: str
    failed: bool
    targets: tuple[Target, ...]
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failure: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def masked(report: Report) -> Report:
    """The report without secrets, wherever they stand in it."""
    if not report.secrets:
        return report
    # As they would be shown: without what is not seen, and on one line.
    parts = {seen(part) for secret in report.secrets for part in (secret, *secret.splitlines())}
    words = [part.split() for part in sorted(parts, key=len, reverse=True) if part.strip()]
    if not words:
        return report
    pattern = re.compile("|".join(r"\s+".join(map(re.escape, each)) for each in words))

    def without(text: str) -> str:
        return pattern.sub("***", seen(text))

    def masked_exporter(exporter: AttributedExporter) -> AttributedExporter:
        dest = without(exporter.dest) if exporter.dest is not None else None
        return replace(exporter, names=tuple(map(without, exporter.names)), dest=dest)

    def masked_target(target: Target) -> Target:
        results, progress = target.results, target.progress
        if results is not None:
            results = replace(results, exporters=tuple(map(masked_exporter, results.exporters)))
        if progress is not None:
            steps = tuple(replace(step, name=without(step.name), error=without(step.error)) for step in progress.steps)
            progress = replace(progress, steps=steps)
        return Target(without(target.name), results, progress)

    return replace(
        report,
        targets=tuple(map(masked_target, report.targets)),
        errors=tuple(map(without, report.errors)),
        warnings=tuple(map(without, report.warnings)),
        failure=without(report.failure),
        inputs={name: without(text) for name, text in report.inputs.items()},
    )
