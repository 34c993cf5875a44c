"""Exporters as a build's record and its metadata file report them, and the names that they really had.

`bake` evaluates its definition again after `bake --print` has, so names that come from `uuidv4()` or `timestamp()` are
different in the build.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from action.dataclass import dataclass, replace
from action.evidence.record import Record
from action.evidence.responses import Metadata
from action.exporters.requested import Requested, RequestedExporter
from action.inputs.values import go_boolean
from action.oci.reference import full_name


@dataclass(frozen=True)
class ReportedExporter:
    """One exporter in the record or in the metadata file, which may report only a part of it.

    Attributes:
        type: its type, or None if it is not reported.
        id: its exporter ID, or None.
        names: its image names, or None if they are not reported.
        attributes: its attributes, or None if they are not reported.
    """

    type: str | None = None
    id: str | None = None
    names: tuple[str, ...] | None = None
    attributes: Mapping[str, str] | None = None

    @property
    def pushes(self) -> bool | None:
        """Whether it pushes; None if it is no image exporter, or its attributes are not reported."""
        if self.type != "image" or not self.attributes:
            return None
        push = self.attributes.get("push", "false")
        # BuildKit reads `push=` as true (moby/buildkit 0.32, exporter/containerimage/export.go).
        return not push or bool(go_boolean(push))


def exporters_in_record(record: Record | None) -> list[ReportedExporter]:
    """Return the exporters that BuildKit ran, in the order of the record; none without a record."""
    return [
        ReportedExporter(
            type=exporter.type or None,
            id=(exporter.attributes or {}).get("id"),
            names=_names(exporter.attributes or {}),
            attributes=exporter.attributes or {},
        )
        for exporter in (record.exporters if record else ())
    ]


def exporters_in_metadata(metadata: Metadata) -> list[ReportedExporter]:
    """Return the exporters that have a response of their own in the metadata file, in its order."""
    return [ReportedExporter(each.type, each.id, each.names) for each in metadata.separate or ()]


def _names(attributes: Mapping[str, str]) -> tuple[str, ...] | None:
    # A record without attributes does not tell whether the image had names.
    if not attributes:
        return None
    return tuple(name.strip() for name in attributes.get("name", "").split(",") if name.strip())


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
