"""Folders with an OCI layout that outputs and caches write: whether `index.json` names what is in them.

With several outputs or caches, BuildKit's client writes the digest of one of them into the `index.json` of another
(moby/buildkit 0.32, client/solve.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from action.documents.strict_json import read_document
from action.errors import EvidenceError
from action.evidence.metadata_places import DIGEST, is_valid
from action.exporters.attributed import AttributedExporter
from action.exporters.output import CacheEntry
from action.pipeline.collect import Sources

_TAG = "org.opencontainers.image.ref.name"
_MANY = 2


def misleading_caches(entries: Sequence[CacheEntry], folder: Path) -> list[str]:
    """Return a warning for each local cache whose `index.json` names a manifest that is not in its folder.

    Each folder then has the digest of the last cache, and a build that reads such a folder finds no cache.

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
        if not _blob_file(folder / str(entry.dest), named).exists()
    ]


def misleading_folders(exporters: Iterable[AttributedExporter], sources: Sources) -> list[str]:
    """Return a warning for each folder with an OCI layout whose `index.json` names another image than its exporter's.

    Args:
        exporters: the exporters of a build with their digests.
        sources: read folders, and name the one that paths in outputs are relative to.
    """
    warnings = []
    for exporter in exporters:
        if exporter.type != "oci" or exporter.digest is None or exporter.dest is None:
            continue
        folder = sources.folder / exporter.dest
        try:
            named = sources.readers.folder(folder) if folder.is_dir() else frozenset()
        except EvidenceError:
            continue
        if named and exporter.digest not in named:
            warnings.append(
                f"{exporter.dest}/index.json names {', '.join(sorted(named))}, which is not what exporter "
                f"{exporter.key} put there: with several outputs BuildKit's client writes another's digest into it. "
                f"Use {exporter.digest}"
            )
    return warnings


def holds(folder: Path, entry: CacheEntry, digest: str) -> bool:
    """Return whether the folder of a local cache has the manifest with a digest.

    Args:
        folder: the folder that paths in `cache-to` are relative to.
        entry: the cache.
        digest: the digest.
    """
    return bool(entry.dest) and _blob_file(folder / str(entry.dest), digest).is_file()


def _blob_file(folder: Path, digest: str) -> Path:
    """Return the path of a blob in a folder with an OCI layout.

    Args:
        folder: the folder.
        digest: the digest of the blob, which must be valid: it becomes a part of the path.
    """
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
