"""BuildKit's records of a run's builds, read from its own API (`live_connection`).

`history export` gives the same and more, but it takes longer, and far longer after a bake: each exported record has the
trace of the whole bake. A record is identified by its build's reference, whatever else the engine builds meanwhile.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from action.buildx.grpc import Call, GrpcConnection
from action.buildx.live_connection import SECONDS, LiveConnections
from action.buildx.local_state import BuildRef, build_id
from action.errors import EvidenceError, NoRecordsError, SlowEvidenceError
from action.evidence.buildkit_api import (
    SOURCE,
    ContentRequest,
    HistoryRequest,
    LiveRecord,
    StatusRequest,
    read_content,
    read_event,
)
from action.evidence.record import Record, StatusLog
from action.evidence.status_log import StatusReader, StepSoFar, in_order

MAX_BYTES = 64 * 1024 * 1024
"""Maximum number of bytes that are received for the records of one node, and as many for their manifests."""

MAX_LOG_BYTES = 384 * 1024 * 1024
"""Maximum number of bytes that are received for the logs of one node."""

# No digest depends on the manifests that an index names, so a run does not wait long for them.
_MAX_MANIFESTS = 2000
_MANIFEST_SECONDS = 2.0

_HISTORY = "/moby.buildkit.v1.Control/ListenBuildHistory"
_STATUS = "/moby.buildkit.v1.Control/Status"
_CONTENT = "/containerd.services.content.v1.Content/Read"

# The gRPC status of a server that does not have the method.
_UNIMPLEMENTED = 12

_T = TypeVar("_T")
_Node = tuple[str, str]


class LiveRecords:
    """Records of builds, read from BuildKit's API; what was read once is kept.

    Args:
        connections: the connections to the nodes.
        buildx: the command that runs buildx.
    """

    def __init__(self, connections: LiveConnections, buildx: tuple[str, ...]) -> None:
        self._connections = connections
        self._buildx = buildx
        self._open: dict[_Node, GrpcConnection] = {}
        self._found: dict[str, LiveRecord] = {}
        self._results: dict[str, Record | EvidenceError] = {}
        self._manifests: dict[str, bytes] = {}

    def read(self, refs: Iterable[str], *, seconds: float = SECONDS) -> dict[str, Record | EvidenceError]:
        """Return the record of each build, or why it is missing.

        Args:
            refs: `builder/node/ref` of each build.
            seconds: the time limit.

        Returns:
            Each of the refs to its record or to the error. After a NoRecordsError an export finds nothing either.
        """
        deadline = time.monotonic() + seconds
        for node, ids in _by_node(refs).items():
            new = [each for each in ids if each not in self._results]
            error = self._error_of_node(node, new, deadline) if new else None
            self._results |= {each: error for each in new if each not in self._results and error is not None}
        malformed = EvidenceError("the build's reference does not have the form builder/node/ref")
        return {ref: self._results.get(build_id(ref), malformed) for ref in refs}

    def _error_of_node(self, node: _Node, ids: Sequence[str], deadline: float) -> EvidenceError | None:
        try:
            self._call_node(node, deadline, partial(self._read, node, ids))
        except EvidenceError as error:
            return error
        return None

    def status_logs(self, refs: Iterable[str], *, seconds: float) -> list[StatusLog]:
        """Return the status log of each build whose record was found.

        Args:
            refs: `builder/node/ref` of each build.
            seconds: the time limit.

        Raises:
            EvidenceError: a status log cannot be read.
        """
        deadline = time.monotonic() + seconds
        logs: list[StatusLog] = []
        reader = StatusReader(SOURCE)
        for node, ids in _by_node(refs).items():
            records = [self._found[each] for each in ids if each in self._found]
            if records:
                logs += self._call_node(node, deadline, partial(_read_status_logs, records, reader))
        return logs

    def blobs(self, ref: str, digests: Iterable[str], *, seconds: float) -> dict[str, bytes]:
        """Return blobs that the node of a build keeps, such as manifests and configs of an image that was not pushed.

        Args:
            ref: `builder/node/ref` of the build.
            digests: the digests of the blobs.
            seconds: the time limit.

        Returns:
            Digest to the bytes of each blob that is there. BuildKit removes what nothing refers to, such as a pushed
            image's manifests, a second or more after the build.

        Raises:
            EvidenceError: the node does not answer.
        """
        deadline = time.monotonic() + seconds
        wanted = tuple(digests)
        found = {digest: self._manifests[digest] for digest in wanted if digest in self._manifests}
        left = [digest for digest in wanted if digest not in found]
        for node in _by_node([ref]) if left else ():
            found |= self._call_node(node, deadline, partial(_read_blobs, left))
        return found

    def _call_node(self, node: _Node, deadline: float, use: Callable[[GrpcConnection, float], _T]) -> _T:
        """Use the connection to a node; if it has ended since it was opened, use another one."""
        try:
            return self._use(node, deadline, use)
        except (NoRecordsError, SlowEvidenceError):
            raise
        except EvidenceError:
            return self._use(node, deadline, use)

    def _use(self, node: _Node, deadline: float, use: Callable[[GrpcConnection, float], _T]) -> _T:
        try:
            if node not in self._open:
                self._open[node] = GrpcConnection(self._connections.connect(self._buildx, *node))
            return use(self._open[node], deadline)
        except EvidenceError:
            self._drop(node)
            raise

    def _drop(self, node: _Node) -> None:
        """End a connection after an error: calls may still be running in it."""
        self._open.pop(node, None)
        self._connections.disconnect(*node)

    def _read(self, node: _Node, ids: Sequence[str], connection: GrpcConnection, deadline: float) -> None:
        found = self._read_records(ids, connection, deadline)
        wanted = dict.fromkeys(digest for record in found for digest in record.blobs)
        blobs = _read_blobs(wanted, connection, deadline)
        try:
            blobs |= _read_manifests(found, blobs, connection, deadline)
        except EvidenceError:
            # Only sizes and image IDs of platforms are missing then.
            self._drop(node)
        self._manifests |= blobs
        for record in found:
            self._found[record.ref] = record
            self._results[record.ref] = _with_blobs(record, blobs)

    def _read_records(self, ids: Sequence[str], connection: GrpcConnection, deadline: float) -> list[LiveRecord]:
        messages: dict[str, list[bytes]] = {each: [] for each in ids}
        calls = {
            each: Call(_HISTORY, HistoryRequest(ref=each, early_exit=True).SerializeToString(), messages[each].append)
            for each in ids
        }
        connection.call(list(calls.values()), deadline, MAX_BYTES)
        answers = {each: _answer(each, call, messages[each]) for each, call in calls.items()}
        self._results |= {each: answer for each, answer in answers.items() if isinstance(answer, EvidenceError)}
        return [answer for answer in answers.values() if isinstance(answer, LiveRecord)]


def _answer(identifier: str, call: Call, messages: Sequence[bytes]) -> LiveRecord | EvidenceError:
    """Return the record in the answer of a call, or why there is none."""
    try:
        return _record(identifier, call, messages)
    except EvidenceError as error:
        return error


def _record(identifier: str, call: Call, messages: Sequence[bytes]) -> LiveRecord:
    if call.status == _UNIMPLEMENTED:
        raise NoRecordsError("this BuildKit keeps no build records: update it to 0.14 or later (Docker 27)")
    is_deleted = bool(call.status) and call.message.startswith(f"ref {identifier} is deleted")
    if call.status and not is_deleted:
        raise EvidenceError(f"{SOURCE} returns the error {call.status} for the record: {call.message}")
    events = [record for message in messages if (record := read_event(message)) is not None]
    if records := [record for record in events if record.ref == identifier]:
        # A record is sent again each time it changes.
        return records[-1]
    if messages:
        raise EvidenceError(f"the build {identifier} has not ended")
    raise NoRecordsError(
        f"BuildKit has no record of the build {identifier}: its history is switched off (set maxEntries in the section "
        "[history] of buildkitd.toml to more than 0), or the record was deleted"
    )


def _with_blobs(record: LiveRecord, blobs: Mapping[str, bytes]) -> Record | EvidenceError:
    try:
        return record.with_blobs(blobs)
    except EvidenceError as error:
        return error


def _read_blobs(digests: Iterable[str], connection: GrpcConnection, deadline: float) -> dict[str, bytes]:
    """Return digest to bytes of each blob that is there."""
    pieces: dict[str, list[bytes]] = {digest: [] for digest in digests}
    calls = {
        digest: Call(_CONTENT, ContentRequest(digest=digest).SerializeToString(), pieces[digest].append)
        for digest in pieces
    }
    connection.call(list(calls.values()), deadline, MAX_BYTES)
    blobs = {}
    for digest, call in calls.items():
        data = b"".join(map(read_content, pieces[digest]))
        if call.status == 0 and f"sha256:{hashlib.sha256(data).hexdigest()}" == digest:
            blobs[digest] = data
    return blobs


def _read_manifests(
    records: Sequence[LiveRecord], blobs: Mapping[str, bytes], connection: GrpcConnection, deadline: float
) -> dict[str, bytes]:
    """Return digest to bytes of the manifests that the records' indexes name; no digest depends on them."""
    named = dict.fromkeys(digest for record in records for digest in record.manifests_in(blobs))
    wanted = [digest for digest in named if digest not in blobs][:_MAX_MANIFESTS]
    until = min(deadline, time.monotonic() + _MANIFEST_SECONDS)
    return _read_blobs(wanted, connection, until) if wanted else {}


def _read_status_logs(
    records: Sequence[LiveRecord], reader: StatusReader, connection: GrpcConnection, deadline: float
) -> list[StatusLog]:
    steps: dict[str, dict[str, StepSoFar]] = {record.ref: {} for record in records}

    def take(ref: str, message: bytes) -> None:
        reader.count(len(message))
        reader.take(message, steps[ref])

    calls = [
        Call(_STATUS, StatusRequest(ref=record.ref).SerializeToString(), partial(take, record.ref))
        for record in records
    ]
    connection.call(calls, deadline, MAX_LOG_BYTES)
    return [
        StatusLog(record.ref, record.created, record.completed, in_order(steps[record.ref]))
        for record, call in zip(records, calls, strict=True)
        if call.status == 0
    ]


def _by_node(refs: Iterable[str]) -> dict[_Node, list[str]]:
    """Return the IDs of builds by `(builder, node)`."""
    ids: dict[_Node, list[str]] = {}
    for ref in dict.fromkeys(refs):
        if (parsed := BuildRef.parse(ref)) is not None:
            ids.setdefault((parsed.builder, parsed.node), []).append(parsed.id)
    return ids
