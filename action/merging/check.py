"""Whether what a registry serves is what was to be joined, neither more nor less."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from action.errors import BuildDigestsError, MergeError
from action.merging.plan import Join, Source, conflict, unexpected
from action.oci.image import parse
from action.oci.models import CONFIG_TYPES, INDEX_TYPES, Descriptor, Document
from action.oci.platforms import normal_platform


@dataclass(frozen=True)
class Joined:
    """A joined image, before it is pushed.

    Attributes:
        descriptor: its descriptor.
        platforms: the descriptors of its images with their platforms in normal form, attestation manifests left out.
    """

    descriptor: Descriptor
    platforms: tuple[tuple[str | None, Descriptor], ...]


def check_joined(
    join: Join,
    served: Mapping[str, bytes],
    data: bytes,
    expect_platforms: Sequence[str],
    annotations: Sequence[str],
) -> tuple[Joined, tuple[BuildDigestsError, ...]]:
    """Check the index that buildx makes of the sources.

    Args:
        join: what was to be joined.
        served: digest of each source to what the registry serves for it, checked against it.
        data: the index.
        expect_platforms: the platforms that it must have, in normal form; empty for any.
        annotations: the annotations that it must have, each with its level.

    Returns:
        The joined image, and everything that speaks against pushing it.

    Raises:
        EvidenceError: the index or a source is none.
    """
    document = parse(Document, data, f"the index of exporter {join.key}")
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    media_type = document.media_type or "application/vnd.oci.image.index.v1+json"
    descriptor = Descriptor(media_type=media_type, digest=digest, size=len(data))
    owners = {entry: source for source in join.sources for entry in _digests(source.digest, served[source.digest])}
    entries = document.manifests if media_type in INDEX_TYPES else (descriptor,)
    errors: list[BuildDigestsError] = list(_kept(join, owners, entries or ()))
    images = [(_platform(entry, join), entry) for entry in entries or () if not entry.is_attestation]
    errors += _twice(join, owners, images)
    if expect_platforms:
        files = {
            platform: owners[entry.digest].file for platform, entry in images if platform and entry.digest in owners
        }
        errors += unexpected(join, files, expect_platforms)
    errors += _annotated(join, document, annotations)
    return Joined(descriptor, tuple(images)), tuple(errors)


def image_id(data: bytes, digest: str) -> str | None:
    """The digest of the config that a manifest names; None where that is no image's."""
    config = parse(Document, data, digest).config
    return config.digest if config is not None and config.media_type in CONFIG_TYPES else None


def _digests(digest: str, data: bytes) -> tuple[str, ...]:
    """The digests that a source puts into the index: those in it, or its own."""
    document = parse(Document, data, digest)
    if document.manifests is None:
        return (digest,)
    return tuple(entry.digest for entry in document.manifests)


def _kept(join: Join, owners: Mapping[str, Source], entries: Sequence[Descriptor]) -> Iterator[MergeError]:
    present = {entry.digest for entry in entries}
    for digest, source in owners.items():
        if digest not in present:
            yield MergeError(
                f"exporter {join.key}: {source.file} has the manifest {digest}, and buildx leaves it out of the index: "
                "please report this"
            )
    for digest in present - owners.keys():
        yield MergeError(
            f"exporter {join.key}: buildx puts the manifest {digest} into the index, which no results file has: the "
            "registry does not serve the same thing twice"
        )


def _platform(entry: Descriptor, join: Join) -> str | None:
    if entry.platform is not None and str(entry.platform):
        return normal_platform(str(entry.platform)) or str(entry.platform)
    known = {digest: platform for source in join.sources for platform, digest in source.platforms.items()}
    return known.get(entry.digest)


def _twice(
    join: Join, owners: Mapping[str, Source], images: Sequence[tuple[str | None, Descriptor]]
) -> Iterator[MergeError]:
    first: dict[tuple[str, str], Descriptor] = {}
    for platform, entry in images:
        if platform is None or entry.digest not in owners:
            continue
        version = entry.platform.os_version if entry.platform else ""
        other = first.setdefault((platform, version), entry)
        if other.digest != entry.digest:
            one, another = owners[other.digest], owners[entry.digest]
            yield conflict(join.key, platform, (one.file, other.digest), (another.file, entry.digest))


def _annotated(join: Join, document: Document, annotations: Sequence[str]) -> Iterator[MergeError]:
    there = document.annotations or {}
    for annotation in annotations:
        levels, _, rest = annotation.partition(":")
        key, _, value = rest.partition("=")
        if "index" in levels.split(",") and there.get(key) != value and not _later(key, annotation, annotations):
            yield MergeError(
                f"exporter {join.key}: the index has no annotation {key}={value}, since Docker's own media types hold "
                "none: build with oci-mediatypes=true, or leave annotations out"
            )


def _later(key: str, annotation: str, annotations: Sequence[str]) -> bool:
    """Whether a later annotation of the same key takes the place of one."""
    later = annotations[annotations.index(annotation) + 1 :]
    return any(each.partition(":")[2].partition("=")[0] == key for each in later)
