"""BuildKit's history record of a build and the artifacts of its exporters, as plain data.

Standard library only; `record_file` and `artifact_file` read them.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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


ARTIFACT_TYPES = frozenset(("oci", "docker"))
"""Exporter types whose tar names the image's digest."""


def is_passed_on(path: Path) -> bool:
    """Tell whether a path is a pipe or a device, from which nothing can be read later; a pipe would block for ever."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
