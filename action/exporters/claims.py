"""What the sources of evidence claim about an exporter: whether they agree, and what follows from them.

With the classic image store buildx itself pushes and ignores `push=`; elsewhere BuildKit pushes, and reads `push=` as
true (docker/buildx 0.38, build/build.go; moby/buildkit 0.32, exporter/containerimage/export.go).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from action.errors import DisagreementError
from action.exporters.attributed import Evidence
from action.exporters.build_evidence import BuildEvidence, is_merged_index
from action.exporters.matching import BuildExporter
from action.exporters.requested import RequestedExporter
from action.oci.image import Image
from action.oci.reference import repositories_of


class Claim(NamedTuple):
    """The image that one source claims for an exporter.

    Attributes:
        evidence: the kind of source.
        source: the source's name in messages.
        image: the image.
    """

    evidence: Evidence
    source: str
    image: Image


Claims = Sequence[Claim]
"""All claims about one exporter, the strongest first."""


def check_agreement(exporter: RequestedExporter, claims: Claims) -> None:
    """Check that all claims about an exporter have the same digest and the same image ID, as far as they have one.

    Args:
        exporter: the exporter.
        claims: what the sources claim of it.

    Raises:
        DisagreementError: two claims differ; neither can be trusted, because one source belongs to another build.
    """
    digests = [(claim.source, claim.image.digest) for claim in claims if claim.image.digest]
    imageids = [(claim.source, claim.image.imageid) for claim in claims if claim.image.imageid]
    for name, values in (("digest", digests), ("image ID", imageids)):
        for source, value in values[1:]:
            first_source, first = values[0]
            if value != first:
                raise DisagreementError(
                    f"exporter {exporter.key} ({exporter.type}): {first_source} says {name} {first}, "
                    f"{source} says {value}; neither is reported. If another build writes to the same place, "
                    "run one after the other"
                )


def is_pushed(exporter: RequestedExporter, claims: Claims, evidence: BuildEvidence) -> bool:
    """Return whether an exporter's image was pushed, which depends on the builder.

    Args:
        exporter: the exporter, with the push that was requested or is in the record.
        claims: what the sources claim of it; they show the image store.
        evidence: the evidence of the build.
    """
    # The docker driver turns `docker` without `dest` into an image exporter; other drivers load it, and push nothing.
    if not exporter.push or (exporter.type == "docker" and not evidence.docker):
        return False
    return requests_push_by_buildx(exporter) or not _is_in_classic_store(claims)


def requests_push_by_buildx(exporter: RequestedExporter) -> bool:
    """Return whether buildx takes an exporter for one that pushes; it ignores `push=`."""
    return exporter.push and (exporter.type == "registry" or exporter.attributes.get("push") != "")


def has_pushed_classic_image(exporter: BuildExporter, evidence: BuildEvidence) -> bool:
    """Return whether the merged digest, which a registry returned, is of the image that an exporter pushed.

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
    """Return whether the image is in the classic image store, which has no manifests: only a config is named."""
    images = [claim.image for claim in claims]
    return any(image.imageid for image in images) and not any(image.descriptor for image in images)


_CONTAINERD_STORE = "containerd image store (https://docs.docker.com/engine/storage/containerd/)"


def why_no_digest(exporter: RequestedExporter, claims: Claims, evidence: BuildEvidence) -> str:
    """Return why an exporter has no digest, as the end of a sentence that names the exporter.

    Args:
        exporter: the exporter.
        claims: what the sources claim of it.
        evidence: the evidence of the build.
    """
    # With the containerd store buildx 0.13 names no descriptor either, if several exporters made an image; then the
    # merged response was not used for this exporter.
    has_response = any(claim.evidence == "response" for claim in claims)
    if evidence.resolved_by_tag and has_response and requests_push_by_buildx(exporter):
        return (
            "the registry's digest is not proved to be this build's: with this image store buildx asks the registry by "
            "tag after the push, and another push may have moved the tag; run one after the other, or use the "
            f"{_CONTAINERD_STORE}"
        )
    if not claims and is_merged_index(evidence.metadata):
        return (
            "several nodes built it, and buildx merges their images only for the first output that pushes; build "
            "each image in a run of its own, or use a builder with one node"
        )
    if evidence.multi_node:
        return (
            "several nodes built it, and buildx reports the image of only one of them; push the image, so that buildx "
            "merges their images, or use a builder with one node"
        )
    if any(claim.image.imageid for claim in claims if claim.evidence != "artifact"):
        return (
            f"the engine's image store gives an image ID and no digest; push the image, or use the {_CONTAINERD_STORE}"
        )
    return _missing_evidence(evidence)


def _missing_evidence(evidence: BuildEvidence) -> str:
    if evidence.missing:
        return "; ".join(evidence.missing)
    if evidence.record is None:
        return "the metadata file does not say which exporter its digest belongs to, and there is no build record"
    if not evidence.record.exporters:
        return "the build record does not say which exporters ran: update BuildKit to 0.14 or later (Docker 27)"
    return "no result in the build record is certain to be this exporter's"
