"""Reads the image of a tar or a folder that an output wrote.

A tar is written by its exporter. The `index.json` of a folder (`type=oci,tar=false`) is not: BuildKit's client writes
it from the merged response (moby/buildkit 0.32, client/solve.go), so with several outputs it can name another
exporter's digest, one that the folder does not even hold. A folder is therefore not evidence.

A tar has an `index.json` (OCI layout; docker tars of current engines too), or a `manifest.json` (docker tars of older
engines) whose `Config` names the image ID: https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md.
"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import ConfigDict, Field, RootModel

from action.errors import EvidenceError
from action.oci.image import Image
from action.oci.layout import FolderLayout, Layout, TarLayout, read_blob
from action.oci.models import Blobs, DeferredModel, Index, Items, describe, parse

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
            message = f"{layout.source}: its index.json names {len(entries)} images, not one"
            raise EvidenceError(message)
        (entry,) = entries.values()
        # Without the blob nothing shows that the digest is this image's.
        if read_blob(layout, entry.digest) is None:
            message = f"{layout.source}: its index.json names {entry.digest}, which is not in it"
            raise EvidenceError(message)
        return describe(entry, _blobs(layout))
    manifest = layout.read("manifest.json")
    if manifest is None:
        message = f"{layout.source}: neither index.json nor manifest.json is in it"
        raise EvidenceError(message)
    images = parse(DockerManifest, manifest, f"{layout.source}: manifest.json").root
    names = {match[1] for image in images if (match := _CONFIG_NAME.fullmatch(image.config))}
    if len(names) != 1:
        message = f"{layout.source}: its manifest.json names {len(names)} images, not one"
        raise EvidenceError(message)
    return Image(imageid=f"sha256:{names.pop()}")


def _blobs(layout: Layout) -> Blobs:
    return lambda digest: read_blob(layout, digest)
