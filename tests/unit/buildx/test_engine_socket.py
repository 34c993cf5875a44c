"""BuildKit is reached over the engine's socket if that is sure to be the right one; whatever goes wrong is an error."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from action.buildx.engine_socket import Node, connect_engine
from action.errors import EvidenceError
from action.process.connected_program import Connection

_UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
_CREATED = b'HTTP/1.0 201 Created\r\nContent-Type: application/json\r\n\r\n{"Id":"c0ffee"}\n'

_ENGINE = Node("default", "default", "docker", "", "")


class Engine:
    """A server on a socket that answers the first connection with the first of its answers, and so on.

    Args:
        folder: the folder of the socket.
        answers: what each connection is sent, in pieces, once its request has come.
    """

    def __init__(self, folder: Path, *answers: tuple[bytes, ...]) -> None:
        self.path = folder / "docker.sock"
        self.requests: list[bytes] = []
        self._answers = answers
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.path))
        self._server.listen()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for pieces in self._answers:
            connected, _ = self._server.accept()
            self._open.append(connected)
            self.requests.append(connected.recv(65536))
            # The client may have gone: it reads no more than it needs.
            with contextlib.suppress(OSError):
                for piece in pieces:
                    connected.sendall(piece)
                    # So that the pieces come one by one.
                    time.sleep(0.005)
                connected.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for connected in (*self._open, self._server):
            connected.close()

    @property
    def container(self) -> Node:
        return Node("box", "box0", "docker-container", f"unix://{self.path}", "")

    def connect(self, node: Node = _ENGINE, seconds: float = 30.0) -> Connection | None:
        environment = {"DOCKER_HOST": f"unix://{self.path}"}
        return connect_engine(environment, node, time.monotonic() + seconds)


MakeEngine = Callable[..., Engine]


@pytest.fixture
def make_engine(tmp_path: Path) -> Iterator[MakeEngine]:
    made: list[Engine] = []

    def make(*answers: tuple[bytes, ...]) -> Engine:
        made.append(Engine(tmp_path, *answers))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def _read(connection: Connection | None) -> tuple[bytes, str]:
    """Return everything that a connection brings, and the error at its end."""
    assert connection is not None
    read = b""
    with contextlib.closing(connection):
        try:
            while True:
                read += connection.receive(time.monotonic() + 30)
        except EvidenceError as error:
            return read, str(error)


def _frame(stream: int, data: bytes) -> bytes:
    return bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big") + data


def test_what_follows_the_engines_answer_belongs_to_the_connection(make_engine: MakeEngine) -> None:
    engine = make_engine((_UPGRADED[:30], _UPGRADED[30:] + b"first", b" second"))
    assert _read(engine.connect())[0] == b"first second"
    (request,) = engine.requests
    assert request.startswith(b"POST /grpc HTTP/1.1\r\n")
    assert b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" in request


def test_in_a_container_buildctl_is_run_and_its_standard_output_is_read(make_engine: MakeEngine) -> None:
    stream = _frame(1, b"first ") + _frame(2, b"a warning\n") + _frame(1, b"") + _frame(1, b"second")
    engine = make_engine((_CREATED,), (_UPGRADED, *(bytes((byte,)) for byte in stream)))
    assert _read(engine.connect(engine.container)) == (b"first second", "a warning")
    created, started = engine.requests
    assert created.startswith(b"POST /containers/buildx_buildkit_box0/exec HTTP/1.0\r\n")
    assert json.loads(created.partition(b"\r\n\r\n")[2])["Cmd"] == ["buildctl", "dial-stdio"]
    assert started.startswith(b"POST /exec/c0ffee/start HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", r"refuses /grpc \(status 404\)"),
        (b"HTTP/1.1 200 OK\r\n\r\n", r"refuses /grpc \(status 200\)"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not answer in HTTP"),
        (b"HTTP/1.1 many\r\n\r\n", "does not answer in HTTP"),
        (b"\r\n\r\n", "does not answer in HTTP"),
        (b"HTTP/1.1 101 UPGRADED\r\n", "the connection to BuildKit's API ended"),
        (b"HTTP/1.1 101 UPGRADED\r\n" + b"A: b\r\n" * 100_000, "too long an answer"),
        (b"", "the connection to BuildKit's API ended"),
    ],
)
def test_an_engine_that_does_not_switch_to_the_protocol_is_an_error(
    make_engine: MakeEngine, answer: bytes, problem: str
) -> None:
    with pytest.raises(EvidenceError, match=problem):
        make_engine((answer,)).connect()


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.0 404 Not Found\r\n\r\n{"message":"No such container: buildx_buildkit_box0"}',
        b'HTTP/1.0 409 Conflict\r\n\r\n{"Id":"c0ffee"}',
        b"HTTP/1.0 201 Created\r\n\r\n",
        b"HTTP/1.0 201 Created\r\n\r\n[]",
        b'HTTP/1.0 201 Created\r\n\r\n{"Id": 7}',
        b"HTTP/1.0 201 Created\r\n\r\n" + b"[" * 100_000,
    ],
)
def test_a_container_that_runs_no_program_is_an_error(make_engine: MakeEngine, answer: bytes) -> None:
    engine = make_engine((answer,))
    with pytest.raises(EvidenceError, match="runs no buildctl in the container buildx_buildkit_box0"):
        engine.connect(engine.container)


def test_an_engine_that_does_not_answer_is_too_slow(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "docker.sock"))
        server.listen()
        environment = {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}
        with pytest.raises(EvidenceError, match="did not answer in time"):
            connect_engine(environment, _ENGINE, time.monotonic() + 0.3)


def test_a_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    environment = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    with pytest.raises(EvidenceError, match=r"cannot be reached at .*/none\.sock"):
        connect_engine(environment, _ENGINE, time.monotonic() + 30)


@pytest.mark.parametrize(
    ("environment", "node"),
    [
        ({"DOCKER_HOST": "tcp://127.0.0.1:1"}, _ENGINE),
        ({"DOCKER_HOST": "ssh://user@127.0.0.1"}, _ENGINE),
        ({"DOCKER_HOST": "unix://here/docker.sock"}, _ENGINE),
        ({"DOCKER_HOST": "unix:///here", "DOCKER_TLS_VERIFY": "1"}, _ENGINE),
        # The builder of another docker context, and builders on other engines or of other drivers.
        ({"DOCKER_HOST": "unix:///here"}, Node("elsewhere", "elsewhere", "docker", "", "")),
        ({"DOCKER_HOST": "unix:///here"}, Node("box", "box0", "docker-container", "unix:///there", "")),
        ({"DOCKER_HOST": "unix:///here"}, Node("box", "box0", "docker-container", "elsewhere", "")),
        ({"DOCKER_HOST": "unix:///here"}, Node("far", "far0", "remote", "unix:///here", "")),
        ({"DOCKER_HOST": "unix:///here"}, Node("pods", "pods0", "kubernetes", "", "")),
    ],
)
def test_any_other_builder_is_left_to_buildx(environment: dict[str, str], node: Node) -> None:
    assert connect_engine(environment, node, time.monotonic() + 30) is None
