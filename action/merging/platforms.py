"""Completes the jobs' results with the platforms that a registry knows: an index names them, results often do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from action.exporters.attributed import AttributedExporter, AttributedPlatform
from action.merging.job_results import JobResults
from action.oci.models import Document, parse
from action.oci.reference import parse_reference


def source_reference(exporter: AttributedExporter) -> str | None:
    """An exporter's image by digest, where it was pushed; None where it was not."""
    reference = parse_reference(exporter.names[0]) if exporter.names else None
    if reference is None or not exporter.push or exporter.digest is None:
        return None
    return f"{reference.repository}@{exporter.digest}"


def platforms_in(data: bytes, source: str) -> tuple[AttributedPlatform, ...]:
    """The platforms that an index names, attestation manifests left out; none where the document is no index.

    Args:
        data: what a registry serves.
        source: what to call it in errors.

    Raises:
        EvidenceError: it is no index and no manifest.
    """
    return tuple(
        AttributedPlatform(platform=str(entry.platform), digest=entry.digest, imageid=None)
        for entry in parse(Document, data, source).manifests or ()
        if entry.platform is not None and str(entry.platform) and not entry.is_attestation
    )


def with_platforms(
    jobs: Sequence[JobResults], known: Mapping[str, tuple[AttributedPlatform, ...]]
) -> tuple[JobResults, ...]:
    """The results with the platforms filled in that they do not say.

    Args:
        jobs: the jobs' results.
        known: digest of an image to its platforms.
    """

    def filled(exporter: AttributedExporter) -> AttributedExporter:
        if exporter.digest is None or exporter.digest not in known or any(each.platform for each in exporter.platforms):
            return exporter
        return replace(exporter, platforms=known[exporter.digest])

    return tuple(
        JobResults(
            job.file,
            replace(job.results, exporters=tuple(filled(each) for each in job.results.exporters)),
        )
        for job in jobs
    )
