"""BuildKit beside Docker: a private buildkitd, and builders that use one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.docker import Docker
from engine.golang import buildkit
from engine.packages import docker_root, say
from engine.processes import checked, serving

_SECONDS = 120
_ASK_SECONDS = 10


@dataclass(frozen=True)
class Node:
    """A node of a builder with the driver `remote`.

    Attributes:
        address: the address of its buildkitd.
        platforms: the platforms that it builds for, or empty for those that it reports.
    """

    address: str
    platforms: str = ""


@contextmanager
def buildkitd(version: str, settings: str = "") -> Iterator[str]:
    """Run a buildkitd during a `with` block, and yield its address. Its state is in a temporary folder that is removed.

    Args:
        version: the release, such as `0.32.2`.
        settings: more lines for the top of its buildkitd.toml.

    Raises:
        EngineError: it cannot be built or started.
    """
    programs = buildkit(version)
    # A short path: that of a Unix socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="bd-", dir="/tmp"))
    try:
        address = f"unix://{folder}/buildkitd.sock"
        config = folder / "buildkitd.toml"
        config.write_text(settings + _configuration(folder, address), encoding="utf-8")
        say(f"starting BuildKit {version}, to be stopped and removed at the end")
        path = os.pathsep.join((str(docker_root() / "usr/sbin"), os.environ.get("PATH", os.defpath)))
        environment = {**os.environ, "PATH": path}
        command = (programs / "buildkitd", "--config", config)
        ask = (programs / "buildctl", "--addr", address, "debug", "workers")
        with serving(command, environment, folder / "log", lambda: _answers(ask)):
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _configuration(folder: Path, address: str) -> str:
    # The native snapshotter copies files instead of mounting folders, so that no mount can be left over.
    return f"""root = {json.dumps(str(folder / "data"))}
[grpc]
address = [{json.dumps(address)}]
[worker.oci]
enabled = true
snapshotter = "native"
networkMode = "host"
[worker.containerd]
enabled = false
"""


def _answers(command: tuple[str | Path, ...]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=_ASK_SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


@contextmanager
def remote_builder(docker: Docker, *nodes: Node) -> Iterator[None]:
    """Make the current builder one of the driver `remote`, with a node for each buildkitd.

    Raises:
        EngineError: it cannot be made.
    """
    with _current_builder(docker.environment) as name:
        for place, node in enumerate(nodes):
            options = ["--append"] * (place > 0) + ["--platform", node.platforms] * bool(node.platforms)
            buildx(docker.environment, "create", "--use", "--name", name, "--driver", "remote", *options, node.address)
        buildx(docker.environment, "inspect", "--bootstrap", name)
        yield


@contextmanager
def container_builder(docker: Docker, version: str, registry: str) -> Iterator[None]:
    """Make the current builder one of the driver `docker-container`, as docker/setup-buildx-action does.

    Args:
        docker: the engine that runs the container.
        version: the release of BuildKit in it, such as `0.32.2`.
        registry: the address of the registry that the container's image is pushed to.

    Raises:
        EngineError: it cannot be made.
    """
    image = container_image(docker, version, registry)
    with _current_builder(docker.environment) as name:
        options = ("--driver-opt", f"image={image}", "--driver-opt", "network=host")
        buildx(docker.environment, "create", "--use", "--name", name, "--driver", "docker-container", *options)
        buildx(docker.environment, "inspect", "--bootstrap", name)
        yield


def container_image(docker: Docker, version: str, registry: str) -> str:
    """Make an image with only BuildKit, runc and the libraries of this machine that runc needs; return its name.

    Args:
        docker: the engine that makes it.
        version: the release of BuildKit in it, such as `0.32.2`.
        registry: the address of the registry that it is pushed to.

    Raises:
        EngineError: it cannot be made.
    """
    image = f"{registry}/buildkit:{version}"
    programs, runc = buildkit(version), docker_root() / "usr/sbin/runc"
    with tempfile.TemporaryDirectory(prefix="bd-image-") as name:
        folder = Path(name) / "root"
        for source, target in {
            programs / "buildkitd": "usr/bin/buildkitd",
            programs / "buildctl": "usr/bin/buildctl",
            runc: "usr/bin/runc",
            **{library: str(library).lstrip("/") for library in _libraries(runc)},
        }.items():
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / target)
        (folder / "tmp").mkdir()
        dockerfile = Path(name) / "Dockerfile"
        dockerfile.write_text('FROM scratch\nCOPY root /\nENV PATH=/usr/bin\nENTRYPOINT ["buildkitd"]\n')
        say(f"putting BuildKit {version} into a container image")
        output = f"type=image,name={image},push=true"
        # The docker driver with the classic image store refuses attestations.
        environment = {**docker.environment, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        buildx(environment, "build", "--builder", "default", "--output", output, name)
    return image


def _libraries(program: Path) -> list[Path]:
    done = subprocess.run(["ldd", program], capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)  # noqa: S607
    return [Path(found) for found in re.findall(r"(/\S+) \(0x", done.stdout)]


@contextmanager
def _current_builder(environment: Mapping[str, str]) -> Iterator[str]:
    name = "matrix"
    try:
        yield name
    finally:
        buildx(environment, "rm", "--force", name)


def buildx(environment: Mapping[str, str], *arguments: str) -> None:
    """Run buildx.

    Raises:
        EngineError: buildx failed; the message has the end of its standard error.
    """
    checked(["docker", "buildx", *arguments], environment, _SECONDS)
