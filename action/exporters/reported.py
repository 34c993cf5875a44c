"""Exporters as a build's record and its metadata file report them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from action.evidence.record import Record
from action.evidence.responses import Metadata
from action.inputs.booleans import go_boolean


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
