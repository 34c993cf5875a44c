"""Results of jobs, as the build action writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from action.merging.job_results import JobResults
from action.results import BuildResults, ExporterResult, PlatformResult, results_of


def digest_of(owner: str) -> str:
    return "sha256:" + hashlib.sha256(owner.encode()).hexdigest()


def exporter(  # noqa: PLR0913
    key: str = "release",
    *,
    names: tuple[str, ...] = ("ghcr.io/octo/app",),
    digest: str | None = "image",
    platforms: Mapping[str, str] | None = None,
    push: bool = True,
    kind: str = "image",
) -> ExporterResult:
    """An exporter; digests are given by what has them."""
    return ExporterResult(
        key=key,
        index=int(key) if key.isdecimal() else 0,
        id=None if key.isdecimal() else key,
        type=kind,
        names=names,
        push=push,
        dest=None,
        digest=digest_of(digest) if digest else None,
        imageid=None,
        descriptor=None,
        platforms=tuple(
            PlatformResult(platform=platform, digest=digest_of(owner), imageid=None)
            for platform, owner in (platforms or {}).items()
        ),
        evidence="response" if digest else None,
    )


def results(*exporters: ExporterResult) -> BuildResults:
    return results_of("b/n/r", exporters)


def job(file: str, *exporters: ExporterResult) -> JobResults:
    return JobResults(file, results(*exporters))
