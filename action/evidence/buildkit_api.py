"""BuildKit's API: its messages, with only the fields that are used, and the records and blobs in them.

The numbers of the fields are those of moby/buildkit 0.34, api/services/control/control.proto, and of containerd 2.1,
api/services/content/v1/content.proto; BuildKit 0.13 has the same. An exported record is read by `record_file`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from action.dataclass import dataclass
from action.errors import EvidenceError
from action.evidence.record import Record, RecordedExporter
from action.evidence.record_file import MAX_EXPORTERS, RecordDescriptor
from action.oci.image import INDEX_TYPES, MANIFEST_TYPES, Image
from action.oci.models import Descriptor, Index, describe, parse, validate

_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
    "bool": _FIELD.TYPE_BOOL,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
}

# On the wire a map is a list of entries, each with a key and a value; the last entry of a key counts.
_MESSAGES = {
    "Time": "seconds 1 int64, nanos 2 int32",
    "Vertex": "digest 1 string, name 3 string, cached 4 bool, started 5 Time, completed 6 Time, error 7 string",
    "StatusRequest": "ref 1 string",
    "VertexStatus": "id 1 string, vertex 2 string",
    "StatusResponse": "vertexes 1 *Vertex, statuses 2 *VertexStatus",
    "Text": "key 1 string, value 2 string",
    "Descriptor": "media_type 1 string, digest 2 string, size 3 int64",
    "Result": "key 1 int64, value 2 Descriptor",
    "Results": "results 3 *Result",
    "Exporter": "type 1 string, attributes 2 *Text",
    "Error": "code 1 int32",
    "Record": (
        "ref 1 string, exporters 4 *Exporter, error 5 Error, created 6 Time, completed 7 Time, logs 8 Descriptor, "
        "result 10 Results"
    ),
    "HistoryRequest": "active_only 1 bool, ref 2 string, early_exit 3 bool",
    "HistoryEvent": "type 1 int32, record 2 Record",
    "ContentRequest": "digest 1 string, offset 2 int64, size 3 int64",
    "ContentResponse": "offset 1 int64, data 2 bytes",
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="buildkit.proto", package="buildkit", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for each in fields.split(", "):
            field, number, kind = each.split()
            own = kind.lstrip("*")
            message.field.add(
                name=field,
                number=int(number),
                type=_TYPES.get(own, _FIELD.TYPE_MESSAGE),
                type_name=None if own in _TYPES else f".buildkit.{own}",
                label=_FIELD.LABEL_REPEATED if kind != own else _FIELD.LABEL_OPTIONAL,
            )
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())
_CLASSES = {
    name: message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"buildkit.{name}")) for name in _MESSAGES
}

StatusRequest: Any = _CLASSES["StatusRequest"]
"""Request of `/moby.buildkit.v1.Control/Status`: the build's ID."""

StatusResponse: Any = _CLASSES["StatusResponse"]
"""A part of the status log of a build; a status log in a record consists of these."""

HistoryRequest: Any = _CLASSES["HistoryRequest"]
"""Request of `/moby.buildkit.v1.Control/ListenBuildHistory`: the build's ID, and whether to wait for later events."""

HistoryEvent: Any = _CLASSES["HistoryEvent"]
"""A record, and whether the build has begun or ended, or the record is deleted."""

ContentRequest: Any = _CLASSES["ContentRequest"]
"""Request of `/containerd.services.content.v1.Content/Read`: the blob's digest."""

ContentResponse: Any = _CLASSES["ContentResponse"]
"""A piece of a blob."""


class _Time(Protocol):
    """A `Time`: protobuf makes the classes of messages at run time."""

    seconds: int
    nanos: int


def decoded(kind: Any, message: bytes, what: str) -> Any:  # noqa: ANN401  # protobuf makes its classes at run time
    """Decode a message.

    Args:
        kind: the message's class, one of those above.
        message: the encoded message.
        what: the name of the message in errors.

    Raises:
        EvidenceError: the message cannot be decoded.
    """
    try:
        return kind.FromString(message)
    except DecodeError as error:
        raise EvidenceError(f"{what} cannot be read ({error})") from None


def seconds(time: _Time) -> float:
    """Return a `Time` in seconds since 1970."""
    return float(time.seconds + time.nanos / 1e9)


SOURCE = "BuildKit's API"

MAX_EVENT = 1024 * 1024
"""Longest message with a record that is read, in bytes; one of three exporters has 2 KB."""

_COMPLETE = 1
"""The type of an event of a build that has ended; 0: it has begun, 2: its record is deleted (BuildHistoryEventType)."""


@dataclass(frozen=True)
class LiveRecord:
    """A record from the API, without the manifests that its results name.

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
        # Without the manifests that an index names, only sizes and image IDs of its platforms are missing.
        return describe(result, own.get)


def read_event(message: bytes) -> LiveRecord | None:
    """Read a message of `ListenBuildHistory`; return None if it is not about a build that has ended.

    Raises:
        EvidenceError: the message cannot be read.
    """
    if len(message) > MAX_EVENT:
        raise EvidenceError(f"{SOURCE}: a record has {len(message)} bytes, more than the limit of {MAX_EVENT}")
    event = decoded(HistoryEvent, message, f"{SOURCE}: a record")
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
    return bytes(decoded(ContentResponse, message, f"{SOURCE}: a blob").data)


def _descriptor(message: Any) -> Descriptor:  # noqa: ANN401  # protobuf makes the classes of messages at run time
    fields = {"media_type": message.media_type, "digest": message.digest, "size": message.size}
    result = validate(RecordDescriptor, fields, f"{SOURCE}: a result of a record")
    return Descriptor(mediaType=result.media_type, digest=result.digest, size=result.size)
