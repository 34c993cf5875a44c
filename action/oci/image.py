"""What a descriptor says of an image: its digest, its image ID, its platforms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import msgspec

from action.errors import EvidenceError
from action.oci.models import (
    CONFIG_TYPES,
    INDEX_TYPES,
    MANIFEST_TYPES,
    Descriptor,
    Index,
    Manifest,
    Platform,
)

Blobs = Callable[[str], bytes | None]
"""Gives the bytes of a blob by its digest, checked against it, or None."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class PlatformImage:
    """One platform's image in an exporter's result.

    Attributes:
        platform: as Docker writes it, such as `linux/arm64`; None where nothing says it.
        digest: the digest of its manifest.
        imageid: the digest of its config, or None where that is not known.
    """

    platform: str | None
    digest: str
    imageid: str | None


@dataclass(frozen=True)
class Image:
    """What one source says an exporter made.

    Attributes:
        digest: the digest of its manifest or index, or None.
        imageid: the digest of its config, or None if it is an index or this source does not say it.
        descriptor: the descriptor of the manifest or index, or None.
        platforms: its images, attestation manifests left out.
    """

    digest: str | None = None
    imageid: str | None = None
    descriptor: Descriptor | None = None
    platforms: tuple[PlatformImage, ...] = field(default=())


def describe(descriptor: Descriptor, blobs: Blobs) -> Image:
    """Say what a descriptor points to.

    Args:
        descriptor: a descriptor of a manifest, an index, an image config, or something else.
        blobs: where blobs are read.

    Returns:
        The image. A descriptor of a config gives the image ID and no digest.

    Raises:
        EvidenceError: a blob is not what its media type says.
    """
    if descriptor.media_type in CONFIG_TYPES:
        return Image(imageid=descriptor.digest)
    if descriptor.media_type in INDEX_TYPES:
        return _describe_index(descriptor, blobs)
    if descriptor.media_type in MANIFEST_TYPES:
        image = _platform_image(descriptor, blobs)
        platforms = () if image.platform is None else (image,)
        return Image(descriptor.digest, image.imageid, descriptor, platforms)
    return Image(descriptor.digest, None, descriptor)


def with_known_imageids(image: Image, known: Mapping[str, str]) -> Image:
    """Fill in digests of configs that another source knows.

    Args:
        image: an image.
        known: digest of a manifest to the digest of its config. Both are hashes of the manifest's own bytes, so it does
            not matter whose exporter it was learned from.
    """
    platforms = tuple(replace(each, imageid=each.imageid or known.get(each.digest)) for each in image.platforms)
    imageid = image.imageid or (known.get(image.digest) if image.digest else None)
    return replace(image, imageid=imageid, platforms=platforms)


def parse(kind: type[_T], data: bytes, source: str) -> _T:
    """Parse a JSON blob.

    Args:
        kind: what it must be.
        data: the blob.
        source: what to call it in errors.

    Raises:
        EvidenceError: it is no JSON, or has another form.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"{source}: {error}"
        raise EvidenceError(message) from None


def _describe_index(descriptor: Descriptor, blobs: Blobs) -> Image:
    data = blobs(descriptor.digest)
    if data is None:
        return Image(descriptor.digest, None, descriptor)
    entries = [entry for entry in parse(Index, data, descriptor.digest).manifests if not entry.is_attestation]
    platforms = tuple(_platform_image(entry, blobs) for entry in entries)
    return Image(descriptor.digest, None, descriptor, platforms)


def _platform_image(descriptor: Descriptor, blobs: Blobs) -> PlatformImage:
    platform = str(descriptor.platform) if descriptor.platform else None
    data = blobs(descriptor.digest) if descriptor.media_type in MANIFEST_TYPES else None
    if data is None:
        return PlatformImage(platform or None, descriptor.digest, None)
    config = parse(Manifest, data, descriptor.digest).config
    if not platform and config.media_type in CONFIG_TYPES and (config_data := blobs(config.digest)) is not None:
        platform = str(parse(Platform, config_data, config.digest))
    imageid = config.digest if config.media_type in CONFIG_TYPES else None
    return PlatformImage(platform or None, descriptor.digest, imageid)
