"""Results of jobs in the form in which the build action writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from action.exporters.attributed import AttributedBuild, AttributedExporter, document_text
from action.merging.job_results import JobResults
from action.oci.image import PlatformImage


def digest_of(owner: str) -> str:
    return "sha256:" + hashlib.sha256(owner.encode()).hexdigest()


def exporter(  # one for each member of a result that a test sets
    key: str = "release",
    *,
    names: tuple[str, ...] = ("ghcr.io/octo/app",),
    digest: str | None = "image",
    platforms: Mapping[str, str] | None = None,
    push: bool = True,
    kind: str = "image",
) -> AttributedExporter:
    """Make the result of an exporter; `digest` and the values of `platforms` are names that `digest_of` hashes."""
    return AttributedExporter(
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
            PlatformImage(platform=platform, digest=digest_of(owner), imageid=None)
            for platform, owner in (platforms or {}).items()
        ),
        evidence="response" if digest else None,
    )


def results(*exporters: AttributedExporter) -> AttributedBuild:
    return AttributedBuild("b/n/r", exporters)


def document(build: AttributedBuild) -> str:
    """The results file of a job."""
    return document_text({"": build}, bake=False)


def job(file: str, *exporters: AttributedExporter) -> JobResults:
    return JobResults(file, results(*exporters))
