"""A connection to BuildKit's API is opened once a build has begun, and never before."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RemoteSettingsChanged, WindowUpdated
from h2.settings import SettingCodes

from action.buildx.live_connection import OPENING, WINDOW, LiveConnections
from action.buildx.local_state import known_refs
from action.errors import EvidenceError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Buildx's folder, with a buildx that notes its arguments, and two builders that have built before."""
    program = tmp_path / "buildx"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/started\necho $$ > {tmp_path}/pid\nexec cat > {tmp_path}/received\n'
    )
    program.chmod(0o755)
    for builder in ("one", "two"):
        _build(tmp_path, f"{builder}/{builder}0/old")
    return tmp_path


def _build(folder: Path, ref: str) -> None:
    file = folder / "refs" / ref
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}")


def _connections(folder: Path, *, wanted: bool = True) -> LiveConnections:
    environment = {"PATH": "/usr/bin:/bin", "BUILDX_CONFIG": str(folder), "DOCKER_CONFIG": str(folder)}
    return LiveConnections(environment, wanted=wanted)


def _starts(folder: Path) -> list[str]:
    file = folder / "started"
    return file.read_text().splitlines() if file.exists() else []


def _eventually(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 30
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def test_a_server_understands_what_is_sent_first() -> None:
    server = H2Connection(H2Configuration(client_side=False))
    server.initiate_connection()
    settings, window = server.receive_data(OPENING)
    assert isinstance(settings, RemoteSettingsChanged)
    changed = {code: setting.new_value for code, setting in settings.changed_settings.items()}
    assert changed == {SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: WINDOW}
    assert isinstance(window, WindowUpdated)
    assert window.delta == WINDOW


def test_the_file_of_a_new_build_is_the_sign_that_its_node_runs(folder: Path) -> None:
    with _connections(folder) as connections:
        connections.watch((str(folder / "buildx"),), known_refs(folder))
        time.sleep(0.3)
        assert _starts(folder) == []
        _build(folder, "two/two0/new")
        assert _eventually(lambda: _starts(folder) == ["dial-stdio --builder two"])
        assert _eventually(lambda: (folder / "received").read_bytes() == OPENING)


def test_each_node_of_a_bake_gets_a_connection(folder: Path) -> None:
    with _connections(folder) as connections:
        connections.watch((str(folder / "buildx"),), known_refs(folder))
        for builder in ("one", "three"):
            _build(folder, f"{builder}/{builder}0/new")
        expected = ["dial-stdio --builder one", "dial-stdio --builder three"]
        assert _eventually(lambda: sorted(_starts(folder)) == expected)


def test_no_connection_is_opened_early_if_no_record_is_likely_to_be_needed(folder: Path) -> None:
    with _connections(folder, wanted=False) as connections:
        connections.watch((str(folder / "buildx"),), known_refs(folder))
        _build(folder, "one/one0/new")
        time.sleep(0.3)
        assert _starts(folder) == []
        connections.connect((str(folder / "buildx"),), "one", "one0")
        assert _eventually(lambda: _starts(folder) == ["dial-stdio --builder one"])


def test_a_connection_that_was_opened_early_is_used_later(folder: Path) -> None:
    with _connections(folder) as connections:
        connections.watch((str(folder / "buildx"),), known_refs(folder))
        _build(folder, "one/one0/new")
        assert _eventually(lambda: bool(_starts(folder)))
        first = connections.connect((str(folder / "buildx"),), "one", "one0")
        assert connections.connect((str(folder / "buildx"),), "one", "one0") is first
    assert len(_starts(folder)) == 1


def test_after_the_end_nothing_is_opened_and_nothing_runs(folder: Path) -> None:
    with _connections(folder) as connections:
        connections.watch((str(folder / "buildx"),), known_refs(folder))
        connections.connect((str(folder / "buildx"),), "one", "one0")
        assert _eventually(lambda: (folder / "pid").exists() and (folder / "pid").read_text().endswith("\n"))
    assert not psutil.pid_exists(int((folder / "pid").read_text()))
    with pytest.raises(EvidenceError, match="are closed"):
        connections.connect((str(folder / "buildx"),), "one", "one0")


def test_a_folder_that_buildx_has_not_made_yet_is_waited_for(folder: Path) -> None:
    for file in sorted((folder / "refs").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (folder / "refs").rmdir()
    with _connections(folder) as connections:
        connections.watch((str(folder / "buildx"),), known_refs(folder))
        time.sleep(0.1)
        _build(folder, "one/one0/new")
        assert _eventually(lambda: _starts(folder) == ["dial-stdio --builder one"])


def _plugin(folder: Path) -> tuple[str, ...]:
    (folder / "buildx").rename(folder / "docker-buildx")
    return (str(folder / "docker-buildx"), "buildx")


@pytest.mark.parametrize("answers", [True, False])
def test_over_a_socket_that_does_not_help_buildx_connects(folder: Path, *, answers: bool) -> None:
    """The first connection fails at once, or later, as one does whose engine restarts."""
    buildx = _plugin(folder)
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(folder / "docker.sock"))
        engine.listen()

        def serve() -> None:
            connected, _ = engine.accept()
            with connected:
                connected.recv(65536)
                connected.sendall(b"HTTP/1.1 101 UPGRADED\r\n\r\n" if answers else b"HTTP/1.1 404 Not Found\r\n\r\n")
                # Not closed before the client has sent what opens the connection: that would fail at once.
                connected.recv(65536)

        thread = threading.Thread(target=serve)
        thread.start()
        environment = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": f"unix://{folder}/docker.sock"}
        environment |= {"BUILDX_CONFIG": str(folder), "DOCKER_CONFIG": str(folder)}
        with LiveConnections(environment, wanted=True) as connections:
            connections.connect(buildx, "default", "default")
            if answers:
                assert _starts(folder) == []
                connections.disconnect("default", "default")
                connections.connect(buildx, "default", "default")
            assert _eventually(lambda: _starts(folder) == ["buildx dial-stdio --builder default"])
        thread.join()


def test_the_end_does_not_wait_for_an_engine_that_hangs(folder: Path) -> None:
    buildx = _plugin(folder)
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(folder / "docker.sock"))
        engine.listen()
        engine.settimeout(30)
        environment = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": f"unix://{folder}/docker.sock"}
        environment |= {"BUILDX_CONFIG": str(folder), "DOCKER_CONFIG": str(folder)}
        with LiveConnections(environment, wanted=True) as connections:
            opening = threading.Thread(target=_refused, args=(connections, buildx))
            opening.start()
            connected, _ = engine.accept()
        assert opening.is_alive()
        connected.close()
        opening.join(30)
    assert _starts(folder) == []


def _refused(connections: LiveConnections, buildx: tuple[str, ...]) -> None:
    with pytest.raises(EvidenceError, match="are closed"):
        connections.connect(buildx, "default", "default")
