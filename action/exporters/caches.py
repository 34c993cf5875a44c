"""The attribution of digests to cache exporters: each gets its own digest, or none.

BuildKit merges the responses of all cache exporters, and the last one overwrites the others (moby/buildkit 0.32,
solver/llbsolver/solver.go, runCacheExporters). So the merged response is evidence only if a single entry of `cache-to`
can have written it. With several entries the status log of the build is the evidence: each cache exporter is a step in
it, which names the manifest that it wrote. The name of a step contains only the type of its cache. Local caches of one
build are distinguished by the contents of their folders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from action.dataclass import dataclass
from action.evidence.record import StatusLog, Step
from action.exporters.attributed import AttributedCache, Evidence
from action.exporters.build_evidence import BuildEvidence
from action.exporters.output import CacheEntry, cache_writers

# moby/buildkit 0.34, cache/remotecache: `Name` of each exporter.
_STEPS = {"registry": "exporting cache to registry", "local": "exporting cache to client directory"}


Holds = Callable[[CacheEntry, str], bool]
"""Returns whether the folder of a local cache contains the manifest with a digest."""


@dataclass(frozen=True)
class CacheEvidence:
    """The evidence that distinguishes several caches of a build.

    Attributes:
        status_log: the status log of the build, or None if it is not known.
        holds: returns whether the folder of a local cache contains a manifest.
    """

    status_log: StatusLog | None
    holds: Holds


def attribute_caches(
    entries: Sequence[CacheEntry], evidence: BuildEvidence, several: CacheEvidence | None = None
) -> tuple[AttributedCache, ...]:
    """Give each cache exporter its digest, if it is certain.

    Args:
        entries: the entries of `cache-to`.
        evidence: the evidence of the build.
        several: what distinguishes several caches with a manifest, or None if that is not known.
    """
    writers = cache_writers(entries)
    # Each of several nodes writes its cache to the same place, and the evidence is of one node only.
    if evidence.multi_node:
        digests: dict[int, str] = {}
    elif len(writers) == 1:
        merged = evidence.metadata.merged.cache_digest
        digests = {writers[0].index: merged} if merged else {}
    else:
        digests = _written(writers, several) if several else {}
    source: Evidence = "response" if len(writers) == 1 else "record"
    return tuple(_attributed(entry, digests.get(entry.index), source) for entry in entries)


def needs_status_log(entries: Sequence[CacheEntry]) -> bool:
    """Return whether the status log of the build is needed to distinguish its caches."""
    return len(cache_writers(entries)) > 1


def missing_caches(
    entries: Sequence[CacheEntry], evidence: BuildEvidence, several: CacheEvidence | None = None
) -> Iterator[str]:
    """Yield a warning for each cache that has no digest although one can be expected.

    That is a cache with an `id`, and one that could not be written and whose errors are ignored.

    Args:
        entries: the entries of `cache-to`.
        evidence: the evidence of the build.
        several: what distinguishes several caches, or None.
    """
    attributed = attribute_caches(entries, evidence, several)
    status_log = several.status_log if several else None
    writers = cache_writers(entries)
    # Without a response nothing is known of the build, and other messages say why.
    responded = bool(evidence.metadata.merged.values) and not evidence.metadata.distrusted
    for entry, cache in zip(entries, attributed, strict=True):
        if cache.digest is not None:
            continue
        failed = responded if writers == [entry] else any(step.error for step in _steps(entry, status_log))
        if entry in writers and entry.ignores_error and failed and not evidence.multi_node:
            yield (
                f"cache {entry.key} ({entry.type}) has no digest: BuildKit reports none, as of a cache that cannot be "
                "written and has ignore-error=true, or of a build without layers; see the log of the build"
            )
        elif entry.id is not None:
            yield f"cache {entry.key} ({entry.type}) has no digest: {_why(entry, writers, evidence, status_log)}"


def _why(
    entry: CacheEntry, writers: Sequence[CacheEntry], evidence: BuildEvidence, status_log: StatusLog | None
) -> str:
    if entry not in writers:
        return "a cache of this type has none; leave out its id"
    if evidence.multi_node:
        return "several nodes built it, and each wrote a cache of its own to the same place"
    if len(writers) == 1:
        return "the metadata file has none; BuildKit writes no cache of a build without layers"
    if status_log is None:
        return f"{len(writers)} caches of this build have one, and the record that distinguishes them is missing"
    if Counter(each.type for each in writers)[entry.type] > 1:
        return (
            f"several caches of this build have the type {entry.type} and different digests, and BuildKit does not say "
            "which wrote which; write each in a build of its own"
        )
    return "the status log of the build has none; BuildKit writes no cache of a build without layers"


def _written(writers: Sequence[CacheEntry], several: CacheEvidence) -> dict[int, str]:
    """Return the digest that each cache exporter wrote, by its index, as far as that is certain."""
    digests: dict[int, str] = {}
    count = Counter(entry.type for entry in writers)
    for entry in writers:
        steps = _steps(entry, several.status_log)
        if len(steps) != count[entry.type] or any(step.error or len(step.caches) != 1 for step in steps):
            continue
        found = {step.caches[0] for step in steps}
        if entry.type == "local" and len(found) > 1:
            # The folder contains its own manifest, and possibly that of another cache, which an earlier build wrote.
            found = {digest for digest in found if several.holds(entry, digest)}
        if len(found) == 1:
            (digests[entry.index],) = found
    return digests


def _steps(entry: CacheEntry, status_log: StatusLog | None) -> list[Step]:
    """Return the steps of cache exporters of an entry's type."""
    return [step for step in (status_log.steps if status_log else ()) if step.name == _STEPS.get(entry.type)]


def _attributed(entry: CacheEntry, digest: str | None, source: Evidence) -> AttributedCache:
    return AttributedCache(
        key=entry.key,
        index=entry.index,
        id=entry.id,
        type=entry.type,
        ref=entry.ref,
        dest=entry.dest,
        digest=digest,
        evidence=source if digest else None,
    )
