"""Caches in folders (`cache-to: type=local`): whether a folder names the cache that is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from action.documents.strict_json import read_document
from action.evidence.metadata_places import DIGEST, is_valid
from action.exporters.output import CacheEntry

_TAG = "org.opencontainers.image.ref.name"
_MANY = 2


def misleading_caches(entries: Sequence[CacheEntry], folder: Path) -> list[str]:
    """Return a warning for each local cache whose `index.json` names a manifest that is not in its folder.

    With several caches BuildKit's client writes the digest of the last one into each folder (moby/buildkit 0.32,
    client/solve.go), and a build that reads such a folder finds no cache.

    Args:
        entries: the entries of `cache-to` of a build.
        folder: the folder that their paths are relative to.
    """
    # A single cache cannot be given the digest of another one.
    local = [entry for entry in entries if entry.type == "local" and entry.dest] if len(entries) >= _MANY else []
    return [
        f"{entry.dest}/index.json names {named}, which is not in that folder: with several caches BuildKit's client "
        f"writes the last one's digest there, so that no build can read cache {entry.key}; write it in a build of its "
        "own, or give all caches the same mode, compression and image-manifest"
        for entry in local
        for named in _named_digests(folder / str(entry.dest), entry.tag)
        if not blob_file(folder / str(entry.dest), named).exists()
    ]


def holds(folder: Path, entry: CacheEntry, digest: str) -> bool:
    """Return whether the folder of a local cache has the manifest with a digest.

    Args:
        folder: the folder that paths in `cache-to` are relative to.
        entry: the cache.
        digest: the digest.
    """
    return bool(entry.dest) and blob_file(folder / str(entry.dest), digest).is_file()


def blob_file(folder: Path, digest: str) -> Path:
    """Return the path of a blob in a folder with an OCI layout."""
    algorithm, _, encoded = digest.partition(":")
    return folder / "blobs" / algorithm / encoded


def _named_digests(folder: Path, tag: str) -> Iterator[str]:
    """Yield each digest that the `index.json` of a folder names for a tag; none if it cannot be read."""
    index = read_document(folder / "index.json").value
    entries = index.get("manifests") if isinstance(index, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        annotations = entry.get("annotations") if isinstance(entry, dict) else None
        if isinstance(annotations, dict) and annotations.get(_TAG) == tag and is_valid(DIGEST, entry.get("digest")):
            yield entry["digest"]
