"""Reads the attestations of an image: the statements, byte for byte, that its index attaches to each platform.

How an index has them: https://github.com/moby/buildkit/blob/v0.34.2/docs/attestations/attestation-storage.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from action.dataclass import dataclass
from action.errors import EvidenceError
from action.oci.image import normal_platform
from action.oci.layout import MAX_LONG_BYTES
from action.oci.models import Blobs, Descriptor, Document, document_bytes, parse

MAX_STATEMENTS = 1000
"""Maximum number of statements of one image."""

MISSING = (
    "BuildKit keeps little of an image that it has only pushed: add an output type=oci with dest, whose file contains "
    "the whole image"
)
"""What an error says of a blob that is nowhere."""

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
    entries = _document(digest, blobs, source).manifests or ()
    platforms = {entry.digest: normal_platform(str(entry.platform)) for entry in entries if entry.platform}
    found: list[Statement] = []
    for entry in entries:
        if not entry.is_attestation:
            continue
        subject = (entry.annotations or {}).get(_SUBJECT, "")
        manifest = _document(entry.digest, blobs, source)
        found += [_statement(each, subject, platforms.get(subject)) for each in _layers(manifest)]
        if len(found) > MAX_STATEMENTS:
            message = f"{source}: it has more than the limit of {MAX_STATEMENTS} attestations"
            raise EvidenceError(message)
    return found


def check_size(statement: Statement, source: str) -> None:
    """Check that a statement is short enough to be read.

    Raises:
        EvidenceError: it is too long.
    """
    if statement.size > MAX_LONG_BYTES:
        message = (
            f"{source}: the attestation {statement.digest} has {statement.size} bytes, more than the "
            f"limit of {MAX_LONG_BYTES}"
        )
        raise EvidenceError(message)


def _layers(manifest: Document) -> Iterator[Descriptor]:
    return (layer for layer in manifest.layers or () if layer.media_type == _STATEMENT)


def _statement(layer: Descriptor, subject: str, platform: str | None) -> Statement:
    predicate = str((layer.annotations or {}).get(_PREDICATE, ""))
    is_sbom = predicate.startswith(("https://spdx.dev/", "https://cyclonedx.org/"))
    is_provenance = predicate.startswith("https://slsa.dev/provenance/")
    kind = "sbom" if is_sbom else "provenance" if is_provenance else "other"
    return Statement(platform, subject, kind, layer.digest, layer.size)


def _document(digest: str, blobs: Blobs, source: str) -> Document:
    return parse(Document, document_bytes(digest, blobs, source, missing=MISSING), f"{source}: {digest}")
