"""Read images from registries, tars, folders, the engine and the build's record, without the package `action`."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

_ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)
_SECONDS = 60

Blobs = Mapping[str, bytes]
"""Digest to the blob's bytes."""


@dataclass(frozen=True)
class Child:
    """The image of one platform.

    Attributes:
        digest: the digest of its manifest.
        platform: `os/architecture[/variant]`, or None if it is not known.
        config: the digest of its config, or None if it is not known.
    """

    digest: str
    platform: str | None
    config: str | None


@dataclass(frozen=True)
class Image:
    """A manifest or index.

    Attributes:
        digest: its digest.
        media_type: its media type, empty if the document does not name it.
        size: its length in bytes.
        config: the digest of the config, or None for an index.
        children: the images of an index, without attestations; for a manifest, the manifest itself.
        attested: whether the index contains attestations.
    """

    digest: str
    media_type: str
    size: int
    config: str | None
    children: tuple[Child, ...]
    attested: bool


def sha256(content: bytes) -> str:
    """Return the digest of some bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def image_of(content: bytes, blobs: Blobs) -> Image:
    """Read a manifest or an index.

    Args:
        content: its bytes.
        blobs: the manifests of the index.
    """
    document = json.loads(content)
    digest = sha256(content)
    kind = str(document.get("mediaType", ""))
    if "manifests" not in document:
        config = str(document["config"]["digest"])
        return Image(digest, kind, len(content), config, (Child(digest, None, config),), attested=False)
    entries = [entry for entry in document["manifests"] if not _is_attestation(entry)]
    children = tuple(Child(entry["digest"], _platform(entry), _config(blobs.get(entry["digest"]))) for entry in entries)
    return Image(digest, kind, len(content), None, children, attested=len(entries) < len(document["manifests"]))


def _is_attestation(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("annotations", {}).get("vnd.docker.reference.type") == "attestation-manifest")


def _platform(entry: Mapping[str, Any]) -> str | None:
    platform = entry.get("platform")
    if not platform:
        return None
    return "/".join(filter(None, (platform["os"], platform["architecture"], platform.get("variant"))))


def _config(content: bytes | None) -> str | None:
    return str(json.loads(content)["config"]["digest"]) if content else None


def full_name(name: str) -> tuple[str, str, str]:
    """Split an image name into registry, repository and tag, with the defaults of github.com/distribution/reference."""
    first, slash, rest = name.partition("/")
    if not slash or not (set(first) & set(".:") or first == "localhost"):
        registry, path = "docker.io", name if slash else f"library/{name}"
    else:
        registry, path = first, rest
    repository, _, tag = path.partition(":")
    return registry, repository, tag or "latest"


def served(registry: str, repository: str, reference: str) -> tuple[str, bytes] | None:
    """Return the Docker-Content-Digest and the manifest that a registry serves for a tag or digest, or None."""
    status, digest, body = _get(registry, f"/v2/{repository}/manifests/{reference}", _ACCEPT)
    if status == http.HTTPStatus.NOT_FOUND:
        return None
    if status != http.HTTPStatus.OK or digest != sha256(body):
        raise RuntimeError(f"{registry}/{repository}: {reference}: the registry answers {status}, {digest}")
    return digest, body


def _get(registry: str, path: str, accept: str) -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection(registry, timeout=_SECONDS)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.headers["Docker-Content-Digest"], answer.read()
    finally:
        connection.close()


def served_blobs(registry: str, repository: str, content: bytes) -> Blobs:
    """Return the manifests of an index that a registry serves, by digest."""
    entries = json.loads(content).get("manifests", [])
    found = (served(registry, repository, entry["digest"]) for entry in entries if not _is_attestation(entry))
    return dict(filter(None, found))


def tar_image(file: Path) -> Image:
    """Return the image in an OCI or docker tar, by the tar's own index.json."""
    with tarfile.open(file) as tar:
        members = {member.name: member for member in tar.getmembers() if member.isfile()}

        def read(name: str) -> bytes:
            content = tar.extractfile(members[name])
            return content.read() if content else b""

        index = json.loads(read("index.json"))
        (digest,) = {entry["digest"] for entry in index["manifests"]}
        prefix = "blobs/sha256/"
        blobs = {f"sha256:{name.removeprefix(prefix)}": read(name) for name in members if name.startswith(prefix)}
    if sha256(blobs[digest]) != digest:
        raise RuntimeError(f"{file}: the blob {digest} has other bytes")
    return image_of(blobs[digest], blobs)


def folder_images(folder: Path) -> list[Image]:
    """Return the images in an OCI layout in a folder: each manifest or index that no other one names.

    Its index.json is not used, so that a wrong one is found.
    """
    blobs = {f"sha256:{path.name}": path.read_bytes() for path in (folder / "blobs/sha256").iterdir()}
    manifests = {digest: found for digest, content in blobs.items() if (found := _manifest(content)) is not None}
    named = {entry["digest"] for document in manifests.values() for entry in document.get("manifests", [])}
    return [image_of(blobs[digest], blobs) for digest in manifests if digest not in named]


def _manifest(content: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(content)
    except ValueError:
        return None
    is_one = isinstance(document, dict) and ("manifests" in document or {"config", "layers"} <= document.keys())
    return document if is_one else None


def record_blobs(ref: str, folder: Path, environment: Mapping[str, str]) -> Blobs:
    """Return every blob of a build's record from `docker buildx history export`; empty if there is no record."""
    file = folder / f"record-{ref}.tar"
    done = _docker(environment, "buildx", "history", "export", "--output", str(file), ref)
    if done.returncode:
        return {}
    with tarfile.open(file) as tar:
        contents = [tar.extractfile(member) for member in tar.getmembers() if member.name.startswith("blobs/")]
        read = [content.read() for content in contents if content]
    return {sha256(content): content for content in read}


def kept(name: str, environment: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return an image as `docker image inspect` prints it, or None if the engine does not have it.

    This calls the engine's API, because starting the docker command takes longer than most builds of the soak.
    """
    host = environment.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        done = _docker(environment, "image", "inspect", name)
        return dict(json.loads(done.stdout)[0]) if done.returncode == 0 else None
    connection = _Socket(host.removeprefix("unix://"))
    try:
        connection.request("GET", f"/images/{quote(name, safe='')}/json")
        answer = connection.getresponse()
        body = answer.read()
        return dict(json.loads(body)) if answer.status == http.HTTPStatus.OK else None
    finally:
        connection.close()


class _Socket(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)


def _docker(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # no shell; the arguments come from the generator
        ["docker", *arguments],  # noqa: S607  # the engine under test puts its docker first in PATH
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS * 2,
        check=False,
    )
