"""Reads and verifies the image of a tar or a folder that an output wrote.

A tar is written by its exporter. The `index.json` of a folder (`type=oci,tar=false`) is not: BuildKit's client writes
it from the merged response (moby/buildkit 0.32, client/solve.go), so with several outputs it can name another
exporter's digest, one that the folder does not even contain. A folder is therefore not evidence.

A tar has an `index.json` (OCI layout; docker tars of current engines too), or a `manifest.json` (docker tars of older
engines) whose `Config` names the image ID: https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ConfigDict, Field, RootModel

from action.errors import EvidenceError
from action.oci.image import INDEX_TYPES, MANIFEST_TYPES, Image
from action.oci.layout import FolderLayout, Layout, TarLayout, blob_member, open_layout, read_blob
from action.oci.models import Blobs, DeferredModel, Descriptor, Document, Index, Items, describe, parse

_CONFIG_NAME = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json)?")


class DockerImage(DeferredModel):
    """An image in the `manifest.json` of a docker tar: the name of the tar's member that is its config."""

    config: str = Field(alias="Config")


class DockerManifest(RootModel[Items[DockerImage]]):
    """The `manifest.json` of a docker tar: a list of images."""

    # Only tars of older engines have it.
    model_config = ConfigDict(defer_build=True)


def read_artifact(path: Path) -> Image:
    """Read the image of a tar.

    Args:
        path: a tar that an `oci` or `docker` output wrote.

    Returns:
        The image; without a digest if the tar is a docker tar of an older engine, which names only the config.

    Raises:
        EvidenceError: the tar cannot be read, or does not hold exactly one image.
    """
    with TarLayout(path) as layout:
        return _read(layout)


def digests_in_folder(folder: Path) -> frozenset[str]:
    """Return the digests that the `index.json` of an image layout in a folder names.

    Raises:
        EvidenceError: the file cannot be read.
    """
    layout = FolderLayout(folder)
    data = layout.read("index.json")
    return frozenset(entry.digest for entry in parse(Index, data, layout.source).manifests) if data else frozenset()


def _read(layout: Layout) -> Image:
    data = layout.read("index.json")
    if data is not None:
        entries = {entry.digest: entry for entry in parse(Index, data, layout.source).manifests}
        # One image under several names has several entries; with several images it is unknown which one was written.
        if len(entries) != 1:
            raise EvidenceError(f"{layout.source}: its index.json names {len(entries)} images, not one")
        (entry,) = entries.values()
        # Without the blob nothing shows that the digest is this image's.
        if read_blob(layout, entry.digest) is None:
            raise EvidenceError(f"{layout.source}: its index.json names {entry.digest}, which is not in it")
        return describe(entry, _blobs(layout))
    manifest = layout.read("manifest.json")
    if manifest is None:
        raise EvidenceError(f"{layout.source}: neither index.json nor manifest.json is in it")
    images = parse(DockerManifest, manifest, f"{layout.source}: manifest.json").root
    names = {match[1] for image in images if (match := _CONFIG_NAME.fullmatch(image.config))}
    if len(names) != 1:
        raise EvidenceError(f"{layout.source}: its manifest.json names {len(names)} images, not one")
    return Image(imageid=f"sha256:{names.pop()}")


def _blobs(layout: Layout) -> Blobs:
    return lambda digest: read_blob(layout, digest)


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
            raise EvidenceError(f"{layout.source}: it does not contain {digest}{_instead(layout)}")
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
                    raise EvidenceError(f"{layout.source}: {digest} names more than {_MAX_BLOBS} blobs")
            else:
                _check_blob(layout, blob)


def _document(layout: Layout, digest: str) -> Document:
    data = read_blob(layout, digest)
    if data is None:
        raise EvidenceError(f"{layout.source}: the manifest {digest} is not in it")
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
        raise EvidenceError(f"{layout.source}: the blob {blob.digest} is not in it")
    # In pieces: a layer can have gigabytes.
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    if found.hexdigest() != blob.digest.partition(":")[2]:
        raise EvidenceError(f"{layout.source}: the blob {blob.digest} has the bytes of sha256:{found.hexdigest()}")


def _instead(layout: Layout) -> str:
    data = layout.read("index.json")
    if data is None:
        return ""
    named = sorted({entry.digest for entry in parse(Index, data, layout.source).manifests})
    return f"; its index.json names {', '.join(named[:5]) or 'no image'}"
