"""Reads BuildKit's history record of a build from an exported tar (a `.dockerbuild` file).

The tar is an OCI layout: index.json names a manifest for each record, or an index of such manifests. The config of the
manifest is the record as JSON, and its layers hold the manifests and indexes that the exporters made (docker/buildx
0.36, util/desktop and commands/history/export.go; moby/buildkit 0.32, api/services/control/control.proto).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import Field

from action.errors import EvidenceError
from action.evidence.record import Record, RecordedExporter, RecordedRun
from action.oci.image import INDEX_TYPES, MANIFEST_TYPES, Image
from action.oci.layout import Layout, TarLayout, read_blob
from action.oci.models import (
    DeferredModel,
    Descriptor,
    Digest,
    Index,
    Items,
    Manifest,
    OciModel,
    Texts,
    describe,
    parse,
    validate,
)

RECORD_TYPE = "application/vnd.buildkit.historyrecord.v0"
"""Media type of a record."""

MAX_EXPORTERS = 100_000
"""Maximum number of exporters in all records of a file: five for each target of the largest bake."""

_MAX_RECORDS = 10_000
# buildx writes two levels: index.json names an index, and that names the records.
_MAX_NESTING = 4
_SHOWN = 20
_POSITION = re.compile(r"0|[1-9][0-9]{0,5}")


class RecordExporter(DeferredModel):
    """An exporter in a record."""

    type: str = Field(default="", alias="Type")
    attributes: Texts | None = Field(default=None, alias="Attrs")


class RecordDescriptor(DeferredModel):
    """A descriptor in a record, whose members are named as in BuildKit's API and not as in the OCI specification."""

    media_type: str
    digest: Digest
    size: int = Field(default=0, ge=0)


class RecordResult(DeferredModel):
    """The results of a build: an exporter's position, as text, to a `RecordDescriptor`."""

    # Validated one by one: pydantic collects an error for each value of a dict, a gigabyte of them from 16 MiB of JSON.
    results: dict[str, Any] | None = Field(default=None, alias="Results")


class RecordError(DeferredModel):
    """The error of a build."""

    message: Any = None


class HistoryRecord(DeferredModel):
    """A record as BuildKit writes it, with the members that digests need, and a few that people want to see.

    No digest depends on times, options and error, so they may have any form.
    """

    ref: str = Field(default="", alias="Ref")
    completed: OciModel | None = Field(default=None, alias="CompletedAt")
    created: Any = Field(default=None, alias="CreatedAt")
    options: Any = Field(default=None, alias="FrontendAttrs")
    error: RecordError | None = None
    exporters: Items[RecordExporter] | None = Field(default=None, alias="Exporters", max_length=MAX_EXPORTERS)
    result: RecordResult | None = Field(default=None, alias="Result")


def read_record(file: Path, ref: str | None) -> Record:
    """Read the record of one build.

    Args:
        file: the exported tar, which may hold records of several builds.
        ref: the build's reference, the last part of `buildx.build.ref`; None for the only record of the file.

    Raises:
        EvidenceError: the file cannot be read, or does not hold exactly one record of that build.
    """
    found = read_records(file)
    if ref is None:
        matching = found
    else:
        # A record that does not name its build can only be the right one if the file has no other.
        matching = [record for record in found if record.ref == ref] or [
            record for record in found if not record.ref and len(found) == 1
        ]
    if len(matching) != 1:
        wanted = "exactly one record" if ref is None else f"the record of build {ref}"
        raise EvidenceError(f"{file}: expected {wanted}, found {len(matching)} in {len(found)}")
    return matching[0]


def read_records(file: Path) -> list[Record]:
    """Read every record of a file.

    Raises:
        EvidenceError: the file cannot be read.
    """
    with TarLayout(file) as layout:
        records = []
        exporters = 0
        for manifest in record_manifests(layout):
            records.append(_read(layout, manifest))
            exporters += len(records[-1].exporters)
            if exporters > MAX_EXPORTERS:
                raise EvidenceError(f"{file}: its records have more than the limit of {MAX_EXPORTERS} exporters")
        return records


def record_manifests(layout: Layout) -> list[Manifest]:
    """Return the manifest of every record in a layout.

    Raises:
        EvidenceError: the layout has no index.json, or is corrupt.
    """
    data = layout.read("index.json")
    if data is None:
        raise EvidenceError(f"{layout.source}: no build record (it has no index.json)")
    entries: Iterable[Descriptor] = parse(Index, data, layout.source).manifests
    manifests: list[Manifest] = []
    for _ in range(_MAX_NESTING):
        nested: list[Descriptor] = []
        for descriptor in entries:
            blob = read_blob(layout, descriptor.digest)
            # Skipped, so that a damaged part does not hide the other records.
            if blob is None or len(manifests) >= _MAX_RECORDS:
                continue
            if descriptor.media_type in INDEX_TYPES:
                nested += parse(Index, blob, layout.source).manifests
            elif descriptor.media_type in MANIFEST_TYPES:
                manifest = parse(Manifest, blob, layout.source)
                if manifest.config.media_type == RECORD_TYPE:
                    manifests.append(manifest)
        entries = nested
    return manifests


def _read(layout: TarLayout, manifest: Manifest) -> Record:
    data = read_blob(layout, manifest.config.digest)
    if data is None:
        raise EvidenceError(f"{layout.source}: the record {manifest.config.digest} is not in it")
    record = parse(HistoryRecord, data, layout.source)
    blobs = {}
    for layer in manifest.layers or ():
        # The manifests and indexes that exporters made; logs and attestations have media types of their own.
        if layer.media_type == "application/json" and (data := read_blob(layout, layer.digest)) is not None:
            blobs[layer.digest] = data
    exporters = tuple(RecordedExporter(each.type, each.attributes) for each in record.exporters or ())
    succeeded = record.completed is not None and record.error is None
    return Record(layout.source, record.ref, exporters, _images(layout, record, blobs), blobs, succeeded, _run(record))


def _run(record: HistoryRecord) -> RecordedRun:
    created = record.created.get("seconds") if isinstance(record.created, dict) else None
    # Not all options: build arguments are among them.
    target = record.options.get("target") if isinstance(record.options, dict) else None
    message = record.error.message if record.error else None
    return RecordedRun(
        created=created if isinstance(created, int) else None,
        ended=record.completed is not None,
        failed=record.error is not None,
        error=message if isinstance(message, str) else "",
        target=target if isinstance(target, str) else "",
    )


def _images(layout: TarLayout, record: HistoryRecord, blobs: dict[str, bytes]) -> dict[int, Image]:
    """Describe what each exporter made, by its position."""
    images = {}

    def blob(digest: str) -> bytes | None:
        # Results, and the entries of an index, may name one blob any number of times.
        data = blobs.get(digest)
        if data is not None:
            layout.count(len(data))
        return data

    for position, value in ((record.result and record.result.results) or {}).items():
        result = validate(RecordDescriptor, value, f"{layout.source}: the result {position[:_SHOWN]!r} of the record")
        if _POSITION.fullmatch(position):
            descriptor = Descriptor(mediaType=result.media_type, digest=result.digest, size=result.size)
            images[int(position)] = describe(descriptor, blob)
    return images
