"""The image names that exporters really had, if these can differ from the names in the definition of a bake.

`bake` evaluates its definition again after `bake --print` has, so names that come from `uuidv4()` or `timestamp()` are
different in the build.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from action.evidence.responses import Metadata
from action.exporters.reported import ReportedExporter
from action.exporters.requested import Requested, RequestedExporter
from action.oci.reference import full_name


def full_names(names: Sequence[str]) -> frozenset[str]:
    """Return names in full, as distribution/reference writes them: `app` is `docker.io/library/app:latest`."""
    return frozenset(map(full_name, names))


def with_reported_names(requested: Requested, metadata: Metadata) -> Requested:
    """Return the exporters with the names in the merged response, if it is certain which exporters have them.

    Args:
        requested: the requested exporters.
        metadata: the metadata of their build.
    """
    # BuildKit keeps an image without a name under `…@digest` (moby/buildkit, exporter/containerimage/export.go).
    names = tuple(name for name in metadata.merged.names or () if "@" not in name)
    named = [exporter for exporter in requested.exporters if exporter.names]
    # `tags` give all images the same names. Otherwise the names of several exporters are mixed in this response.
    if not requested.reevaluated or not names or not (requested.tags or len(named) == 1):
        return requested
    exporters = tuple(_renamed(exporter, names) if exporter.names else exporter for exporter in requested.exporters)
    return replace(requested, exporters=exporters, tags=names if requested.tags else ())


def as_reported(
    requested: Requested, exporter: RequestedExporter, reported: ReportedExporter | None
) -> RequestedExporter:
    """Return an exporter with the names in its own response or in the record, and with the push in the record.

    Args:
        requested: all requested exporters.
        exporter: one of them.
        reported: the same exporter in the evidence, or None.
    """
    if reported is None:
        return exporter
    if requested.by_chance and reported.pushes is not None:
        exporter = replace(exporter, push=reported.pushes)
    if not requested.reevaluated or not reported.names or not exporter.names:
        return exporter
    return _renamed(exporter, reported.names)


def _renamed(exporter: RequestedExporter, names: Sequence[str]) -> RequestedExporter:
    # The user's own spelling is kept if the names are the same.
    if full_names(names) == full_names(exporter.names):
        return exporter
    return replace(exporter, names=tuple(names))
