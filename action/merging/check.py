"""Check that a merged image contains exactly the jobs' images, and describe it as results and as a metadata file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence

from action.dataclass import dataclass
from action.errors import BuildDigestsError, MergeError
from action.exporters.attributed import AttributedBuild, AttributedExporter
from action.merging.plan import PlannedImage, Source, conflict, unexpected
from action.oci.image import CONFIG_TYPES, ManifestDescriptor, PlatformImage, normal_platform, total_size
from action.oci.models import Descriptor, Document, parse


@dataclass(frozen=True)
class MergedImage:
    """A merged image that was checked and is not pushed yet.

    Attributes:
        descriptor: the descriptor of its index; of a promoted image, of its index or manifest.
        platforms: pairs of a platform in normal form and the descriptor of its image, without attestation manifests.
    """

    descriptor: Descriptor
    platforms: tuple[tuple[str | None, Descriptor], ...]


def check_merged(
    planned: PlannedImage,
    served: Mapping[str, bytes],
    data: bytes,
    expect_platforms: Sequence[str],
    annotations: Sequence[str],
) -> tuple[MergedImage, tuple[BuildDigestsError, ...]]:
    """Check the index that buildx makes of the sources.

    Args:
        planned: the image that was planned.
        served: digest of each source to the manifest or index that the registry serves, already checked against it.
        data: the index.
        expect_platforms: the platforms that it must have, in normal form; empty for any.
        annotations: the annotations that it must have, each with its level, such as `index:key=value`.

    Returns:
        The merged image; and the errors, because of which it must not be pushed.

    Raises:
        EvidenceError: the index or a source is not an OCI index or manifest.
    """
    document = parse(Document, data, f"the index of exporter {planned.key}")
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    # The OCI specification recommends an index to name its media type, and does not require it.
    media_type = document.media_type or "application/vnd.oci.image.index.v1+json"
    descriptor = Descriptor(mediaType=media_type, digest=digest, size=len(data))
    owners = {entry: source for source in planned.sources for entry in _digests(source.digest, served[source.digest])}
    # buildx makes an index of a single manifest too, unless it is called with `--prefer-index=false`
    # (util/imagetools/create.go, from 0.8 to 0.36).
    entries = document.manifests or ()
    errors: list[BuildDigestsError] = list(_differences(planned, owners, entries))
    images = [(_platform(entry, planned), entry) for entry in entries if not entry.is_attestation]
    errors += _duplicates(planned, owners, images)
    if expect_platforms:
        files = {
            platform: owners[entry.digest].file for platform, entry in images if platform and entry.digest in owners
        }
        errors += unexpected(planned, files, expect_platforms)
    errors += _missing_annotations(planned, document, annotations)
    return MergedImage(descriptor, tuple(images)), tuple(errors)


def platform_image(platform: str | None, digest: str, data: bytes) -> PlatformImage:
    """Return the image of one platform.

    Args:
        platform: the platform, or None if it is not known.
        digest: the digest of its manifest.
        data: the manifest.

    Raises:
        EvidenceError: the data is not a manifest.
    """
    document = parse(Document, data, digest)
    config = document.config
    # The config of an artifact that is not an image has another type and is not an image ID.
    imageid = config.digest if config is not None and config.media_type in CONFIG_TYPES else None
    size = None if config is None else config.size + sum(layer.size for layer in document.layers or ())
    return PlatformImage(platform, digest, imageid, size)


def _digests(digest: str, data: bytes) -> tuple[str, ...]:
    """Return the digests that a source adds to the index: those of its manifests, or its own if it is a manifest."""
    document = parse(Document, data, digest)
    if document.manifests is None:
        return (digest,)
    return tuple(entry.digest for entry in document.manifests)


def _differences(
    planned: PlannedImage, owners: Mapping[str, Source], entries: Sequence[Descriptor]
) -> Iterator[MergeError]:
    present = {entry.digest for entry in entries}
    for digest, source in owners.items():
        if digest not in present:
            yield MergeError(
                f"exporter {planned.key}: {source.file} has the manifest {digest}, but the index that buildx makes "
                "does not contain it: please report this"
            )
    for digest in present - owners.keys():
        yield MergeError(
            f"exporter {planned.key}: the index that buildx makes contains the manifest {digest}, which is in no "
            "results file: the registry served different content the second time"
        )


def _platform(entry: Descriptor, planned: PlannedImage) -> str | None:
    if entry.platform is not None and str(entry.platform):
        return normal_platform(str(entry.platform)) or str(entry.platform)
    known = {digest: platform for source in planned.sources for platform, digest in source.platforms.items()}
    return known.get(entry.digest)


def _duplicates(
    planned: PlannedImage, owners: Mapping[str, Source], images: Sequence[tuple[str | None, Descriptor]]
) -> Iterator[MergeError]:
    first: dict[tuple[str, str], Descriptor] = {}
    for platform, entry in images:
        if platform is None or entry.digest not in owners:
            continue
        version = entry.platform.os_version if entry.platform else ""
        other = first.setdefault((platform, version), entry)
        if other.digest != entry.digest:
            one, another = owners[other.digest], owners[entry.digest]
            yield conflict(planned.key, platform, (one.file, other.digest), (another.file, entry.digest))


def _missing_annotations(planned: PlannedImage, document: Document, annotations: Sequence[str]) -> Iterator[MergeError]:
    present = document.annotations or {}
    for annotation in annotations:
        levels, _, rest = annotation.partition(":")
        key, _, value = rest.partition("=")
        if (
            "index" in levels.split(",")
            and present.get(key) != value
            and not _is_replaced(key, annotation, annotations)
        ):
            yield MergeError(
                f"exporter {planned.key}: the index has no annotation {key}={value}, because Docker's media types do "
                "not support annotations: build with oci-mediatypes=true, or leave annotations empty"
            )


def _is_replaced(key: str, annotation: str, annotations: Sequence[str]) -> bool:
    """Return whether a later annotation with the same key replaces this one, as buildx does."""
    later = annotations[annotations.index(annotation) + 1 :]
    return any(each.partition(":")[2].partition("=")[0] == key for each in later)


def exporter_result(
    planned: PlannedImage, merged: MergedImage | None, platforms: tuple[PlatformImage, ...]
) -> AttributedExporter:
    """Return the result of one merged image.

    Args:
        planned: the image that was planned.
        merged: the image that every repository serves, or None if one does not serve it.
        platforms: its platforms.
    """
    digest = merged.descriptor.digest if merged else None
    return AttributedExporter(
        key=planned.key,
        index=planned.exporter.index,
        id=planned.exporter.id,
        type="image",
        names=planned.names,
        push=True,
        dest=None,
        digest=digest,
        imageid=(platforms[0].imageid or digest) if len(platforms) == 1 else digest,
        descriptor=ManifestDescriptor(
            media_type=merged.descriptor.media_type, digest=merged.descriptor.digest, size=merged.descriptor.size
        )
        if merged
        else None,
        platforms=platforms if merged else (),
        evidence="response" if merged else None,
        size=total_size(platforms) if merged else None,
    )


def metadata_text(build: AttributedBuild) -> str:
    """Return the merged images in the form of buildx's metadata file: JSON text, empty if there is no image.

    As in BuildKit's own files, the response of the first image is at the top, and `exporter.responses` has one for each
    image.
    """
    responses = [
        (
            exporter,
            {
                "containerimage.descriptor": exporter.document()["descriptor"],
                "containerimage.digest": exporter.digest,
                "image.name": ",".join(exporter.names),
            },
        )
        for exporter in build.exporters
        if exporter.digest
    ]
    if not responses:
        return ""
    listed = [
        {**({"id": exporter.id} if exporter.id else {}), "type": exporter.type, "data": response}
        for exporter, response in responses
    ]
    return json.dumps({**responses[0][1], "exporter.responses": listed}, indent=2)
