"""Models of OCI descriptors, manifests and indexes, with the members that digests need.

The members and their meaning are those of
https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md, manifest.md and image-index.md. Unknown members
are ignored.

Example:
    index = parse(Index, data, "registry.example/app:1")
    digests = [entry.digest for entry in index.manifests if not entry.is_attestation]
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from action.errors import EvidenceError
from action.oci.image import (
    CONFIG_TYPES,
    DIGEST_PATTERN,
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_DIGEST_LENGTH,
    Image,
    ManifestDescriptor,
    PlatformImage,
    total_size,
)
from action.oci.layout import MAX_JSON_BYTES

_DIGEST = re.compile(DIGEST_PATTERN)

_EXPECTED = {
    "bool_type": "expected true or false",
    "dict_type": "expected an object",
    "int_parsing_size": "expected a whole number of at most 4300 digits",
    "int_type": "expected a whole number",
    "list_type": "expected a list",
    "model_attributes_type": "expected an object",
    "model_type": "expected an object",
    "string_type": "expected a string",
    "tuple_type": "expected a list",
}
"""Pydantic's types of errors to what a document has to have in that place."""


def _digest(text: str) -> str:
    if len(text) > MAX_DIGEST_LENGTH or not _DIGEST.match(text):
        raise PydanticCustomError(
            "digest",
            "expected a digest: algorithm, colon, encoded hash; for sha256 64 lower-case hexadecimal digits",
        )
    return text


def _texts(values: dict[str, Any]) -> dict[str, str]:
    if not all(isinstance(value, str) for value in values.values()):
        raise PydanticCustomError("texts", "expected an object of strings")
    return values


# Not `Field(pattern=...)`: pydantic's own regular expressions have no look-ahead, which DIGEST_PATTERN needs.
Digest = Annotated[str, AfterValidator(_digest)]
"""A digest."""

# Not `dict[str, str]`: pydantic collects an error for each value, a gigabyte of them from a file of 16 MiB.
Texts = Annotated[dict[str, Any], AfterValidator(_texts)]
"""An object of texts."""

_T = TypeVar("_T")

# A model in strict mode takes no list for a tuple, except from JSON. `fail_fast` is there for the reason of `Texts`.
Items = Annotated[tuple[_T, ...], Field(strict=False, fail_fast=True)]
"""A list of one kind of item."""


class OciModel(BaseModel):
    """Base of the models: immutable, without conversions such as from `1.0` or `true` to `1`."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class DeferredModel(OciModel):
    """Base of the models that few runs use: pydantic takes a millisecond for each when it is first used."""

    model_config = ConfigDict(defer_build=True)


class Platform(OciModel):
    """A platform of an index's entry or of an image's config; an image for Windows is for one version of it."""

    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = Field(default="", alias="os.version")

    def __str__(self) -> str:
        """Return the platform as Docker writes it: `linux/arm/v7`."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(OciModel):
    """A reference to a blob by its digest; `size` is in bytes."""

    media_type: str = Field(alias="mediaType")
    digest: Digest
    size: int = Field(ge=0)
    platform: Platform | None = None
    annotations: Texts | None = None

    @property
    def is_attestation(self) -> bool:
        """Whether it is an attestation manifest in an index (BuildKit, docs/attestations/attestation-storage.md)."""
        return (self.annotations or {}).get("vnd.docker.reference.type") == "attestation-manifest"

    @property
    def plain(self) -> ManifestDescriptor:
        """Its media type, digest and size as plain data."""
        return ManifestDescriptor(self.media_type, self.digest, self.size)


class Manifest(OciModel):
    """A manifest of one image: its config and its layers; BuildKit writes null for an image without any."""

    config: Descriptor
    layers: Items[Descriptor] | None = None

    @property
    def content_size(self) -> int:
        """The size of config and layers, as a registry keeps them, in bytes."""
        return self.config.size + sum(layer.size for layer in self.layers or ())


class Index(OciModel):
    """An index: the manifests of an image for several platforms, or of several images."""

    manifests: Items[Descriptor]


class Document(OciModel):
    """What a registry serves for a reference: an index has manifests, a manifest has a config and layers."""

    media_type: str = Field(default="", alias="mediaType")
    manifests: Items[Descriptor] | None = None
    config: Descriptor | None = None
    layers: Items[Descriptor] | None = None
    annotations: Texts | None = None


_Model = TypeVar("_Model", bound=BaseModel)


def parse(model: type[_Model], data: bytes, source: str) -> _Model:
    """Parse a JSON document and validate it.

    The caller bounds the length of `data`: pydantic reads a document as a whole.

    Args:
        model: the model of the document.
        data: the document's bytes.
        source: the name of the document in errors.

    Raises:
        EvidenceError: the document is not JSON, or does not have the form of the model.
    """
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise _evidence_error(error, source) from None


def validate(model: type[_Model], value: object, source: str) -> _Model:
    """Validate a part of a document that is parsed already; arguments and errors are those of `parse`."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _evidence_error(error, source) from None


def _evidence_error(error: ValidationError, source: str) -> EvidenceError:
    place, problem = first_problem(error)
    return EvidenceError(f"{source}: at {place}: {problem}" if place else f"{source}: {problem}")


def first_problem(error: ValidationError) -> tuple[str, str]:
    """Return the place and the text of the first problem that pydantic found in a document.

    Returns:
        The JSON pointer to the place, empty for the whole document, and what was expected there.
    """
    # The value itself is left out of the text: it can have megabytes.
    first = error.errors(include_url=False, include_input=False)[0]
    path, kind, text = list(first["loc"]), first["type"], first["msg"]
    if kind == "missing":
        text = f"expected the member {path.pop()}"
    elif kind == "json_invalid":
        text = f"expected JSON: {text.removeprefix('Invalid JSON: ')}"
    elif kind == "greater_than_equal":
        text = f"expected at least {first['ctx']['ge']}"
    elif kind == "too_long":
        text = f"expected at most {first['ctx']['max_length']} items"
    elif kind == "less_than_equal":
        text = f"expected at most {first['ctx']['le']}"
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return pointer, _EXPECTED.get(kind, text)


Blobs = Callable[[str], bytes | None]
"""Returns the bytes of a blob by its digest, checked against it, or None if the blob is not available."""


def document_bytes(digest: str, blobs: Blobs, source: str, *, missing: str = "") -> bytes:
    """Return the bytes of a manifest, an index or a config.

    Args:
        digest: its digest.
        blobs: returns blobs by their digest.
        source: the name of the image in errors.
        missing: what to do if it is missing, for the error.

    Raises:
        EvidenceError: it is missing, or longer than MAX_JSON_BYTES.
    """
    data = blobs(digest)
    if data is None:
        raise EvidenceError(f"{source}: {digest} is missing" + (f"; {missing}" if missing else ""))
    if len(data) > MAX_JSON_BYTES:
        raise EvidenceError(f"{source}: {digest} has {len(data)} bytes, more than the limit of {MAX_JSON_BYTES}")
    return data


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
        return Image(descriptor.digest, image.imageid, descriptor.plain, platforms, image.size)
    # Not an image, such as a Helm chart: the digest is known, and nothing else.
    return Image(descriptor.digest, None, descriptor.plain)


def _describe_index(descriptor: Descriptor, blobs: Blobs) -> Image:
    data = blobs(descriptor.digest)
    if data is None:
        return Image(descriptor.digest, None, descriptor.plain)
    entries = [entry for entry in parse(Index, data, descriptor.digest).manifests if not entry.is_attestation]
    platforms = tuple(_platform_image(entry, blobs) for entry in entries)
    return Image(descriptor.digest, None, descriptor.plain, platforms, total_size(platforms))


def _platform_image(descriptor: Descriptor, blobs: Blobs) -> PlatformImage:
    platform = str(descriptor.platform) if descriptor.platform else None
    data = blobs(descriptor.digest) if descriptor.media_type in MANIFEST_TYPES else None
    if data is None:
        return PlatformImage(platform or None, descriptor.digest, None)
    # A manifest does not name its platform: an index does in the entry for it, or else the config.
    manifest = parse(Manifest, data, descriptor.digest)
    config = manifest.config
    if not platform and config.media_type in CONFIG_TYPES and (config_data := blobs(config.digest)) is not None:
        platform = str(parse(Platform, config_data, config.digest))
    # The config of an artifact that is not an image, such as a Helm chart, has another type and is not an image ID.
    imageid = config.digest if config.media_type in CONFIG_TYPES else None
    return PlatformImage(platform or None, descriptor.digest, imageid, manifest.content_size)
