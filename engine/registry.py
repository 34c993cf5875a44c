"""A registry on loopback."""

from __future__ import annotations

import contextlib
import http
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from engine import EngineError
from engine.docker import Docker
from engine.packages import docker_root, say
from engine.processes import free_port, serving

_IMAGE = "registry:3"
_SECONDS = 60.0


@contextmanager
def registry(docker: Docker) -> Iterator[str]:
    """Run a registry during a `with` block, and yield its address, `localhost:PORT`.

    Args:
        docker: the engine that pushes to it. It also runs the registry if the machine has no program for that.

    Raises:
        EngineError: no registry can be started.
    """
    program = _program(docker.environment)
    with _program_registry(program) if program else _container_registry(docker) as port:
        yield f"localhost:{port}"


def _program(environment: Mapping[str, str]) -> Path | None:
    found = shutil.which("docker-registry", path=environment.get("PATH"))
    if found:
        return Path(found)
    with contextlib.suppress(EngineError):
        return docker_root() / "usr/bin/docker-registry"
    return None


@contextmanager
def _program_registry(program: Path) -> Iterator[int]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bd-registry-") as name:
        folder = Path(name)
        config = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            # In memory: on disk it answers 500 if two pushes bring a blob to one repository at the same time.
            "storage": {"inmemory": {}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{port}"},
        }
        file = folder / "config.yml"
        file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        say(f"starting a registry on localhost:{port}, to be stopped and removed at the end")
        with serving((program, "serve", file), os.environ, folder / "log", lambda: _answers(port)):
            yield port


@contextmanager
def _container_registry(docker: Docker) -> Iterator[int]:
    say(f"starting a registry from the image {_IMAGE}")
    container = _docker(docker, "run", "--detach", "--rm", "--publish", "127.0.0.1::5000", _IMAGE)
    try:
        port = int(_docker(docker, "port", container, "5000/tcp").splitlines()[0].rpartition(":")[2])
        end = time.monotonic() + _SECONDS
        while not _answers(port):
            if time.monotonic() > end:
                message = f"the registry on localhost:{port} does not answer"
                raise EngineError(message)
            time.sleep(0.1)
        yield port
    finally:
        _docker(docker, "rm", "--force", container)


def _docker(docker: Docker, *arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments],  # noqa: S607
        env=dict(docker.environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        message = f"docker {arguments[0]} failed: {done.stderr.strip()}"
        raise EngineError(message)
    return done.stdout.strip()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
