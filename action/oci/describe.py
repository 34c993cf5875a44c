"""From an image's descriptor to its digest, its image ID and its platforms."""

from __future__ import annotations

from collections.abc import Callable

from action.oci.image import CONFIG_TYPES, INDEX_TYPES, MANIFEST_TYPES, Image, PlatformImage
from action.oci.models import Descriptor, Index, Manifest, Platform, parse

Blobs = Callable[[str], bytes | None]
"""Returns the bytes of a blob by its digest, checked against it, or None if the blob is not available."""


def describe(descriptor: Descriptor, blobs: Blobs) -> Image:
    """Describe the image that a descriptor points to.

    Args:
        descriptor: a descriptor of a manifest, an index, an image config, or something else.
        blobs: returns the blobs that the descriptor names.

    Returns:
        The image. A descriptor of a config gives the image ID and no digest.

    Raises:
        EvidenceError: a blob does not have the form of its media type.
    """
    if descriptor.media_type in CONFIG_TYPES:
        return Image(imageid=descriptor.digest)
    if descriptor.media_type in INDEX_TYPES:
        return _describe_index(descriptor, blobs)
    if descriptor.media_type in MANIFEST_TYPES:
        image = _platform_image(descriptor, blobs)
        platforms = () if image.platform is None else (image,)
        return Image(descriptor.digest, image.imageid, descriptor.plain, platforms)
    return Image(descriptor.digest, None, descriptor.plain)


def _describe_index(descriptor: Descriptor, blobs: Blobs) -> Image:
    data = blobs(descriptor.digest)
    if data is None:
        return Image(descriptor.digest, None, descriptor.plain)
    entries = [entry for entry in parse(Index, data, descriptor.digest).manifests if not entry.is_attestation]
    platforms = tuple(_platform_image(entry, blobs) for entry in entries)
    return Image(descriptor.digest, None, descriptor.plain, platforms)


def _platform_image(descriptor: Descriptor, blobs: Blobs) -> PlatformImage:
    platform = str(descriptor.platform) if descriptor.platform else None
    data = blobs(descriptor.digest) if descriptor.media_type in MANIFEST_TYPES else None
    if data is None:
        return PlatformImage(platform or None, descriptor.digest, None)
    # A manifest does not name its platform: an index does in the entry for it, or else the config.
    config = parse(Manifest, data, descriptor.digest).config
    if not platform and config.media_type in CONFIG_TYPES and (config_data := blobs(config.digest)) is not None:
        platform = str(parse(Platform, config_data, config.digest))
    # The config of an artifact that is not an image, such as a Helm chart, has another type and is not an image ID.
    imageid = config.digest if config.media_type in CONFIG_TYPES else None
    return PlatformImage(platform or None, descriptor.digest, imageid)
