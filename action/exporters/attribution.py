"""The attribution of digests: each exporter gets its own digest, or none; never another exporter's.

BuildKit merges the responses of all exporters to one map, and the last exporter overwrites the others
(moby/buildkit#2760). So that map is evidence only if a single exporter can have written it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from action.dataclass import dataclass, replace
from action.evidence.responses import Metadata
from action.exporters.attributed import AttributedExporter
from action.exporters.build_evidence import BuildEvidence, ReportedExporter, as_reported, is_merged_index
from action.exporters.claims import (
    Claim,
    Claims,
    check_agreement,
    has_pushed_classic_image,
    is_proved,
    is_pushed,
    requests_push_by_buildx,
    why_no_digest,
)
from action.exporters.matching import BuildExporter, build_exporters
from action.exporters.output import FILE_TYPES
from action.exporters.requested import Requested, RequestedExporter
from action.inputs.values import go_boolean
from action.oci.image import INDEX_TYPES, Image, PlatformImage, total_size, with_known_imageids


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
    # One source can have what another lacks, for example only the record may name the platforms. All of them describe
    # the same image: `check_agreement` has compared them.
    descriptor = next((claim.image.descriptor for claim in claims if claim.image.descriptor), None)
    platforms = _with_sizes(max((claim.image.platforms for claim in claims), key=len, default=()), claims)
    sizes = [claim.image.size for claim in claims if claim.image.size is not None]
    named = as_reported(requested, exporter.exporter, exporter.reported)
    return AttributedExporter(
        key=named.key,
        index=named.index,
        id=named.id,
        type=named.type,
        names=tuple(dict.fromkeys(named.names)),  # a tag can be given twice
        push=is_pushed(named, claims, evidence),
        dest=named.dest,
        digest=best.image.digest if best else None,
        imageid=image_id(requested, exporter, claims, evidence),
        descriptor=descriptor,
        platforms=platforms,
        evidence=best.evidence if best else None,
        size=next(iter(sizes), total_size(platforms)) if best and best.image.digest else None,
    )


def _with_sizes(platforms: tuple[PlatformImage, ...], claims: Claims) -> tuple[PlatformImage, ...]:
    """Return platforms with the sizes that another claim knows for the same digests."""
    sizes = {each.digest: each.size for claim in claims for each in claim.image.platforms if each.size is not None}
    sizes |= {claim.image.digest: claim.image.size for claim in claims if claim.image.digest and claim.image.size}
    return tuple(replace(each, size=sizes.get(each.digest)) for each in platforms)


def owner_of_merged_response(
    requested: Requested, exporters: Sequence[BuildExporter], evidence: BuildEvidence
) -> BuildExporter | None:
    """Return the one exporter that the merged response can belong to, or None if it can belong to several.

    Args:
        requested: the requested exporters.
        exporters: all exporters of the build.
        evidence: the evidence of the build.
    """
    owner = _only_image_exporter(requested, exporters, evidence)
    if owner is None and is_merged_index(evidence.metadata):
        return _first_pushed(exporters)
    return owner


def merged_image(exporter: RequestedExporter, evidence: BuildEvidence) -> Image:
    """Return the image that the merged response names.

    Args:
        exporter: the exporter that the response belongs to.
        evidence: the evidence of the build.
    """
    image = evidence.metadata.merged.image
    if evidence.resolved_by_tag and not is_proved(exporter, evidence):
        return Image(imageid=image.imageid)
    # Docker 20.10 writes an image ID as `containerimage.digest` and nothing beside it. It does so for an image that it
    # keeps; an image that was pushed or written to a file has a digest.
    alone = image.digest is not None and image.imageid is None and image.descriptor is None
    kept = not requests_push_by_buildx(exporter) and exporter.dest is None
    return Image(imageid=image.digest) if alone and kept else image


def _only_image_exporter(
    requested: Requested, exporters: Sequence[BuildExporter], evidence: BuildEvidence
) -> BuildExporter | None:
    candidates = [each for each in exporters if each.exporter.type not in FILE_TYPES]
    if len(candidates) != 1:
        return None
    record = evidence.record
    if record is not None and record.exporters:
        in_record = [each for each in record.exporters if each.type not in FILE_TYPES]
        # A bake evaluates its definition again for the build, and the outputs given to `inspect` may be others.
        is_same = len(in_record) == 1 and (
            not in_record[0].type or candidates[0].exporter.may_become(in_record[0].type)
        )
        return candidates[0] if is_same else None
    if requested.outputs_may_vary:
        return None
    # Without the record's list, buildx may have added a docker exporter for `load` beside a docker output.
    is_certain = requested.adds_docker or not requested.may_add_docker
    return candidates[0] if is_certain and len(record.images if record else ()) <= 1 else None


def _first_pushed(exporters: Sequence[BuildExporter]) -> BuildExporter | None:
    """Return the exporter whose index buildx merges from the images of several nodes, or None.

    buildx does so for the first image exporter that pushes (docker/buildx 0.38, build/build.go, pushNames). Under the
    names of any other exporter each node pushes its own image.
    """
    pushed = (
        each
        for each in exporters
        if each.exporter.type in {"image", "registry"} and requests_push_by_buildx(each.exporter)
    )
    return next(pushed, None)


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
    # buildx reports the digest of the config if the response names one, as it does for a single manifest, and otherwise
    # the digest (docker/buildx 0.36, commands/build.go, getImageID).
    if config := next((image.imageid for image in images if image.imageid), None):
        return config
    by_digest = any(descriptor.media_type in INDEX_TYPES for descriptor in descriptors)
    return digest if by_digest or any(claim.evidence == "response" for claim in claims) else None


def known_image_ids(evidence: BuildEvidence) -> dict[str, str]:
    """Return a map from the digest of each manifest in the evidence to the digest of its config."""
    images = [*(evidence.record.images.values() if evidence.record else ()), *evidence.artifacts.values()]
    return {
        each.digest: each.imageid
        for image in images
        for each in (image, *image.platforms)
        if each.digest and each.imageid
    }


def _is_in_containerd_store(requested: Requested, exporter: BuildExporter, evidence: BuildEvidence) -> bool:
    """Return whether an engine keeps the image in a store that identifies it by the digest of its manifest or index."""
    given = exporter.exporter
    if given.dest is not None or given.type in FILE_TYPES:
        return False
    loaded = _loaded(requested, exporter)
    if evidence.docker:
        # An exporter that stays a docker exporter in a Docker Engine writes a tar, whose path the record does not have.
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
