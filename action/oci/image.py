"""Images as plain data: digest, image ID, platforms, and the media types of manifests and indexes.

Only the standard library is imported here, so that digests can be attributed without any installed package. The
documents that images are read from are in `action.oci.models`. Platforms are compared in their normal form:
`linux/arm64/v8` and `linux/aarch64` are `linux/arm64`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from action.dataclass import dataclass, field, replace

DIGEST_PATTERN = r"^(?:sha256:[0-9a-f]{64}|(?!sha256:)[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-zA-Z=_-]+)\Z"
"""A digest: algorithm and encoded hash; of SHA-256 it is 64 lower-case hexadecimal digits."""

MAX_DIGEST_LENGTH = 256
"""Longest digest, in characters; one by SHA-512 has 135."""

CONFIG_TYPES = frozenset(
    ("application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"),
)
"""Media types of an image's config. A descriptor of one of these holds the image ID and no digest."""

INDEX_TYPES = frozenset(
    ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"),
)
"""Media types of an index."""

MANIFEST_TYPES = frozenset(
    ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"),
)
"""Media types of a manifest of one image."""


@dataclass(frozen=True)
class ManifestDescriptor:
    """The descriptor of the manifest or index of an image.

    Attributes:
        media_type: the media type, such as `application/vnd.oci.image.index.v1+json`.
        digest: the digest.
        size: the size of the manifest or index itself, in bytes.
    """

    media_type: str
    digest: str
    size: int


@dataclass(frozen=True)
class PlatformImage:
    """One platform's image in an exporter's result.

    Attributes:
        platform: the platform as Docker writes it, such as `linux/arm64`; None if it is unknown.
        digest: the digest of its manifest.
        imageid: the digest of its config, or None if it is unknown.
        size: the size of its config and its layers, as a registry keeps them, in bytes; None if it is unknown.
    """

    platform: str | None
    digest: str
    imageid: str | None
    size: int | None = None


@dataclass(frozen=True)
class Image:
    """The image that an exporter made, as one source describes it.

    Attributes:
        digest: the digest of its manifest or index, or None.
        imageid: the digest of its config, or None if the image is an index or the source does not name the config.
        descriptor: the descriptor of the manifest or index, or None.
        platforms: the images for each platform, without attestation manifests.
        size: the size of the configs and layers of all platforms, in bytes; None if it is unknown.
    """

    digest: str | None = None
    imageid: str | None = None
    descriptor: ManifestDescriptor | None = None
    platforms: tuple[PlatformImage, ...] = field(default=())
    size: int | None = None


def with_known_imageids(image: Image, known: Mapping[str, str]) -> Image:
    """Return an image with image IDs filled in that another source knows.

    Args:
        image: an image.
        known: the digest of a manifest to the digest of its config. Both are hashes of the manifest's own bytes, so it
            does not matter which exporter it was read from.
    """
    platforms = tuple(replace(each, imageid=each.imageid or known.get(each.digest)) for each in image.platforms)
    imageid = image.imageid or (known.get(image.digest) if image.digest else None)
    return replace(image, imageid=imageid, platforms=platforms)


def total_size(platforms: Sequence[PlatformImage]) -> int | None:
    """Return the size of the images of all platforms, in bytes, or None if one is unknown or there are none."""
    sizes = [each.size for each in platforms]
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None


_FORM = re.compile(r"[a-z0-9_-]+/[a-z0-9_-]+(?:/[a-z0-9_.-]+)?")
_ARCHITECTURE = {
    "i386": "386",
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
}
_VARIANT = {"i386": "", "armhf": "v7", "armel": "v6"}
_VARIANTS = {
    "amd64": {"v1": ""},
    "arm64": {"8": "", "v8": "", "v8.0": "", "9": "v9", "9.0": "v9", "v9.0": "v9"},
    "arm": {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"},
}


def normal_platform(text: str) -> str | None:
    """Return the normal form of a platform, or None if the text is not a platform.

    The rules are those of github.com/containerd/platforms (v1.0, database.go): other names of architectures are
    replaced, and the default variant of an architecture is left out.
    """
    platform = text.strip().lower()
    if not _FORM.fullmatch(platform):
        return None
    system, given, *rest = platform.split("/")
    variant = _VARIANT.get(given, rest[0] if rest else "")
    architecture = _ARCHITECTURE.get(given, given)
    variant = _VARIANTS.get(architecture, {}).get(variant, variant)
    return "/".join(part for part in ("darwin" if system == "macos" else system, architecture, variant) if part)
