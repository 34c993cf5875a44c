"""The names that a bake's exporters really had.

buildx evaluates a definition anew for the build, so that names from `uuidv4()` or `timestamp()` are not those that
`bake --print` gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from action.evidence.responses import Metadata
from action.exporters.matching import ObservedExporter, full_names, is_pushed
from action.exporters.requested import Requested, RequestedExporter


def with_reported_names(requested: Requested, metadata: Metadata) -> Requested:
    """Return the exporters with the names in the merged response, if it is certain whose they are.

    Args:
        requested: the exporters asked for.
        metadata: what the metadata file says.
    """
    # An image without a name of its own is kept under its digest (moby/buildkit, exporter/containerimage/export.go).
    names = tuple(name for name in metadata.merged.names or () if "@" not in name)
    named = [exporter for exporter in requested.exporters if exporter.names]
    if not requested.reevaluated or not names or not (requested.tags or len(named) == 1):
        return requested
    exporters = tuple(_renamed(exporter, names) if exporter.names else exporter for exporter in requested.exporters)
    return replace(requested, exporters=exporters, tags=names if requested.tags else ())


def as_reported(
    requested: Requested, exporter: RequestedExporter, reported: ObservedExporter | None
) -> RequestedExporter:
    """Return an exporter with the names in its own response or in the record, and with its push in the record.

    Args:
        requested: all exporters asked for.
        exporter: one of them.
        reported: what was observed of it, or None.
    """
    if reported is None:
        return exporter
    if requested.by_chance and (pushes := is_pushed(reported)) is not None:
        exporter = replace(exporter, push=pushes)
    if not requested.reevaluated or not reported.names or not exporter.names:
        return exporter
    return _renamed(exporter, reported.names)


def _renamed(exporter: RequestedExporter, names: Sequence[str]) -> RequestedExporter:
    # The user's own spelling is kept if the names are the same.
    if full_names(names) == full_names(exporter.names):
        return exporter
    return replace(exporter, names=tuple(names))
