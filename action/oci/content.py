"""Reads what an image contains: config and layers of each platform, and attestations.

How an index attaches attestations to its platforms:
https://github.com/moby/buildkit/blob/v0.34.2/docs/attestations/attestation-storage.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from action.dataclass import dataclass
from action.errors import EvidenceError
from action.oci.comparison import Layer, PlatformContent
from action.oci.image import CONFIG_TYPES, INDEX_TYPES, normal_platform
from action.oci.layout import MAX_LONG_BYTES
from action.oci.models import Blobs, Descriptor, Digest, Document, Items, OciModel, Platform, document_bytes, parse

MAX_PLATFORMS = 200
"""Maximum number of images in an index: each is read by a request of its own."""

# An instruction can be a whole script.
_MAX_INSTRUCTION = 200


class _RootFilesystem(OciModel):
    diff_ids: Items[Digest] | None = None


class _Instruction(OciModel):
    created_by: str = ""
    empty_layer: bool = False


class _Config(Platform):
    rootfs: _RootFilesystem = _RootFilesystem()
    history: Items[_Instruction] | None = None


def read_contents(digest: str, blobs: Blobs, source: str) -> dict[str | None, PlatformContent]:
    """Return the image of each platform of a manifest or an index: platform to image, without attestations.

    Args:
        digest: the digest of the manifest or index.
        blobs: returns manifests and configs by their digest; for a config also what buildx prints of it.
        source: the name of the image in errors.

    Raises:
        EvidenceError: a blob is missing or damaged, or it is not a container image.
    """
    document = _document(digest, blobs, source)
    if document.manifests is None:
        return dict([_content(document, blobs, source)])
    if len(document.manifests) > 2 * MAX_PLATFORMS:
        # Each image can have an attestation.
        raise EvidenceError(
            f"{source}: it has {len(document.manifests)} manifests, more than the limit of {2 * MAX_PLATFORMS}"
        )
    found: dict[str | None, PlatformContent] = {}
    for entry in document.manifests:
        if entry.is_attestation:
            continue
        if entry.media_type in INDEX_TYPES:
            raise EvidenceError(f"{source}: it is an index of indexes")
        own, content = _content(_document(entry.digest, blobs, source), blobs, source)
        # A container runtime chooses by the platform in the index.
        name = _name(entry.platform) if entry.platform else own
        if name in found:
            name = f"{name or 'unknown'} (entry {len(found)})"
        found[name] = content
    if not found:
        raise EvidenceError(f"{source}: it has no image for any platform")
    return found


def _document(digest: str, blobs: Blobs, source: str, *, missing: str = "") -> Document:
    return parse(Document, document_bytes(digest, blobs, source, missing=missing), f"{source}: {digest}")


def _content(manifest: Document, blobs: Blobs, source: str) -> tuple[str | None, PlatformContent]:
    described = manifest.config
    if described is None or described.media_type not in CONFIG_TYPES:
        raise EvidenceError(f"{source}: it is not a container image")
    data = document_bytes(described.digest, blobs, source)
    config = parse(_Config, data, f"{source}: {described.digest}")
    layers = _layers(manifest.layers or (), config)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        # Python reads no number of more than 4300 digits, which the model above ignores.
        raise EvidenceError(f"{source}: {described.digest}: expected JSON: {error}") from None
    # What buildx prints of a config is not the bytes that the digest names.
    printed = hashlib.sha256(data).hexdigest() != described.digest.partition(":")[2]
    return _name(config), PlatformContent(value, described.size, layers, printed)


def _layers(descriptors: Sequence[Descriptor], config: _Config) -> tuple[Layer, ...]:
    count = len(descriptors)
    diff_ids = config.rootfs.diff_ids or ()
    # An instruction can be a whole script, and step outputs are limited to 1 MB.
    made_by = [_shortened(each.created_by) for each in config.history or () if not each.empty_layer]
    # Lists of other lengths belong to other layers.
    return tuple(
        Layer(
            descriptor.digest,
            descriptor.size,
            diff_ids[place] if len(diff_ids) == count else None,
            made_by[place] if len(made_by) == count else "",
        )
        for place, descriptor in enumerate(descriptors)
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_INSTRUCTION else text[: _MAX_INSTRUCTION - 1] + "…"


def _name(platform: Platform) -> str | None:
    """Return the normal name of a platform, with the version of Windows that an image is for."""
    name = normal_platform(str(platform))
    return f"{name} ({platform.os_version})" if name and platform.os_version else name


MAX_STATEMENTS = 1000
"""Maximum number of statements of one image."""

MISSING = (
    "BuildKit keeps little of an image that it has only pushed: add an output type=oci with dest, whose file contains "
    "the whole image"
)
"""What an error adds about a blob that neither BuildKit nor a file of the build has."""

_STATEMENT = "application/vnd.in-toto+json"
_SUBJECT = "vnd.docker.reference.digest"
_PREDICATE = "in-toto.io/predicate-type"


@dataclass(frozen=True)
class Statement:
    """An in-toto statement about the image of one platform.

    Attributes:
        platform: the platform in its normal form, or None if it is unknown.
        subject: the digest of the platform's manifest.
        kind: `provenance`, `sbom` or `other`.
        digest: the digest of its bytes.
        size: the number of its bytes.
    """

    platform: str | None
    subject: str
    kind: str
    digest: str
    size: int


def find_statements(digest: str, blobs: Blobs, source: str) -> list[Statement]:
    """Return the statements that an index attaches to its platforms, in its order; a manifest has none.

    Args:
        digest: the digest of the index or manifest.
        blobs: returns indexes and manifests by their digest.
        source: the name of the image in errors.

    Raises:
        EvidenceError: an index or manifest is missing or malformed, or there are too many statements.
    """
    entries = _document(digest, blobs, source, missing=MISSING).manifests or ()
    platforms = {entry.digest: normal_platform(str(entry.platform)) for entry in entries if entry.platform}
    found: list[Statement] = []
    for entry in entries:
        if not entry.is_attestation:
            continue
        subject = (entry.annotations or {}).get(_SUBJECT, "")
        manifest = _document(entry.digest, blobs, source, missing=MISSING)
        layers = (layer for layer in manifest.layers or () if layer.media_type == _STATEMENT)
        found += [_statement(layer, subject, platforms.get(subject)) for layer in layers]
        if len(found) > MAX_STATEMENTS:
            raise EvidenceError(f"{source}: it has more than the limit of {MAX_STATEMENTS} attestations")
    return found


def check_size(statement: Statement, source: str) -> None:
    """Check that a statement is short enough to be read.

    Args:
        statement: the statement, as the manifest describes it.
        source: the name of the image in errors.

    Raises:
        EvidenceError: it is too long.
    """
    if statement.size > MAX_LONG_BYTES:
        raise EvidenceError(
            f"{source}: the attestation {statement.digest} has {statement.size} bytes, more than the "
            f"limit of {MAX_LONG_BYTES}"
        )


def _statement(layer: Descriptor, subject: str, platform: str | None) -> Statement:
    predicate = str((layer.annotations or {}).get(_PREDICATE, ""))
    is_sbom = predicate.startswith(("https://spdx.dev/", "https://cyclonedx.org/"))
    is_provenance = predicate.startswith("https://slsa.dev/provenance/")
    kind = "sbom" if is_sbom else "provenance" if is_provenance else "other"
    return Statement(platform, subject, kind, layer.digest, layer.size)
