"""The caches of builds for people: in the summary and on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from action.exporters.attributed import AttributedBuild, AttributedCache
from action.report.safe_text import code, log_line, one_line, table

CACHE_COLUMNS = ("CACHE", "TYPE", "REF OR DEST", "DIGEST", "EVIDENCE")
"""The columns of `cache_cells`."""
_NOTHING = "-"
_DIGEST_LENGTH = 19


def cache_parts(builds: Mapping[str, AttributedBuild | None]) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of the part of a summary about caches, in Markdown, if there are caches.

    Args:
        builds: target name, empty for a build, to its caches.
    """
    target = ["Target"] if any(builds) else []
    rows = [
        [
            *([code(name)] if target else []),
            code(cache.key),
            code(cache.type),
            code(_place(cache)),
            _short(cache.digest),
        ]
        for name, build in builds.items()
        for cache in (build.caches if build else ())
    ]
    if rows:
        yield "the caches", "#### Caches\n\n" + table([*target, "Cache", "Type", "Went to", "Digest"], rows)


def full_cache_digests(target: str, build: AttributedBuild) -> Iterator[tuple[str, str]]:
    """Yield a label of target (empty for a build) and key, and the digest, of each cache that has one."""
    for key, digest in build.cache_digests.items():
        yield " ".join(part for part in (one_line(target), "cache", key) if part), digest


def cache_cells(cache: AttributedCache) -> tuple[str, ...]:
    """Return the cells of a cache for a table on a terminal."""
    cells = (cache.key, cache.type, _place(cache), cache.digest or _NOTHING, cache.evidence or _NOTHING)
    return tuple(map(log_line, cells))


def _place(cache: AttributedCache) -> str:
    return cache.ref or cache.dest or _NOTHING


def _short(digest: str | None) -> str:
    return _NOTHING if digest is None else code(digest[:_DIGEST_LENGTH], title=digest)
