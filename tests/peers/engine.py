"""An engine with all that docker's own workflows take from the network: images, and a builder of a current BuildKit."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from engine.buildkit import Node, buildkitd, buildx, remote_builder
from engine.docker import Docker, private_docker, programs
from engine.golang import buildx as buildx_of
from engine.packages import docker_root
from engine.registry import registry

BUILDX, BUILDKIT = "0.38.2", "0.34.2"
_BRIDGE = "bdpeers0"

# The entitlements are those that docker/setup-buildx-action allows.
_BUILDKITD = """insecure-entitlements = ["network.host", "security.insecure"]
registry."docker.io".mirrors = ["{address}"]
registry."{address}".http = true
"""

# Programs that the peers' Dockerfiles run. There is no network: what they would download is not used later.
_SCRIPTS = {
    "apk": "exit 0",
    "curl": "exit 0",
    "printenv": 'eval "echo \\${$1:?}"',
    "sudo": 'exec "$@"',
    "addgroup": "exit 0",
    "adduser": "exit 0",
    "chown": "exit 0",
    "go": "echo app > /usr/bin/app",
}
_SCANNER = """#!/bin/sh
echo '{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document", "predicate": {}}' \
  > "$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json"
"""
_IMAGES = ("alpine:latest", "alpine:edge", "busybox:latest", "debian:latest", "golang:alpine")


@contextmanager
def started(folder: Path) -> Iterator[tuple[Docker, str]]:
    """Start an engine, a registry and a builder, and remove them at the end.

    Args:
        folder: an empty folder for images that are made.

    Yields:
        The engine, whose current builder is one of BuildKit beside Docker, and the registry's address.

    Raises:
        EngineError: they cannot be had on this machine.
    """
    which = programs(buildx=buildx_of(BUILDX))
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(registry(Docker(dict(os.environ), "containerd")))
        # Programs of a build with the docker driver run in the engine's own network.
        stack.enter_context(_bridge())
        settings = {"bridge": _BRIDGE, "registry-mirrors": [f"http://{address}"]}
        docker = stack.enter_context(private_docker("containerd", which, settings))
        _push_images(docker, address, folder)
        node = Node(stack.enter_context(buildkitd(BUILDKIT, _BUILDKITD.format(address=address))))
        stack.enter_context(remote_builder(docker, node))
        yield docker, address


@contextmanager
def _bridge() -> Iterator[None]:
    def ip(*arguments: str) -> None:
        subprocess.run(("ip", *arguments), check=True, capture_output=True, timeout=60)

    ip("link", "add", _BRIDGE, "type", "bridge")
    try:
        ip("address", "add", "10.213.7.1/24", "dev", _BRIDGE)
        ip("link", "set", _BRIDGE, "up")
        yield
    finally:
        ip("link", "delete", _BRIDGE)


def _push_images(docker: Docker, address: str, folder: Path) -> None:
    root = folder / "root"
    for place in ("bin", "usr/bin", "etc", "tmp"):
        (root / place).mkdir(parents=True)
    shutil.copy(docker_root() / "bin/busybox", root / "bin/busybox")
    listed = subprocess.run([root / "bin/busybox", "--list"], capture_output=True, text=True, timeout=60, check=True)
    for name in {*listed.stdout.split(), "sh"} - set(_SCRIPTS) - {"busybox"}:
        (root / "bin" / name).symlink_to("busybox")
    for name, script in _SCRIPTS.items():
        _program(root / "usr/bin" / name, f"#!/bin/sh\n{script}\n")
    (root / "etc/os-release").write_text("ID=none\n")
    (root / "etc/sudoers").touch()
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nbuildx:x:0:0::/:/bin/sh\n")
    _program(folder / "scan", _SCANNER)
    (folder / "Dockerfile").write_text(
        "FROM scratch AS base\nCOPY root /\nENV PATH=/bin:/usr/bin\n"
        'FROM base AS scanner\nCOPY scan /scan\nENTRYPOINT ["/scan"]\n'
    )
    tags = [part for name in _IMAGES for part in ("--tag", f"{address}/library/{name}")]
    platforms = ("--platform", "linux/amd64,linux/arm64,linux/386", "--builder", "default", "--push")
    environment = {**docker.environment, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    buildx(environment, "build", *platforms, "--target", "base", *tags, str(folder))
    scanner = ("--tag", f"{address}/docker/buildkit-syft-scanner:stable-1")
    buildx(environment, "build", *platforms, "--target", "scanner", *scanner, str(folder))


def _program(file: Path, script: str) -> None:
    file.write_text(script)
    file.chmod(0o755)


@contextmanager
def programs_of(environment: Mapping[str, str], *, docker: bool) -> Iterator[str]:
    """Yield a PATH with the programs that a runner has and this machine may lack, and with docker or only buildx."""
    with tempfile.TemporaryDirectory(prefix="bd-peers-") as name:
        folder = Path(name)
        _program(folder / "tree", '#!/bin/sh\nfor last; do :; done; find "${last:-.}"\n')
        if docker:
            yield os.pathsep.join((name, environment["PATH"]))
            return
        (folder / "buildx").symlink_to(buildx_of(BUILDX))
        (folder / "python3").symlink_to(os.path.realpath(sys.executable))
        for each in ("git", "sh", "bash"):
            (folder / each).symlink_to(shutil.which(each) or "/nowhere")
        yield name
