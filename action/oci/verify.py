"""Verifies that a tar or folder holds a complete image: every blob, with the digest that names it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from action.errors import EvidenceError
from action.oci.image import INDEX_TYPES, MANIFEST_TYPES
from action.oci.layout import Layout, blob_member, open_layout, read_blob
from action.oci.models import Descriptor, Document, Index, parse

_MAX_BLOBS = 100_000


def check_artifact(path: Path, digest: str) -> None:
    """Check the bytes of an image's manifest or index, and of every blob that it names, against their digests.

    Args:
        path: a tar, or a folder, that an `oci` or `docker` output wrote.
        digest: the digest of its manifest or index.

    Raises:
        EvidenceError: a blob is missing, is cut off, or has other bytes than its digest says.
    """
    with open_layout(path) as layout:
        if blob_member(digest) and layout.chunks(blob_member(digest)) is None:
            message = f"{layout.source}: it does not hold {digest}{_instead(layout)}"
            raise EvidenceError(message)
        document = _document(layout, digest)
        pending = list(_named_by(document))
        # Platforms share layers, so each blob is hashed once.
        seen = {digest}
        while pending:
            blob = pending.pop()
            if blob.digest in seen or "nondistributable" in blob.media_type or "foreign" in blob.media_type:
                # A layer that must not be distributed is not in the tar: its descriptor has URLs instead.
                continue
            seen.add(blob.digest)
            if blob.media_type in INDEX_TYPES | MANIFEST_TYPES:
                pending += _named_by(_document(layout, blob.digest))
                # A few indexes that name one another thousands of times would otherwise take minutes.
                if len(pending) > _MAX_BLOBS:
                    message = f"{layout.source}: {digest} names more than {_MAX_BLOBS} blobs"
                    raise EvidenceError(message)
            else:
                _check_blob(layout, blob)


def _document(layout: Layout, digest: str) -> Document:
    data = read_blob(layout, digest)
    if data is None:
        message = f"{layout.source}: the manifest {digest} is not in it"
        raise EvidenceError(message)
    return parse(Document, data, f"{layout.source}: {digest}")


def _named_by(document: Document) -> Iterator[Descriptor]:
    yield from document.manifests or ()
    yield from document.layers or ()
    if document.config is not None:
        yield document.config


def _check_blob(layout: Layout, blob: Descriptor) -> None:
    name = blob_member(blob.digest)
    chunks = layout.chunks(name) if name else None
    if chunks is None:
        message = f"{layout.source}: the blob {blob.digest} is not in it"
        raise EvidenceError(message)
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    if found.hexdigest() != blob.digest.partition(":")[2]:
        message = f"{layout.source}: the blob {blob.digest} has the bytes of sha256:{found.hexdigest()}"
        raise EvidenceError(message)


def _instead(layout: Layout) -> str:
    data = layout.read("index.json")
    if data is None:
        return ""
    named = sorted({entry.digest for entry in parse(Index, data, layout.source).manifests})
    return f"; its index.json names {', '.join(named[:5]) or 'no image'}"
