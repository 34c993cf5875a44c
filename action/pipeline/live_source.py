"""The records of a run's builds from BuildKit's API; the packages for that are loaded at the first use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from action.buildx.live_connection import SECONDS, LiveConnections
from action.errors import EvidenceError, PackagesError
from action.evidence.record import Record, StatusLog
from action.packages.preload import Preloader
from action.packages.sets import MODELS

Answers = Mapping[str, "Record | EvidenceError"]
"""`builder/node/ref` of a build to its record, or to the error that explains why there is none."""


class _Reader(Protocol):
    def read(self, refs: Sequence[str], *, seconds: float) -> Answers: ...

    def status_logs(self, refs: Sequence[str], *, seconds: float) -> list[StatusLog]: ...

    def blobs(self, ref: str, digests: Sequence[str], *, seconds: float) -> Mapping[str, bytes]: ...


class LiveSource:
    """Source of records that loads its packages when it is first asked.

    Args:
        connections: the connections to the nodes.
        buildx: the command that runs buildx.
        preloader: provides the packages; without them there are no records.
    """

    def __init__(self, connections: LiveConnections, buildx: tuple[str, ...], preloader: Preloader) -> None:
        self._connections = connections
        self._buildx = buildx
        self._preloader = preloader
        self._reader: _Reader | None = None

    def read(self, refs: Sequence[str], *, seconds: float = SECONDS) -> Answers:
        """Return the record of each build, or why it is missing; nothing if the packages are missing.

        Args:
            refs: `builder/node/ref` of each build.
            seconds: the time limit.
        """
        return self._reader.read(refs, seconds=seconds) if self._load() and self._reader is not None else {}

    def status_logs(self, refs: Sequence[str], *, seconds: float) -> list[StatusLog]:
        """Return the status log of each build whose record was read.

        Args:
            refs: `builder/node/ref` of each build.
            seconds: the time limit.

        Raises:
            EvidenceError: a status log cannot be read.
        """
        return self._reader.status_logs(refs, seconds=seconds) if self._reader is not None else []

    def blobs(self, ref: str, digests: Sequence[str], *, seconds: float) -> Mapping[str, bytes]:
        """Return blobs that the node of a build keeps: digest to bytes; nothing if the packages are missing.

        Args:
            ref: `builder/node/ref` of the build.
            digests: the digests of the blobs.
            seconds: the time limit.

        Raises:
            EvidenceError: the node does not answer.
        """
        return self._reader.blobs(ref, digests, seconds=seconds) if self._load() and self._reader is not None else {}

    def blob(self, ref: str, digest: str, *, seconds: float = SECONDS) -> bytes | None:
        """Return a blob that the node of a build keeps; None if it has no such blob, or if the packages are missing.

        Args:
            ref: `builder/node/ref` of the build.
            digest: the digest of the blob.
            seconds: the time limit.

        Raises:
            EvidenceError: the node does not answer.
        """
        return self.blobs(ref, (digest,), seconds=seconds).get(digest)

    def _load(self) -> bool:
        """Return whether there is a reader, and make it if its packages are there."""
        if self._reader is None:
            try:
                self._preloader.wait(MODELS)
            except PackagesError:
                return False
            from action.buildx.live_records import LiveRecords  # noqa: PLC0415  # its packages are there only now

            self._reader = LiveRecords(self._connections, self._buildx)
        return self._reader is not None
