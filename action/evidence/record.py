"""BuildKit's history record of a build, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from action.oci.image import Image


@dataclass(frozen=True)
class RecordedExporter:
    """An exporter that BuildKit ran; records of older releases leave type and attributes out."""

    type: str = ""
    attributes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Record:
    """One build's record.

    Attributes:
        source: the file that it was read from.
        ref: the build's reference, the last part of `buildx.build.ref`; empty if the record does not name it.
        exporters: the exporters that BuildKit ran, in its order; empty if the record does not name them.
        images: an exporter's position in `exporters` to the image that it made; an exporter without one is left out.
        blobs: digest to bytes of the manifests and indexes in the record.
        succeeded: whether the build ended without an error, including its exporters and the pushes by BuildKit.
    """

    source: str
    ref: str
    exporters: tuple[RecordedExporter, ...]
    images: dict[int, Image]
    blobs: dict[str, bytes]
    succeeded: bool = False
