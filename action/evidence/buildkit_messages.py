"""The messages of BuildKit's API that are read and written, with only the fields that are used: others are skipped.

The numbers are those of moby/buildkit 0.34, api/services/control/control.proto, and of containerd 2.1,
api/services/content/v1/content.proto; BuildKit 0.13 has the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from action.errors import EvidenceError

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


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn an error of protobuf into an EvidenceError.

    Args:
        what: the name of the message in the error.
    """
    try:
        yield
    except DecodeError as error:
        raise EvidenceError(f"{what} cannot be read ({error})") from None


def seconds(time: Any) -> float:  # noqa: ANN401  # protobuf makes the classes of messages at run time
    """Return a `Time` in seconds since 1970."""
    return float(time.seconds + time.nanos / 1e9)
