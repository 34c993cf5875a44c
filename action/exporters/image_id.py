"""The image ID of an exporter's image: in an engine the ID that finds it there, elsewhere what buildx reports."""

from __future__ import annotations

from action.exporters.added import BuildExporter
from action.exporters.attributed import FILE_TYPES
from action.exporters.build_evidence import BuildEvidence
from action.exporters.claims import Claims
from action.exporters.reported import ReportedExporter
from action.exporters.requested import Requested
from action.inputs.booleans import go_boolean
from action.oci.image import INDEX_TYPES


def image_id(requested: Requested, exporter: BuildExporter, claims: Claims, evidence: BuildEvidence) -> str | None:
    """Return the image ID of an exporter's image, or None if it is not known.

    Args:
        requested: the requested exporters.
        exporter: the exporter.
        claims: what the sources claim of it.
        evidence: the evidence of the build.
    """
    images = [claim.image for claim in claims]
    digest = next((image.digest for image in images if image.digest), None)
    descriptors = [image.descriptor for image in images if image.descriptor]
    if digest and descriptors and _is_in_containerd_store(requested, exporter, evidence):
        return digest
    # buildx reports the config's digest if the response has one, which it has for a single manifest, and else the
    # digest (docker/buildx 0.36, commands/build.go, getImageID).
    if config := next((image.imageid for image in images if image.imageid), None):
        return config
    by_digest = any(descriptor.media_type in INDEX_TYPES for descriptor in descriptors)
    return digest if by_digest or any(claim.evidence == "response" for claim in claims) else None


def known_image_ids(evidence: BuildEvidence) -> dict[str, str]:
    """Return the digest of each manifest in the evidence to the digest of its config."""
    images = [*(evidence.record.images.values() if evidence.record else ()), *evidence.artifacts.values()]
    return {
        each.digest: each.imageid
        for image in images
        for each in (image, *image.platforms)
        if each.digest and each.imageid
    }


def _is_in_containerd_store(requested: Requested, exporter: BuildExporter, evidence: BuildEvidence) -> bool:
    """Return whether an engine keeps the image that knows it by the digest of its manifest or index."""
    given = exporter.exporter
    if given.dest is not None or given.type in FILE_TYPES:
        return False
    loaded = _loaded(requested, exporter)
    if evidence.docker:
        # An exporter that stays a docker exporter in a Docker Engine writes a tar; the record has no path of it.
        is_tar = given.type == "oci" or (loaded is not None and loaded.type == "docker")
        return not is_tar and go_boolean(given.attributes.get("store", "true")) is not False
    # For a Docker Engine with that store buildx loads the image as OCI and, since 0.24, sets this attribute
    # (build/opt.go; moby/moby#45458).
    return loaded is not None and (loaded.type == "oci" or "prefer-image-digest" in (loaded.attributes or {}))


def _loaded(requested: Requested, exporter: BuildExporter) -> ReportedExporter | None:
    """Return the exporter's entry in the record if it loads its image into an engine."""
    # An index after the user's outputs is that of an exporter that buildx added.
    loads = exporter.exporter.type == "docker" or exporter.exporter.index >= requested.outputs
    return exporter.recorded if loads else None
