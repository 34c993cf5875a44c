"""A Docker engine: the one of the machine, or a private one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine import EngineError
from engine.packages import SUITE, docker_root, say
from engine.processes import checked, serving

ImageStore = Literal["containerd", "classic"]
"""Where an engine keeps images: in containerd's content store, or in Docker's older, own one."""

_ASK_SECONDS = 30
_FOLDERS = tuple(map(Path, ("/run/docker/plugins", "/run/docker", "/run/containerd")))
"""The folders that dockerd makes at fixed places, the innermost first."""


@dataclass(frozen=True)
class Docker:
    """An engine that answers.

    Attributes:
        environment: the environment of a program that uses the engine.
        image_store: where it keeps images.
    """

    environment: Mapping[str, str]
    image_store: ImageStore


@dataclass(frozen=True)
class Programs:
    """The programs of a private engine.

    Attributes:
        engine: the folder with dockerd and the programs that it runs.
        client: the folder with the docker command.
        buildx: the buildx plugin.
    """

    engine: Path
    client: Path
    buildx: Path


def programs(engine: str = SUITE, client: str = SUITE, buildx: Path | None = None) -> Programs:
    """Return programs from Debian's archive, and download them if they are missing.

    Args:
        engine: the suite of the engine.
        client: the suite of the docker command.
        buildx: the buildx plugin; None for that of the client's suite.

    Raises:
        EngineError: the packages cannot be downloaded.
    """
    root = docker_root(client)
    return Programs(docker_root(engine), root, buildx or root / "usr/libexec/docker/cli-plugins/docker-buildx")


def present_docker() -> Docker | str:
    """Return the Docker of this environment, or the reason why it cannot be used."""
    docker = shutil.which("docker")
    if docker is None:
        return "there is no docker on the PATH"
    if not _answers([docker, "buildx", "version"], os.environ):
        return f"{docker} has no buildx plugin (https://docs.docker.com/go/buildx)"
    try:
        done = checked([docker, "info", "--format", "{{json .DriverStatus}}"], os.environ, _ASK_SECONDS)
    except EngineError as error:
        return str(error).splitlines()[-1]
    store: ImageStore = "containerd" if "io.containerd.snapshotter" in done else "classic"
    return Docker(dict(os.environ), store)


@contextmanager
def private_docker(
    image_store: ImageStore, which: Programs | None = None, settings: Mapping[str, object] | None = None
) -> Iterator[Docker]:
    """Run a private Docker engine during a `with` block, with its state in a temporary folder that is removed.

    Args:
        image_store: where it keeps images.
        which: its programs; None for current ones.
        settings: more settings of its daemon.json.

    Raises:
        EngineError: the engine cannot be downloaded or started.
    """
    if os.geteuid() != 0:
        message = (
            "a private Docker engine needs root: run the command as root (sudo), or start Docker with its buildx "
            "plugin and check that `docker buildx ls` works for this user"
        )
        raise EngineError(message)
    which = which or programs()
    # A short path: that of a Unix socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="bd-", dir="/tmp"))
    try:
        environment = _environment(which, folder)
        config = folder / "daemon.json"
        config.write_text(json.dumps({**_configuration(folder, image_store), **(settings or {})}), encoding="utf-8")
        docker = which.client / "usr/bin/docker"
        say(f"starting a private Docker engine ({image_store} image store), to be stopped and removed at the end")
        command = (which.engine / "usr/sbin/dockerd", "--config-file", config)
        own = {**environment, "PATH": _path(which.engine), "LD_LIBRARY_PATH": _libraries(which.engine)}
        log = folder / "dockerd.log"
        with _no_folders_left(), serving(command, own, log, lambda: _answers([docker, "version"], environment)):
            yield Docker(environment, image_store)
    finally:
        _remove(folder)


def _path(root: Path) -> str:
    return os.pathsep.join((str(root / "usr/bin"), str(root / "usr/sbin"), os.environ.get("PATH", os.defpath)))


def _libraries(root: Path) -> str:
    return os.pathsep.join(map(str, (*root.glob("lib/*-linux-gnu"), *root.glob("usr/lib/*-linux-gnu"))))


def _environment(which: Programs, folder: Path) -> dict[str, str]:
    config = folder / "config"
    plugins = config / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-buildx").symlink_to(which.buildx)
    dropped = {"DOCKER_CONTEXT", "BUILDX_BUILDER", "BUILDX_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {
        **kept,
        "PATH": _path(which.client),
        "DOCKER_HOST": f"unix://{folder}/docker.sock",
        "DOCKER_CONFIG": str(config),
    }


def _configuration(folder: Path, image_store: ImageStore) -> dict[str, object]:
    return {
        "features": {"containerd-snapshotter": image_store == "containerd"},
        "bridge": "none",
        "iptables": False,
        "ip6tables": False,
        "data-root": str(folder / "data"),
        "exec-root": str(folder / "exec"),
        "pidfile": str(folder / "dockerd.pid"),
        "hosts": [f"unix://{folder}/docker.sock"],
        "insecure-registries": ["127.0.0.0/8"],
    }


def _answers(command: list[str | Path], environment: Mapping[str, str]) -> bool:
    return _ask(command, environment) is not None


def _ask(command: list[str | Path], environment: Mapping[str, str]) -> str | None:
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=_ASK_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _remove(folder: Path) -> None:
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    points = [line.split(" ")[1] for line in mounts]
    for point in sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", point], check=False, capture_output=True)  # noqa: S607
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _no_folders_left() -> Iterator[None]:
    """Remove the empty folders that dockerd makes at fixed places, if they did not exist before."""
    made = [folder for folder in _FOLDERS if not folder.exists()]
    try:
        yield
    finally:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
