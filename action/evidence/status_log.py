"""Reads the course of a build from its record: its times, its steps and their errors.

The record names a status log: BuildKit's `StatusResponse` messages, each after its length as a little-endian `uint32`
(moby/buildkit 0.32, solver/llbsolver/history/buildhistory.go and api/services/control/control.proto).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from action.errors import EvidenceError
from action.evidence.record_file import record_manifests
from action.oci.layout import TarLayout, blob_member, read_blob
from action.oci.models import Manifest, OciModel, parse

STATUS_TYPE = "application/vnd.buildkit.status.v0"
"""Media type of a status log."""

_MAX_MESSAGE = 4 * 1024 * 1024
"""Longest message of a status log, in bytes: BuildKit splits those of over 1 MiB (client/solve.go)."""

_MAX_BYTES = 384 * 1024 * 1024
_MAX_MESSAGES = 1_000_000
_MAX_UPDATES = 300_000
_MAX_TEXT = 32 * 1024 * 1024
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Step:
    """A step of a build.

    Attributes:
        name: its name in the log, such as `[2/3] RUN make`.
        started: the time of its start in seconds since 1970, or None if it did not start.
        completed: the time of its end in seconds since 1970, or None.
        cached: whether its result came from the cache.
        error: its error, or empty.
    """

    name: str
    started: float | None = None
    completed: float | None = None
    cached: bool = False
    error: str = ""

    @property
    def seconds(self) -> float:
        """Its duration in seconds; 0 if it did not start or end."""
        if self.started is None or self.completed is None:
            return 0.0
        return max(0.0, self.completed - self.started)


@dataclass(frozen=True)
class StatusLog:
    """The course of a build.

    Attributes:
        ref: the build's reference, the last part of `builder/node/ref`.
        created: the time of its start in seconds since 1970, or None.
        completed: the time of its end in seconds since 1970, or None.
        steps: its steps in the order in which they started, then those that did not start.
    """

    ref: str
    created: float | None
    completed: float | None
    steps: tuple[Step, ...]


class RecordTime(OciModel):
    """A time in a record, since 1970."""

    # With an integer beyond 1e308, which JSON allows, the conversion to a float would raise an OverflowError.
    seconds: int = Field(default=0, ge=-(2**62), le=2**62)
    nanos: int = Field(default=0, ge=-(2**62), le=2**62)

    @property
    def since_1970(self) -> float:
        """The time in seconds."""
        return self.seconds + self.nanos / 1e9


class TimedRecord(OciModel):
    """A record as BuildKit writes it, with the members that tell when the build ran."""

    ref: str = Field(default="", alias="Ref")
    created: RecordTime | None = Field(default=None, alias="CreatedAt")
    completed: RecordTime | None = Field(default=None, alias="CompletedAt")


def read_status_log(file: Path) -> list[StatusLog]:
    """Read the course of each build from a file of records.

    Raises:
        EvidenceError: the file cannot be read, or a log exceeds a limit.
    """
    with TarLayout(file) as layout:
        logs = _Logs(layout.source)
        return [_read(layout, manifest, logs) for manifest in record_manifests(layout)]


def _read(layout: TarLayout, manifest: Manifest, logs: _Logs) -> StatusLog:
    data = read_blob(layout, manifest.config.digest)
    record = parse(TimedRecord, data or b"{}", layout.source)
    steps: dict[str, Step] = {}
    for layer in manifest.layers or ():
        if layer.media_type == STATUS_TYPE and (chunks := layout.chunks(blob_member(layer.digest))) is not None:
            for message in logs.messages(chunks):
                logs.take(message, steps)
    return StatusLog(
        record.ref,
        record.created.since_1970 if record.created else None,
        record.completed.since_1970 if record.completed else None,
        tuple(sorted(steps.values(), key=lambda step: (step.started is None, step.started or 0.0))),
    )


class _Logs:
    """Reader of the status logs of one file; the limits above apply to all of them together."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._bytes = self._messages = self._updates = self._text = 0

    def messages(self, chunks: Iterator[bytes]) -> Iterator[Any]:
        from google.protobuf.message import DecodeError  # noqa: PLC0415  # only a summary wants the status log

        kind = _status_response()
        data = bytearray()
        length: int | None = None
        for chunk in chunks:
            self._bytes += len(chunk)
            if self._bytes > _MAX_BYTES:
                raise EvidenceError(f"{self._source}: the status log has more than {_MAX_BYTES} bytes")
            data += chunk
            while len(data) >= (_LENGTH.size if length is None else length):
                if length is None:
                    (length,) = _LENGTH.unpack_from(data)
                    del data[: _LENGTH.size]
                    if length > _MAX_MESSAGE:
                        raise EvidenceError(f"{self._source}: a message of the status log has {length} bytes")
                    continue
                self._messages += 1
                if self._messages > _MAX_MESSAGES:
                    raise EvidenceError(f"{self._source}: the status log has more than {_MAX_MESSAGES} messages")
                try:
                    yield kind.FromString(bytes(data[:length]))
                except DecodeError as error:
                    message = f"{self._source}: a message of the status log cannot be read ({error})"
                    raise EvidenceError(message) from None
                del data[:length]
                length = None
        if data or length is not None:
            raise EvidenceError(f"{self._source}: the status log is cut off")

    def take(self, message: Any, steps: dict[str, Step]) -> None:  # noqa: ANN401  # protobuf makes classes at run time
        for vertex in message.vertexes:
            known = steps.get(vertex.digest) or Step(vertex.name)
            started = _seconds(vertex.started) if vertex.HasField("started") else None
            completed = _seconds(vertex.completed) if vertex.HasField("completed") else None
            steps[vertex.digest] = Step(
                known.name,
                # A step may run in several parts; it lasts from the start of the first to the end of the last.
                started=min((each for each in (known.started, started) if each is not None), default=None),
                completed=max((each for each in (known.completed, completed) if each is not None), default=None),
                cached=known.cached or vertex.cached,
                error=vertex.error or known.error,
            )
            self._updates += 1
            self._text += len(vertex.digest) + len(vertex.name) + len(vertex.error)
            if self._updates > _MAX_UPDATES or self._text > _MAX_TEXT:
                raise EvidenceError(
                    f"{self._source}: the status log has more about steps than is read: "
                    f"{_MAX_UPDATES} times, {_MAX_TEXT} characters"
                )


def _seconds(time: Any) -> float:  # noqa: ANN401  # the same
    return float(time.seconds + time.nanos / 1e9)


@cache
def _status_response() -> Any:  # noqa: ANN401  # the same
    """Return the class of the messages, with only the fields that are read: protobuf skips the others."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: PLC0415  # the same

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="status.proto", package="buildkit", syntax="proto3")

    def message(name: str, *fields: tuple[str, int, int, str]) -> None:
        added = file.message_type.add(name=name)
        for field_name, number, kind, type_name in fields:
            repeated = field_name == "vertexes"
            added.field.add(
                name=field_name,
                number=number,
                type=kind,
                type_name=type_name or None,
                label=field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL,
            )

    time = (field.TYPE_MESSAGE, ".buildkit.Time")
    message("Time", ("seconds", 1, field.TYPE_INT64, ""), ("nanos", 2, field.TYPE_INT32, ""))
    message(
        "Vertex",
        ("digest", 1, field.TYPE_STRING, ""),
        ("name", 3, field.TYPE_STRING, ""),
        ("cached", 4, field.TYPE_BOOL, ""),
        ("started", 5, *time),
        ("completed", 6, *time),
        ("error", 7, field.TYPE_STRING, ""),
    )
    message("StatusResponse", ("vertexes", 1, field.TYPE_MESSAGE, ".buildkit.Vertex"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("buildkit.StatusResponse"))
