"""The attribution of digests to cache exporters: each gets its own digest, or none.

BuildKit merges the responses of all cache exporters, and the last one overwrites the others (moby/buildkit 0.32,
solver/llbsolver/solver.go, runCacheExporters). So the merged response is evidence only if a single entry of `cache-to`
can have written it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from action.exporters.attributed import AttributedCache
from action.exporters.build_evidence import BuildEvidence
from action.exporters.output import CacheEntry

_WITHOUT_MANIFEST = frozenset(("azblob", "gha", "inline", "s3"))
"""Types that report no manifest (moby/buildkit 0.32, cache/remotecache); any other type may report one."""


def attribute_caches(entries: Sequence[CacheEntry], evidence: BuildEvidence) -> tuple[AttributedCache, ...]:
    """Give each cache exporter its digest, if it is certain.

    Args:
        entries: the entries of `cache-to`.
        evidence: the evidence of the build.
    """
    writers = _writers(entries)
    # Of several nodes each writes a cache to the same place, and the metadata file describes one node's.
    digest = evidence.metadata.merged.cache_digest if len(writers) == 1 and not evidence.multi_node else None
    return tuple(_attributed(entry, digest if entry in writers else None) for entry in entries)


def missing_caches(entries: Sequence[CacheEntry], evidence: BuildEvidence) -> Iterator[str]:
    """Yield a warning for each cache that has no digest although one can be expected.

    That is a cache with an `id`, and one that could not be written and whose errors are ignored.

    Args:
        entries: the entries of `cache-to`.
        evidence: the evidence of the build.
    """
    attributed = attribute_caches(entries, evidence)
    writers = _writers(entries)
    # Without a response nothing is known of the build, and other messages say why.
    responded = bool(evidence.metadata.merged.values) and not evidence.metadata.distrusted
    for entry, cache in zip(entries, attributed, strict=True):
        if cache.digest is not None:
            continue
        if writers == [entry] and entry.ignores_error and responded and not evidence.multi_node:
            yield (
                f"cache {entry.key} ({entry.type}) has no digest: BuildKit reports none, as of a cache that cannot be "
                "written and has ignore-error=true; the log of the build says why"
            )
        elif entry.id is not None:
            yield f"cache {entry.key} ({entry.type}) has no digest: {_why(entry, len(writers), evidence)}"


def _why(entry: CacheEntry, writers: int, evidence: BuildEvidence) -> str:
    if entry.type in _WITHOUT_MANIFEST:
        return "a cache of this type has none; leave out its id"
    if evidence.multi_node:
        return "several nodes built it, and each wrote a cache of its own to the same place"
    if writers > 1:
        return f"{writers} caches of this build have one, and BuildKit does not report whose it reports"
    return "the metadata file has none"


def _writers(entries: Sequence[CacheEntry]) -> list[CacheEntry]:
    return [entry for entry in entries if entry.type not in _WITHOUT_MANIFEST]


def _attributed(entry: CacheEntry, digest: str | None) -> AttributedCache:
    return AttributedCache(
        key=entry.key,
        index=entry.index,
        id=entry.id,
        type=entry.type,
        ref=entry.ref,
        dest=entry.dest,
        digest=digest,
        evidence="response" if digest else None,
    )
