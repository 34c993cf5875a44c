"""Reads the status log of a build from its record: its times, its steps and their errors.

The record names a status log: BuildKit's `StatusResponse` messages, each after its length as a little-endian `uint32`
(moby/buildkit 0.32, solver/llbsolver/history/buildhistory.go and api/services/control/control.proto).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import Field

from action.dataclass import dataclass
from action.errors import EvidenceError
from action.evidence.buildkit_api import StatusResponse, decoded, seconds
from action.evidence.record import StatusLog, Step
from action.evidence.record_file import record_manifests
from action.oci.layout import TarLayout, blob_member, read_blob
from action.oci.models import DeferredModel, Manifest, parse

STATUS_TYPE = "application/vnd.buildkit.status.v0"
"""Media type of a status log."""

_MAX_MESSAGE = 4 * 1024 * 1024
"""Longest message of a status log, in bytes: BuildKit splits those of over 1 MiB (client/solve.go)."""

# For all logs of a file together: each step, with its name and its error, is kept in memory.
_MAX_BYTES = 384 * 1024 * 1024
_MAX_MESSAGES = 1_000_000
_MAX_UPDATES = 300_000
_MAX_TEXT = 32 * 1024 * 1024

# What a cache exporter reports when it writes its manifest (moby/buildkit 0.34, cache/remotecache/export.go).
_CACHE_MANIFEST = re.compile(r"writing cache (?:image )?manifest (sha256:[0-9a-f]{64})")
_LENGTH = struct.Struct("<I")


@dataclass
class StepSoFar:
    """A step of a build as its messages have told it so far; its members are those of `Step`."""

    name: str
    started: float | None = None
    completed: float | None = None
    cached: bool = False
    error: str = ""
    caches: tuple[str, ...] = ()


class RecordTime(DeferredModel):
    """A time in a record, since 1970."""

    # With an integer beyond 1e308, which JSON allows, the conversion to a float would raise an OverflowError.
    seconds: int = Field(default=0, ge=-(2**62), le=2**62)
    nanos: int = Field(default=0, ge=-(2**62), le=2**62)

    @property
    def since_1970(self) -> float:
        """The time in seconds."""
        return self.seconds + self.nanos / 1e9


class TimedRecord(DeferredModel):
    """A record as BuildKit writes it, with the members that tell when the build ran."""

    ref: str = Field(default="", alias="Ref")
    created: RecordTime | None = Field(default=None, alias="CreatedAt")
    completed: RecordTime | None = Field(default=None, alias="CompletedAt")


def read_status_log(file: Path) -> list[StatusLog]:
    """Read the status log of each build from a file of records.

    Raises:
        EvidenceError: the file cannot be read, or a log exceeds a limit.
    """
    with TarLayout(file) as layout:
        reader = StatusReader(layout.source)
        return [_read(layout, manifest, reader) for manifest in record_manifests(layout)]


def _read(layout: TarLayout, manifest: Manifest, reader: StatusReader) -> StatusLog:
    data = read_blob(layout, manifest.config.digest)
    # Without the record only the times of the build are missing.
    record = parse(TimedRecord, data or b"{}", layout.source)
    steps: dict[str, StepSoFar] = {}
    for layer in manifest.layers or ():
        if layer.media_type == STATUS_TYPE and (chunks := layout.chunks(blob_member(layer.digest))) is not None:
            for message in _messages(chunks, reader):
                reader.take(message, steps)
    return StatusLog(
        record.ref,
        record.created.since_1970 if record.created else None,
        record.completed.since_1970 if record.completed else None,
        in_order(steps),
    )


def in_order(steps: Mapping[str, StepSoFar]) -> tuple[Step, ...]:
    """Return steps in the order in which they started, then those that did not start."""
    # A status can name the manifest of a cache although its step itself is never reported.
    named = (step for step in steps.values() if step.name or not step.caches)
    ordered = sorted(named, key=lambda step: (step.started is None, step.started or 0.0))
    return tuple(
        Step(step.name, step.started, step.completed, cached=step.cached, error=step.error, caches=step.caches)
        for step in ordered
    )


def _messages(chunks: Iterator[bytes], reader: StatusReader) -> Iterator[bytes]:
    """Split a log into its messages."""
    # A message, and its length too, can begin in one piece of the file and end in another.
    data = b""
    for chunk in chunks:
        reader.count(len(chunk))
        data += chunk
        place = 0
        while place + _LENGTH.size <= len(data):
            (length,) = _LENGTH.unpack_from(data, place)
            if length > _MAX_MESSAGE:
                raise EvidenceError(f"{reader.source}: a message of the status log has {length} bytes")
            begin, end = place + _LENGTH.size, place + _LENGTH.size + length
            if end > len(data):
                break
            yield data[begin:end]
            place = end
        data = data[place:]
    if data:
        raise EvidenceError(f"{reader.source}: the status log is cut off")


class StatusReader:
    """Reader of the messages of status logs; the limits above apply to all logs that it reads together.

    Args:
        source: the name of the logs in errors.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._message = f"{source}: a message of the status log"
        self._bytes = self._messages = self._updates = self._text = 0

    def count(self, size: int) -> None:
        """Count bytes that are about to be read.

        Raises:
            EvidenceError: they exceed the limit.
        """
        self._bytes += size
        if self._bytes > _MAX_BYTES:
            raise EvidenceError(f"{self.source}: the status log has more than {_MAX_BYTES} bytes")

    def take(self, message: bytes, steps: dict[str, StepSoFar]) -> None:
        """Read a `StatusResponse`.

        Args:
            message: the message.
            steps: the build's steps by their digests, which are updated.

        Raises:
            EvidenceError: the message cannot be read, or exceeds a limit.
        """
        self._messages += 1
        if self._messages > _MAX_MESSAGES:
            raise EvidenceError(f"{self.source}: the status log has more than {_MAX_MESSAGES} messages")
        response = decoded(StatusResponse, message, self._message)
        for vertex in response.vertexes:
            digest, name, error = vertex.digest, vertex.name, vertex.error
            self._count_update(len(digest) + len(name) + len(error))
            if (step := steps.get(digest)) is None:
                step = steps[digest] = StepSoFar(name)
            step.name = step.name or name
            # A step may run in several parts; it lasts from the start of the first to the end of the last.
            if vertex.HasField("started"):
                started = seconds(vertex.started)
                step.started = started if step.started is None else min(step.started, started)
            if vertex.HasField("completed"):
                completed = seconds(vertex.completed)
                step.completed = completed if step.completed is None else max(step.completed, completed)
            step.cached = step.cached or vertex.cached
            step.error = error or step.error
        for status in response.statuses:
            if match := _CACHE_MANIFEST.fullmatch(status.id):
                self._count_update(len(status.id))
                # It may come before the step itself.
                step = steps.setdefault(status.vertex, StepSoFar(""))
                if match[1] not in step.caches:
                    step.caches += (match[1],)

    def _count_update(self, text: int) -> None:
        self._updates += 1
        self._text += text
        if self._updates > _MAX_UPDATES or self._text > _MAX_TEXT:
            raise EvidenceError(
                f"{self.source}: the status log has more about steps than is read: "
                f"{_MAX_UPDATES} times, {_MAX_TEXT} characters"
            )
