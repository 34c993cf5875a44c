"""Connections to BuildKit's API over the socket of the Docker Engine, without a program in between.

`docker buildx dial-stdio` makes the same requests, but takes 0.05 s of processor time to start, which a short build
waits for. The BuildKit in the engine answers `POST /grpc` (moby/moby 23 to 29, daemon/server/router/grpc). That of a
`docker-container` builder is reached by `buildctl dial-stdio` in its container (docker/buildx 0.13 to 0.36,
driver/docker/driver.go and driver/docker-container/driver.go).

This module uses the standard library only: it is imported before buildx starts.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from action.buildx.builder import DEFAULT_CONTEXT, DOCKER, engine_address, read_json
from action.dataclass import dataclass
from action.errors import EvidenceError
from action.process.connected_program import Connection

_UNIX = "unix://"
_CONTAINER = "docker-container"
_CONTAINER_PREFIX = "buildx_buildkit_"
_DIAL = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Cmd": ["buildctl", "dial-stdio"]}

_MAX_ANSWER = 64 * 1024
_FRAME_HEADER = 8
_STDOUT = 1
_END_OF_HEAD = b"\r\n\r\n"
_WORDS = 2
_SWITCHING_PROTOCOLS = 101
_CREATED = 201


@dataclass(frozen=True)
class Node:
    """A node of a builder.

    Attributes:
        builder: the builder's name.
        name: the node's name.
        driver: the builder's driver; `docker` if no user created the builder.
        endpoint: the address of the engine that the node was created on; empty with the driver `docker`.
        platform: a platform for which buildx chooses this node, such as `linux/arm64`; empty for the first node, which
            it chooses without one; None if no platform is sure to do so.
    """

    builder: str
    name: str
    driver: str
    endpoint: str
    platform: str | None


def find_node(folder: Path, builder: str, node: str) -> Node | None:
    """Return a node of a builder, or None if the builder has no such node.

    Args:
        folder: buildx's folder.
        builder: the builder's name.
        node: the node's name.
    """
    group = read_json(folder / "instances" / builder)
    if not group:
        # A Docker Engine has no file, and one node (docker/buildx 0.36, store/store.go).
        return Node(builder, node, DOCKER, "", "")
    nodes = group.get("Nodes")
    earlier: set[str] = set()
    for place, each in enumerate(nodes if isinstance(nodes, list) else []):
        own = _platforms(each)
        if isinstance(each, dict) and each.get("Name") == node:
            platform = "" if not place else next((platform for platform in own if platform not in earlier), None)
            return Node(builder, node, str(group.get("Driver")), str(each.get("Endpoint")), platform)
        earlier.update(own)
    return None


def _platforms(node: object) -> list[str]:
    """Return the platforms that a node was created with; buildx boots no node to find out more about these."""
    listed = node.get("Platforms") if isinstance(node, dict) else None
    return [
        "/".join(str(each[part]) for part in ("os", "architecture", "variant") if each.get(part))
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict)
    ]


def connect_engine(environment: Mapping[str, str], node: Node, deadline: float) -> Connection | None:
    """Connect to the BuildKit of a node over the engine's socket.

    Args:
        environment: buildx's whole environment.
        node: the node, which has to run already.
        deadline: the time of `time.monotonic` after which the engine is too slow.

    Returns:
        The connection, or None if this node is reached in another way, such as over a network or by a program.

    Raises:
        EvidenceError: the engine does not answer, or refuses the connection.
    """
    address = engine_address(environment)
    path = address.removeprefix(_UNIX)
    # A relative path starts in the folder that buildx runs in.
    if path == address or not path.startswith("/"):
        return None
    if environment.get("DOCKER_TLS_VERIFY") or not hasattr(socket, "AF_UNIX"):
        return None
    if node.driver == DOCKER and node.builder == DEFAULT_CONTEXT:
        connection = _EngineConnection(path, deadline)
        connection.upgrade("/grpc", "h2c", None, deadline)
        return connection
    if node.driver == _CONTAINER and node.endpoint == address:
        return _connect_container(path, _CONTAINER_PREFIX + node.name, deadline)
    return None


def _connect_container(path: str, container: str, deadline: float) -> Connection:
    created = _EngineConnection(path, deadline)
    with contextlib.closing(created):
        status, body = created.ask(f"/containers/{quote(container, safe='')}/exec", _DIAL, deadline)
    try:
        identifier = json.loads(body)["Id"] if status == _CREATED else None
    except (ValueError, KeyError, TypeError, RecursionError):
        identifier = None
    if not isinstance(identifier, str):
        raise EvidenceError(f"the Docker Engine runs no buildctl in the container {container} (status {status})")
    connection = _ContainerConnection(path, deadline)
    connection.upgrade(f"/exec/{quote(identifier, safe='')}/start", "tcp", {"Detach": False, "Tty": False}, deadline)
    return connection


class _EngineConnection(Connection):
    """A connection to the engine's socket, over which one request is made.

    Args:
        path: the path of the socket.
        deadline: the time of `time.monotonic` after which the engine is too slow.

    Raises:
        EvidenceError: nothing listens there, or this user may not connect to it.
    """

    def __init__(self, path: str, deadline: float) -> None:
        connected = socket.socket(socket.AF_UNIX)
        try:
            connected.settimeout(max(0.0, deadline - time.monotonic()))
            connected.connect(path)
        except OSError as error:
            connected.close()
            raise EvidenceError(f"the Docker Engine cannot be reached at {path}: {error}") from None
        super().__init__(connected)
        self._received = b""

    def ask(self, path: str, body: object, deadline: float) -> tuple[int, bytes]:
        """Make a request, and return the status and the body of the answer, after which the connection ends.

        Args:
            path: the path of the request.
            body: the JSON document to send.
            deadline: the time of `time.monotonic` after which the engine is too slow.

        Raises:
            EvidenceError: there is no answer, or it is too long.
        """
        # With HTTP/1.0 the answer ends with the connection, and never comes in chunks.
        self._send(path, "1.0", "", body, deadline)
        status = self._status(deadline)
        with contextlib.suppress(EvidenceError):
            while len(self._received) <= _MAX_ANSWER:
                self._received += super().receive(deadline)
        return status, self._received

    def upgrade(self, path: str, protocol: str, body: object, deadline: float) -> None:
        """Make a request after which the connection carries another protocol.

        Args:
            path: the path of the request.
            protocol: the name of the protocol.
            body: the JSON document to send.
            deadline: the time of `time.monotonic` after which the engine is too slow.

        Raises:
            EvidenceError: the engine refuses it; the connection is closed.
        """
        try:
            self._send(path, "1.1", f"Connection: Upgrade\r\nUpgrade: {protocol}\r\n", body, deadline)
            if (status := self._status(deadline)) != _SWITCHING_PROTOCOLS:
                raise EvidenceError(f"the Docker Engine refuses {path} (status {status})")
        except EvidenceError:
            self.close()
            raise

    def _send(self, path: str, version: str, headers: str, body: object, deadline: float) -> None:
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/{version}\r\nHost: docker\r\n{headers}Content-Type: application/json\r\n"
        self.send(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content, deadline)

    def _status(self, deadline: float) -> int:
        """Read the head of the answer and return its status; what follows the head is kept."""
        while _END_OF_HEAD not in self._received:
            if len(self._received) > _MAX_ANSWER:
                raise EvidenceError("the Docker Engine sends too long an answer")
            self._received += super().receive(deadline)
        head, _, self._received = self._received.partition(_END_OF_HEAD)
        words = head.split(maxsplit=2)
        if len(words) < _WORDS or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            raise EvidenceError("the Docker Engine does not answer in HTTP")
        return int(words[1])

    def receive(self, deadline: float) -> bytes:
        """Return the next bytes of the other protocol."""
        received, self._received = self._received, b""
        return received or super().receive(deadline)


class _ContainerConnection(_EngineConnection):
    """A connection to a program in a container.

    Its standard output and standard error come in frames: the stream, three bytes, the length, the data
    (moby/moby 28, api/swagger.yaml, ContainerAttach, "Stream format").
    """

    def __init__(self, path: str, deadline: float) -> None:
        super().__init__(path, deadline)
        self._unread = b""
        self._stream = 0
        self._left = 0
        self._errors = b""

    def receive(self, deadline: float) -> bytes:
        """Return the next bytes of the program's standard output."""
        while True:
            while not self._left:
                while len(self._unread) < _FRAME_HEADER:
                    self._unread += super().receive(deadline)
                header, self._unread = self._unread[:_FRAME_HEADER], self._unread[_FRAME_HEADER:]
                self._stream, self._left = header[0], int.from_bytes(header[4:], "big")
            received = self._unread or super().receive(deadline)
            data, self._unread = received[: self._left], received[self._left :]
            self._left -= len(data)
            if self._stream == _STDOUT:
                return data
            self._errors = (self._errors + data)[-_MAX_ANSWER:]

    def _why_it_ended(self) -> str:
        lines = self._errors.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else super()._why_it_ended()
