"""Connections to BuildKit's own API, opened while buildx builds.

They use the engine's socket (`engine_socket`), or else `docker buildx dial-stdio`, buildx 0.13 and later.

A connection is opened once the build has begun, because a builder may have to be started first, and two clients that
start one at the same time collide. buildx writes the file of a build (`refs/BUILDER/NODE/ID`) after it has started the
builder and before it builds (docker/buildx 0.13 to 0.38, build/build.go, saveLocalState): that file is the sign. A
connection that was not opened then is opened when it is needed, after the build.

This module uses the standard library only: it is imported before buildx starts. `live_records` makes the calls.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Mapping
from types import TracebackType

from action.buildx.engine_socket import connect_engine, find_node
from action.buildx.local_state import changes_of_nodes, refs_of_node, state_folder
from action.errors import EvidenceError
from action.process.connected_program import ConnectedProgram, Connection
from action.process.docker import is_plugin
from action.process.search import query_environment

WINDOW = 4 * 1024 * 1024
"""Bytes that BuildKit may send of one answer, and of all answers, before they are read."""

OPENING = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    # SETTINGS: no push (2), initial window size (4).
    + bytes.fromhex("00000c 04 00 00000000 0002 00000000 0004")
    + WINDOW.to_bytes(4, "big")
    # WINDOW_UPDATE of the connection.
    + bytes.fromhex("000004 08 00 00000000")
    + WINDOW.to_bytes(4, "big")
)
"""What a client of HTTP/2 sends first (RFC 9113, section 3.4). Sent at once: Go's server waits 10 seconds for it
(golang.org/x/net, http2/server.go), and a build may take hours."""

SECONDS = 20.0
"""The time limit for reading records, in seconds. It takes some milliseconds on an idle machine."""

_MAX_EARLY = 8
_OPEN_SECONDS = 5.0

# A run that is cancelled does not wait for an engine that hangs.
_CLOSE_SECONDS = 0.5

_CLOSED = "the connections to BuildKit's API are closed"

# A build that is wholly cached takes 0.3 s. A builder may be started, and its image pulled, for minutes.
_FIRST_WAIT = 0.01
_LAST_WAIT = 0.25
_GROWTH = 1.02

# buildx writes the files of all nodes before it builds, one after the other.
_OTHER_NODES_SECONDS = 1.0


class LiveConnections(contextlib.AbstractContextManager["LiveConnections"]):
    """Connections to BuildKit's API, one for each node that builds; for a `with` block, whose end closes them.

    Args:
        environment: buildx's whole environment.
        wanted: whether they are opened while buildx builds, because it is likely that they are needed.
    """

    def __init__(self, environment: Mapping[str, str], *, wanted: bool) -> None:
        self._environment = environment
        self._wanted = wanted
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._open: dict[tuple[str, str], Connection] = {}
        self._ended: set[tuple[str, str]] = set()

    def watch(self, buildx: tuple[str, ...], known: frozenset[str]) -> None:
        """Wait in a thread until a build has begun, and connect to its node; to be called once buildx has started.

        Args:
            buildx: the command that runs buildx.
            known: the builds, `builder/node/ref`, that buildx knew before.
        """
        if self._wanted and not self._open:
            threading.Thread(target=self._watch, args=(buildx, known), daemon=True).start()

    def connect(self, buildx: tuple[str, ...], builder: str, node: str) -> Connection:
        """Return the connection to a node, and open it if there is none.

        Args:
            buildx: the command that runs buildx.
            builder: the builder's name.
            node: the name of the node, which has to run already.

        Raises:
            EvidenceError: there is no connection; the message gives the reason.
        """
        with self._lock:
            if self._closed.is_set():
                raise EvidenceError(_CLOSED)
            if (builder, node) not in self._open:
                self._open[builder, node] = self._connected(buildx, builder, node)
            if self._closed.is_set():
                # The end of the `with` block did not wait for this.
                self._close_all()
                raise EvidenceError(_CLOSED)
            return self._open[builder, node]

    def disconnect(self, builder: str, node: str) -> None:
        """Close the connection to a node, if there is one: the next `connect` opens another."""
        with self._lock:
            if connection := self._open.pop((builder, node), None):
                connection.close()
                self._ended.add((builder, node))

    def _connected(self, buildx: tuple[str, ...], builder: str, node: str) -> Connection:
        found = find_node(state_folder(self._environment), builder, node)
        if found is not None and (builder, node) not in self._ended and is_plugin(buildx):
            with contextlib.suppress(EvidenceError):
                deadline = time.monotonic() + _OPEN_SECONDS
                if (connection := connect_engine(self._environment, found, deadline)) is not None:
                    return _opened(connection)
        if self._closed.is_set():
            raise EvidenceError(_CLOSED)
        if found is None or found.platform is None:
            raise EvidenceError(f"buildx has no option that selects the node {node} of the builder {builder}")
        options = ("--builder", builder, *(("--platform", found.platform) if found.platform else ()))
        return _opened(ConnectedProgram((*buildx, "dial-stdio", *options), query_environment(self._environment)))

    def _watch(self, buildx: tuple[str, ...], known: frozenset[str]) -> None:
        folder = state_folder(self._environment)
        seen: dict[tuple[str, str], int] = {}
        wait, until = _FIRST_WAIT, math.inf
        while not self._closed.wait(wait) and time.monotonic() < until and len(self._open) < _MAX_EARLY:
            wait = min(wait * _GROWTH, _LAST_WAIT)
            # A folder whose time has not changed is not listed again: it can have thousands of files.
            times = changes_of_nodes(folder)
            for node in [node for node, changed in times.items() if seen.get(node) != changed]:
                if not known.issuperset(refs_of_node(folder, *node)):
                    until = time.monotonic() + _OTHER_NODES_SECONDS
                    with contextlib.suppress(EvidenceError):
                        self.connect(buildx, *node)
            seen = times

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        self._closed.set()
        if self._lock.acquire(timeout=_CLOSE_SECONDS):
            try:
                self._close_all()
            finally:
                self._lock.release()

    def _close_all(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()


def _opened(connection: Connection) -> Connection:
    """Send what a client sends first, or close the connection if that fails."""
    try:
        connection.send(OPENING, time.monotonic() + _OPEN_SECONDS)
    except EvidenceError:
        connection.close()
        raise
    return connection
