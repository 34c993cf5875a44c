"""The engines that people use, and how each one is started."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from engine.buildkit import Node, buildkitd, container_builder, remote_builder
from engine.docker import Docker, ImageStore, private_docker, programs
from engine.golang import buildx

Driver = Literal["docker", "docker-container", "remote"]

_SUITES = {"20.10": "bookworm", "26.1": "trixie", "28.5": "forky"}
"""Docker release to the Debian suite that contains it."""

_CLIENTS = {"0.13": "trixie", "0.29": "forky", "0.38": "forky"}
"""buildx release to the Debian suite of the docker command that is used with it."""

_BUILT_BUILDX = {"0.38": "0.38.2"}
"""buildx releases that no Debian suite contains, and that are built from source."""

BUILDKIT = {"0.13": "0.13.2", "0.20": "0.20.2", "0.34": "0.34.2"}

_PLATFORMS = ("linux/amd64", "linux/arm64")


@dataclass(frozen=True)
class Engine:
    """A combination of buildx, Docker Engine and builder.

    Attributes:
        buildx: the release of buildx.
        docker: the release of the Docker Engine.
        store: the Docker Engine's image store.
        driver: the builder's driver.
        buildkit: the release of BuildKit; empty for the BuildKit inside the Docker Engine.
        nodes: the number of the builder's nodes; several nodes each have their own platform.
    """

    buildx: str
    docker: str = "28.5"
    store: ImageStore = "containerd"
    driver: Driver = "docker"
    buildkit: str = ""
    nodes: int = 1

    @property
    def name(self) -> str:
        """The name in the table and in test names."""
        docker = f"Docker {self.docker} {self.store}"
        if self.driver == "docker":
            return f"{docker}, buildx {self.buildx}"
        driver = "two remote nodes" if self.nodes > 1 else self.driver
        beside = f", {docker}" if self.driver == "docker-container" else ""
        return f"{driver} BuildKit {self.buildkit}, buildx {self.buildx}{beside}"


ENGINES = (
    Engine("0.13", docker="20.10", store="classic"),
    Engine("0.29", docker="20.10", store="classic"),
    Engine("0.38", docker="20.10", store="classic"),
    Engine("0.13", docker="26.1", store="classic"),
    Engine("0.38", docker="26.1", store="classic"),
    Engine("0.13", docker="26.1"),
    Engine("0.38", docker="26.1"),
    Engine("0.29", docker="28.5", store="classic"),
    Engine("0.38", docker="28.5", store="classic"),
    Engine("0.13", docker="28.5"),
    Engine("0.29", docker="28.5"),
    Engine("0.38", docker="28.5"),
    Engine("0.13", docker="26.1", store="classic", driver="docker-container", buildkit="0.13"),
    Engine("0.29", docker="28.5", store="classic", driver="docker-container", buildkit="0.20"),
    Engine("0.13", docker="26.1", store="classic", driver="docker-container", buildkit="0.34"),
    Engine("0.38", docker="20.10", store="classic", driver="docker-container", buildkit="0.34"),
    Engine("0.38", docker="28.5", driver="docker-container", buildkit="0.34"),
    Engine("0.13", driver="remote", buildkit="0.13"),
    Engine("0.38", driver="remote", buildkit="0.13"),
    Engine("0.29", driver="remote", buildkit="0.20"),
    Engine("0.13", driver="remote", buildkit="0.34"),
    Engine("0.38", driver="remote", buildkit="0.34"),
    Engine("0.13", driver="remote", buildkit="0.13", nodes=2),
    Engine("0.29", driver="remote", buildkit="0.20", nodes=2),
    Engine("0.38", driver="remote", buildkit="0.34", nodes=2),
)


@contextmanager
def started(engine: Engine, registry: str) -> Iterator[Docker]:
    """Start an engine, and make its builder the current one.

    Raises:
        EngineError: the engine cannot be downloaded, built or started on this machine.
    """
    built = buildx(_BUILT_BUILDX[engine.buildx]) if engine.buildx in _BUILT_BUILDX else None
    which = programs(_SUITES[engine.docker], _CLIENTS[engine.buildx], built)
    with contextlib.ExitStack() as stack:
        docker = stack.enter_context(private_docker(engine.store, which))
        if engine.driver == "docker-container":
            stack.enter_context(container_builder(docker, BUILDKIT[engine.buildkit], registry))
        elif engine.driver == "remote":
            addresses = [stack.enter_context(buildkitd(BUILDKIT[engine.buildkit])) for _ in range(engine.nodes)]
            platforms = _PLATFORMS if engine.nodes > 1 else ("",)
            nodes = [Node(address, platform) for address, platform in zip(addresses, platforms, strict=True)]
            stack.enter_context(remote_builder(docker, *nodes))
        yield docker
