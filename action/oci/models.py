"""OCI descriptors, manifests and indexes, as far as digests need them.

https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md, manifest.md, image-index.md
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

DIGEST_PATTERN = r"^(?:sha256:[0-9a-f]{64}|(?!sha256:)[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-zA-Z=_-]+)$"
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

Digest = Annotated[str, StringConstraints(pattern=DIGEST_PATTERN, max_length=256)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", regex_engine="python-re")


class Platform(_Model):
    """A platform of an index's entry."""

    os: str = ""
    architecture: str = ""
    variant: str = ""

    def __str__(self) -> str:
        """The platform as Docker writes it: `linux/arm/v7`."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(_Model):
    """What points to a blob. BuildKit's records write `media_type` where OCI writes `mediaType`."""

    media_type: str = Field(validation_alias=AliasChoices("mediaType", "media_type"), serialization_alias="mediaType")
    digest: Digest
    size: int = Field(ge=0)
    platform: Platform | None = None
    annotations: dict[str, str] = Field(default_factory=dict)

    @property
    def is_attestation(self) -> bool:
        """Whether it is an attestation manifest in an index (BuildKit, docs/attestations/attestation-storage.md)."""
        return self.annotations.get("vnd.docker.reference.type") == "attestation-manifest"


class Manifest(_Model):
    """A manifest of one image: its config."""

    config: Descriptor
    layers: tuple[Descriptor, ...] = ()


class Index(_Model):
    """An index: its manifests."""

    manifests: tuple[Descriptor, ...]


class ImageConfig(_Model):
    """An image's config: the platform it is for."""

    os: str = ""
    architecture: str = ""
    variant: str = ""
