"""OCI descriptors, manifests and indexes, as far as digests need them.

https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md, manifest.md, image-index.md
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

DIGEST_PATTERN = r"^(?:sha256:[0-9a-f]{64}|(?!sha256:)[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-zA-Z=_-]+)\Z"
"""A digest: algorithm and encoded hash; of SHA-256 it is 64 lower-case hexadecimal digits."""

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

Digest = Annotated[str, Meta(pattern=DIGEST_PATTERN, max_length=256)]


class Platform(Struct, frozen=True, rename={"os_version": "os.version"}):
    """A platform, of an index's entry or of an image's config; Windows has images for several versions of itself."""

    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        """The platform as Docker writes it: `linux/arm/v7`."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(Struct, frozen=True, rename={"media_type": "mediaType"}):
    """What points to a blob; `size` in bytes."""

    media_type: str
    digest: Digest
    size: Annotated[int, Meta(ge=0)]
    platform: Platform | None = None
    annotations: dict[str, str] | None = None

    @property
    def is_attestation(self) -> bool:
        """Whether it is an attestation manifest in an index (BuildKit, docs/attestations/attestation-storage.md)."""
        return (self.annotations or {}).get("vnd.docker.reference.type") == "attestation-manifest"


class Manifest(Struct, frozen=True):
    """A manifest of one image: its config and its layers; BuildKit writes null for an image without any."""

    config: Descriptor
    layers: tuple[Descriptor, ...] | None = None


class Index(Struct, frozen=True):
    """An index: its manifests."""

    manifests: tuple[Descriptor, ...]


class Document(Struct, frozen=True, rename={"media_type": "mediaType"}):
    """What a registry serves for a reference: an index has manifests, a manifest has a config and layers."""

    media_type: str = ""
    manifests: tuple[Descriptor, ...] | None = None
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] | None = None
    annotations: dict[str, str] | None = None
