"""The reason why an exporter that makes an image has no digest, and what the user can do about it."""

from __future__ import annotations

from action.exporters.build_evidence import BuildEvidence, is_merged_index
from action.exporters.claims import Claims
from action.exporters.pushed import requests_push_by_buildx
from action.exporters.requested import RequestedExporter

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
            "several nodes built it, and buildx merges what they made for the first image that is pushed only; build "
            "each image by itself, or all with one node"
        )
    if evidence.multi_node:
        return (
            "several nodes built it, and buildx says what the first of them made; push the image, so that buildx "
            "merges what they made, or build with one node"
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
