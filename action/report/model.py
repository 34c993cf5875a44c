"""The model of a report about a run, and the removal of secrets from it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from action.dataclass import dataclass, field, replace
from action.evidence.record import StatusLog
from action.exporters.attributed import AttributedBuild, AttributedCache, AttributedExporter
from action.report.comparison import masked_comparison
from action.report.layers import BuiltLayer, masked_layers
from action.report.safe_text import visible


@dataclass(frozen=True)
class Target:
    """One build of a run.

    Attributes:
        name: the bake target's name, or empty for a build.
        results: its exporters with their digests, or None if they are not known.
        progress: its steps and times, or None if its record could not be read.
    """

    name: str
    results: AttributedBuild | None
    progress: StatusLog | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """The content of a summary or comment.

    Attributes:
        title: `Build`, `Bake` or `Merge`.
        failed: whether the run failed.
        targets: its builds.
        errors: what went wrong.
        warnings: what is missing, and why.
        failure: the end of buildx's log, starting with the failed step, or empty.
        inputs: input name to its text, without inputs that contain secrets.
        sizes: path of each written file to its size in bytes.
        layers: the largest layers of its images.
        secrets: texts that must not be shown.
    """

    title: str
    failed: bool
    targets: tuple[Target, ...]
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failure: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    layers: tuple[BuiltLayer, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)


def masked(report: Report) -> Report:
    """Return the report with `***` in place of every secret."""
    if not report.secrets:
        return report
    # Secrets are searched in the form in which they would be shown, without invisible characters and on one line:
    # otherwise a color code in the middle of a secret would hide it from this search and then be removed.
    # Each line is a secret of its own, as it is for the runner's own masking (`add-mask`).
    parts = {visible(part) for secret in report.secrets for part in (secret, *secret.splitlines())}
    # The longest comes first: a secret may contain another one, and the rest of it would be shown.
    words = [part.split() for part in sorted(parts, key=len, reverse=True) if part.strip()]
    if not words:
        return report
    pattern = re.compile("|".join(r"\s+".join(map(re.escape, each)) for each in words))

    def without(text: str) -> str:
        return pattern.sub("***", visible(text))

    def masked_exporter(exporter: AttributedExporter) -> AttributedExporter:
        dest = without(exporter.dest) if exporter.dest is not None else None
        comparison = masked_comparison(exporter.comparison, without) if exporter.comparison else None
        return replace(exporter, names=tuple(map(without, exporter.names)), dest=dest, comparison=comparison)

    def masked_cache(cache: AttributedCache) -> AttributedCache:
        ref, dest = (None if text is None else without(text) for text in (cache.ref, cache.dest))
        return replace(cache, ref=ref, dest=dest)

    def masked_target(target: Target) -> Target:
        results, progress = target.results, target.progress
        if results is not None:
            exporters, caches = map(masked_exporter, results.exporters), map(masked_cache, results.caches)
            results = replace(results, exporters=tuple(exporters), caches=tuple(caches))
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
        layers=masked_layers(report.layers, without),
        inputs={name: without(text) for name, text in report.inputs.items()},
    )
