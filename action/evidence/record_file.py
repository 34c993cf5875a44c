"""Reads BuildKit's history record of a build out of an exported tar (a `.dockerbuild` file).

The tar is an OCI layout: index.json names a manifest per record, or an index of such manifests, whose config is the
record as JSON and whose layers hold the manifests and indexes that the exporters made (docker/buildx 0.36,
util/desktop and commands/history/export.go; moby/buildkit 0.32, api/services/control/control.proto).
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from action.errors import EvidenceError
from action.oci.image import Image, describe, parse
from action.oci.layout import Layout, TarLayout, read_blob
from action.oci.models import INDEX_TYPES, MANIFEST_TYPES, Descriptor, Digest, Index, Manifest

RECORD_TYPE = "application/vnd.buildkit.historyrecord.v0"
"""Media type of a record."""

_MAX_RECORDS = 10_000
_MAX_NESTING = 4
_PLACE = re.compile(r"0|[1-9][0-9]{0,5}")


class RecordedExporter(Struct, frozen=True, rename={"type": "Type", "attributes": "Attrs"}):
    """An exporter as BuildKit was asked to run it; it may have no type and no attributes in the record."""

    type: str = ""
    attributes: dict[str, str] | None = None


class _Descriptor(Struct, frozen=True):
    """A descriptor as records write it."""

    media_type: str
    digest: Digest
    size: Annotated[int, Meta(ge=0)] = 0


class _Result(Struct, frozen=True, rename={"results": "Results"}):
    results: dict[str, _Descriptor] | None = None


class _Time(Struct, frozen=True):
    """A time, whatever it is."""


class _Error(Struct, frozen=True):
    """Why a build failed."""


_KEYS = {"ref": "Ref", "exporters": "Exporters", "result": "Result", "completed": "CompletedAt"}


class _HistoryRecord(Struct, frozen=True, rename=_KEYS):
    ref: str = ""
    completed: _Time | None = None
    error: _Error | None = None
    exporters: tuple[RecordedExporter, ...] | None = None
    result: _Result | None = None


@dataclass(frozen=True)
class Record:
    """One build's record.

    Attributes:
        source: the file it comes from.
        ref: the build's reference, the last part of `buildx.build.ref`; empty where the record does not say.
        exporters: the exporters that BuildKit ran, in its order; empty where the record does not say.
        images: exporter's place in `exporters` to what it made; an exporter without an image has none.
        blobs: digest to bytes of the manifests and indexes in the record.
        succeeded: whether the build ended without an error, its exporters and pushes by BuildKit included.
    """

    source: str
    ref: str
    exporters: tuple[RecordedExporter, ...]
    images: dict[int, Image]
    blobs: dict[str, bytes]
    succeeded: bool = False


def read_record(file: Path, ref: str | None) -> Record:
    """Read the record of one build.

    Args:
        file: the exported tar, which may hold records of several builds.
        ref: the build's reference, the last part of `buildx.build.ref`; None takes the file's only record.

    Raises:
        EvidenceError: the file cannot be read, or does not hold that build's record.
    """
    found = read_records(file)
    if ref is None:
        matching = found
    else:
        matching = [record for record in found if record.ref == ref] or [
            record for record in found if not record.ref and len(found) == 1
        ]
    if len(matching) != 1:
        wanted = "exactly one record" if ref is None else f"the record of build {ref}"
        message = f"{file}: expected {wanted}, found {len(matching)} in {len(found)}"
        raise EvidenceError(message)
    return matching[0]


def read_records(file: Path) -> list[Record]:
    """Read every record of a file.

    Raises:
        EvidenceError: the file cannot be read.
    """
    with TarLayout(file) as layout:
        return [_read(layout, manifest) for manifest in record_manifests(layout)]


def record_manifests(layout: Layout) -> list[Manifest]:
    """The manifest of every record in a layout.

    Raises:
        EvidenceError: it holds none, or is corrupt.
    """
    data = layout.read("index.json")
    if data is None:
        message = f"{layout.source}: no build record (it has no index.json)"
        raise EvidenceError(message)
    pending = deque((entry, 1) for entry in parse(Index, data, layout.source).manifests)
    manifests: list[Manifest] = []
    while pending:
        descriptor, depth = pending.popleft()
        blob = read_blob(layout, descriptor.digest)
        if blob is None or depth > _MAX_NESTING or len(manifests) >= _MAX_RECORDS:
            continue
        if descriptor.media_type in INDEX_TYPES:
            pending += [(entry, depth + 1) for entry in parse(Index, blob, layout.source).manifests]
        elif descriptor.media_type in MANIFEST_TYPES:
            manifest = parse(Manifest, blob, layout.source)
            if manifest.config.media_type == RECORD_TYPE:
                manifests.append(manifest)
    return manifests


def _read(layout: TarLayout, manifest: Manifest) -> Record:
    data = read_blob(layout, manifest.config.digest)
    if data is None:
        message = f"{layout.source}: the record {manifest.config.digest} is not in it"
        raise EvidenceError(message)
    record = parse(_HistoryRecord, data, layout.source)
    blobs = {}
    for layer in manifest.layers or ():
        # The manifests and indexes that exporters made; logs and attestations have media types of their own.
        if layer.media_type == "application/json" and (data := read_blob(layout, layer.digest)) is not None:
            blobs[layer.digest] = data
    results = (record.result.results if record.result else None) or {}

    def blob(digest: str) -> bytes | None:
        # Results, and the entries of an index, may name one blob again and again.
        data = blobs.get(digest)
        if data is not None:
            layout.count(len(data))
        return data

    images = {
        int(place): describe(Descriptor(result.media_type, result.digest, result.size), blob)
        for place, result in results.items()
        if _PLACE.fullmatch(place)
    }
    succeeded = record.completed is not None and record.error is None
    return Record(layout.source, record.ref, record.exporters or (), images, blobs, succeeded)
