"""Whether an exporter's image was pushed, and whether a digest from the registry is proved to be the pushed image's.

With the classic image store buildx itself pushes and ignores `push=`; elsewhere BuildKit pushes, and reads `push=` as
true (docker/buildx 0.38, build/build.go; moby/buildkit 0.32, exporter/containerimage/export.go).
"""

from __future__ import annotations

from action.exporters.added import BuildExporter
from action.exporters.build_evidence import BuildEvidence
from action.exporters.claims import Claims
from action.exporters.requested import RequestedExporter
from action.oci.image import Image
from action.oci.reference import repositories_of


def is_pushed(exporter: RequestedExporter, claims: Claims, evidence: BuildEvidence) -> bool:
    """Return whether an exporter's image was pushed, which depends on the builder."""
    # The docker driver turns `docker` without `dest` into an image exporter; other drivers load it, and push nothing.
    if not exporter.push or (exporter.type == "docker" and not evidence.docker):
        return False
    return requests_push_by_buildx(exporter) or not _is_in_classic_store(claims)


def requests_push_by_buildx(exporter: RequestedExporter) -> bool:
    """Return whether buildx takes an exporter for one that pushes; it ignores `push=`."""
    return exporter.push and (exporter.type == "registry" or exporter.attributes.get("push") != "")


def has_pushed_classic_image(exporter: BuildExporter, evidence: BuildEvidence) -> bool:
    """Return whether an exporter pushed the image of which the merged response has the registry's digest.

    The classic image store makes one image for all exporters, and buildx queries the registry for one digest of it.
    """
    if evidence.record is None or exporter.recorded is None or not evidence.resolved_by_tag:
        return False
    if not requests_push_by_buildx(exporter.exporter):
        return False
    kept = exporter.record_image or Image()
    return kept.digest is None and kept.imageid == evidence.metadata.merged.image.imageid


def is_proved(exporter: RequestedExporter, evidence: BuildEvidence) -> bool:
    """Return whether each repository of an exporter is proved to have its image under the merged digest."""
    digest = evidence.metadata.merged.image.digest
    repositories = repositories_of(exporter.names)
    return bool(repositories) and all(f"{each}@{digest}" in evidence.proved for each in repositories)


def _is_in_classic_store(claims: Claims) -> bool:
    """Return whether an image store keeps the image that knows no manifests: only a config was named."""
    images = [claim.image for claim in claims]
    return any(image.imageid for image in images) and not any(image.descriptor for image in images)
