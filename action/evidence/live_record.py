"""Reads BuildKit's record of a build from its own API, in the form in which `record_file` reads an exported one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from action.dataclass import dataclass
from action.errors import EvidenceError
from action.evidence.buildkit_messages import ContentResponse, HistoryEvent, reading, seconds
from action.evidence.record import Record, RecordedExporter
from action.evidence.record_file import MAX_EXPORTERS, RecordDescriptor
from action.oci.image import INDEX_TYPES, MANIFEST_TYPES, Image
from action.oci.models import Descriptor, Index, describe, parse, validate

SOURCE = "BuildKit's API"

MAX_EVENT = 1024 * 1024
"""Longest message with a record that is read, in bytes; one of three exporters has 2 KB."""

_COMPLETE = 1


@dataclass(frozen=True)
class LiveRecord:
    """A record without the manifests that its results name.

    Attributes:
        ref: the build's reference, the last part of `buildx.build.ref`.
        exporters: the exporters that BuildKit ran, in its order.
        results: an exporter's position to the descriptor of what it made.
        succeeded: whether the build ended without an error.
        created: the time of its start in seconds since 1970, or None.
        completed: the time of its end in seconds since 1970, or None.
    """

    ref: str
    exporters: tuple[RecordedExporter, ...]
    results: Mapping[int, Descriptor]
    succeeded: bool
    created: float | None
    completed: float | None

    @property
    def blobs(self) -> tuple[str, ...]:
        """The digests of the manifests and indexes among its results."""
        types = INDEX_TYPES | MANIFEST_TYPES
        return tuple(dict.fromkeys(each.digest for each in self.results.values() if each.media_type in types))

    def manifests_in(self, blobs: Mapping[str, bytes]) -> tuple[str, ...]:
        """Return the digests of the manifests of images that its indexes name.

        Args:
            blobs: digest to bytes, checked against it, of the indexes.

        Raises:
            EvidenceError: an index does not have its form.
        """
        indexes = [each.digest for each in self.results.values() if each.media_type in INDEX_TYPES]
        entries = (
            entry
            for digest in dict.fromkeys(indexes)
            if digest in blobs
            for entry in parse(Index, blobs[digest], SOURCE).manifests
        )
        wanted = (each.digest for each in entries if each.media_type in MANIFEST_TYPES and not each.is_attestation)
        return tuple(dict.fromkeys(wanted))

    def with_blobs(self, blobs: Mapping[str, bytes]) -> Record:
        """Return the whole record.

        Args:
            blobs: digest to bytes, checked against it, of the manifests and indexes, and of the manifests in these.

        Raises:
            EvidenceError: a blob does not have the form of its media type.
        """
        own = {digest: blobs[digest] for digest in self.blobs if digest in blobs}
        images = {position: _image(result, blobs, own) for position, result in self.results.items()}
        return Record(SOURCE, self.ref, self.exporters, images, own, self.succeeded)


def _image(result: Descriptor, blobs: Mapping[str, bytes], own: Mapping[str, bytes]) -> Image:
    try:
        return describe(result, blobs.get)
    except EvidenceError:
        # A manifest of an index that cannot be read costs the image its sizes, and not its digest.
        return describe(result, own.get)


def read_event(message: bytes) -> LiveRecord | None:
    """Read a message of `ListenBuildHistory`; return None if it is not about a build that has ended.

    Raises:
        EvidenceError: the message cannot be read.
    """
    if len(message) > MAX_EVENT:
        raise EvidenceError(f"{SOURCE}: a record has {len(message)} bytes, more than the limit of {MAX_EVENT}")
    with reading(f"{SOURCE}: a record"):
        event = HistoryEvent.FromString(message)
    record = event.record
    if event.type != _COMPLETE or not record.ref:
        return None
    if len(record.exporters) > MAX_EXPORTERS or len(record.result.results) > MAX_EXPORTERS:
        raise EvidenceError(f"{SOURCE}: a record has more than the limit of {MAX_EXPORTERS} exporters")
    return LiveRecord(
        ref=record.ref,
        exporters=tuple(
            RecordedExporter(each.type, {attribute.key: attribute.value for attribute in each.attributes})
            for each in record.exporters
        ),
        results={each.key: _descriptor(each.value) for each in record.result.results if each.key >= 0},
        succeeded=record.HasField("completed") and not record.HasField("error"),
        created=seconds(record.created) if record.HasField("created") else None,
        completed=seconds(record.completed) if record.HasField("completed") else None,
    )


def read_content(message: bytes) -> bytes:
    """Return the piece of a blob in a message of `Content/Read`.

    Raises:
        EvidenceError: the message cannot be read.
    """
    with reading(f"{SOURCE}: a blob"):
        return bytes(ContentResponse.FromString(message).data)


def _descriptor(message: Any) -> Descriptor:  # noqa: ANN401  # protobuf makes the classes of messages at run time
    fields = {"media_type": message.media_type, "digest": message.digest, "size": message.size}
    result = validate(RecordDescriptor, fields, f"{SOURCE}: a result of a record")
    return Descriptor(mediaType=result.media_type, digest=result.digest, size=result.size)
