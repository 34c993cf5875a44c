"""The attribution of digests: each exporter gets its own digest, or none; never another exporter's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from action.evidence.responses import Metadata
from action.exporters.added import BuildExporter, build_exporters
from action.exporters.attributed import (
    FILE_TYPES,
    AttributedDescriptor,
    AttributedExporter,
    AttributedPlatform,
)
from action.exporters.build_evidence import BuildEvidence
from action.exporters.claims import Claim, Claims, check_agreement
from action.exporters.image_id import image_id, known_image_ids
from action.exporters.merged_response import merged_image, owner_of_merged_response
from action.exporters.names import as_reported
from action.exporters.pushed import has_pushed_classic_image, is_pushed
from action.exporters.reasons import why_no_digest
from action.exporters.requested import Requested
from action.oci.image import with_known_imageids


@dataclass(frozen=True)
class Attribution:
    """The exporters of a build with their digests.

    Attributes:
        exporters: every exporter of the build.
        unknown: for each exporter that makes an image and has no digest: its key, and why it has none.
    """

    exporters: tuple[AttributedExporter, ...]
    unknown: Mapping[str, str]


def attribute(requested: Requested, evidence: BuildEvidence) -> Attribution:
    """Give each exporter its digest.

    The digest of an exporter comes from the first source that has one: (1) its own response in the metadata file;
    (2) the merged response, if only one exporter makes an image; (3) the record; (4) the tar that it wrote. (5) If
    there is none, the exporter has no digest and a reason why.

    Args:
        requested: the requested exporters.
        evidence: the evidence of the build.

    Raises:
        DisagreementError: two sources claim different images for one exporter.
    """
    if evidence.multi_node:
        # The metadata file and the record describe the image of one node, not the whole image.
        evidence = replace(evidence, metadata=Metadata(evidence.metadata.ref), record=None)
    exporters = build_exporters(requested, evidence)
    owner = owner_of_merged_response(requested, exporters, evidence)
    imageids = known_image_ids(evidence)
    attributed: list[AttributedExporter] = []
    unknown: dict[str, str] = {}
    for exporter in exporters:
        claims = [
            claim._replace(image=with_known_imageids(claim.image, imageids))
            for claim in _claims(exporter, evidence, owns_merged_response=exporter is owner)
        ]
        check_agreement(exporter.exporter, claims)
        result = _attributed(requested, exporter, claims, evidence)
        attributed.append(result)
        if result.digest is None and result.type not in FILE_TYPES:
            unknown[result.key] = why_no_digest(exporter.exporter, claims, evidence)
    return Attribution(tuple(attributed), unknown)


def _claims(exporter: BuildExporter, evidence: BuildEvidence, *, owns_merged_response: bool) -> list[Claim]:
    """Return what each source claims of an exporter, in the order of the rules of `attribute`."""
    claims: list[Claim] = []
    if evidence.metadata.separate is not None:
        if exporter.response is not None:
            claims.append(Claim("response", "its response in the metadata file", exporter.response.image))
    elif owns_merged_response or has_pushed_classic_image(exporter, evidence):
        claims.append(Claim("response", "the metadata file", merged_image(exporter.exporter, evidence)))
    if exporter.record_image is not None:
        claims.append(Claim("record", "the build record", exporter.record_image))
    if (artifact := evidence.artifacts.get(exporter.exporter.index)) is not None:
        claims.append(Claim("artifact", f"the artifact {exporter.exporter.dest}", artifact))
    return claims


def _attributed(
    requested: Requested, exporter: BuildExporter, claims: Claims, evidence: BuildEvidence
) -> AttributedExporter:
    with_digest = (claim for claim in claims if claim.image.digest)
    with_imageid = (claim for claim in claims if claim.image.imageid)
    best = next(with_digest, None) or next(with_imageid, None)
    # One source may have what another lacks, for example the record the platforms: `check_agreement` has made sure that
    # they describe the same image.
    descriptor = next((claim.image.descriptor for claim in claims if claim.image.descriptor), None)
    platforms = max((claim.image.platforms for claim in claims), key=len, default=())
    named = as_reported(requested, exporter.exporter, exporter.reported)
    return AttributedExporter(
        key=named.key,
        index=named.index,
        id=named.id,
        type=named.type,
        names=named.names,
        push=is_pushed(named, claims, evidence),
        dest=named.dest,
        digest=best.image.digest if best else None,
        imageid=image_id(requested, exporter, claims, evidence),
        descriptor=AttributedDescriptor(
            media_type=descriptor.media_type, digest=descriptor.digest, size=descriptor.size
        )
        if descriptor is not None
        else None,
        platforms=tuple(
            AttributedPlatform(platform=each.platform, digest=each.digest, imageid=each.imageid) for each in platforms
        ),
        evidence=best.evidence if best else None,
    )
