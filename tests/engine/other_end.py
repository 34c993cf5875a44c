"""Digests from the other end: what the registry serves, what the tar says. None of it uses the package."""

from __future__ import annotations

import hashlib
import http.client
import json
import tarfile
from pathlib import Path
from typing import Any

_ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)


def served(image: str, reference: str) -> tuple[str, dict[str, Any]]:
    """The Docker-Content-Digest and the document that a registry serves for a tag or digest."""
    registry, _, repository = image.partition("/")
    connection = http.client.HTTPConnection(registry, timeout=30)
    connection.request("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": _ACCEPT})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, body
    digest = answer.headers["Docker-Content-Digest"]
    assert digest == "sha256:" + hashlib.sha256(body).hexdigest()
    return digest, json.loads(body)


def served_blob(image: str, digest: str) -> bytes:
    """A blob that a registry serves."""
    registry, _, repository = image.partition("/")
    connection = http.client.HTTPConnection(registry, timeout=30)
    connection.request("GET", f"/v2/{repository}/blobs/{digest}")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, body
    assert digest == "sha256:" + hashlib.sha256(body).hexdigest()
    return body


def served_digest(image: str, tag: str = "latest") -> str:
    """The digest that a registry serves for a tag."""
    return served(image, tag)[0]


def copy_image(source: str, target: str, reference: str) -> dict[str, Any]:
    """Copy an image within a registry without a builder, and return the document of the digest or tag.

    Args:
        source: the repository that has it.
        target: another repository of the registry; the image gets the tag `latest` there.
        reference: its digest or tag.
    """
    document = served(source, reference)[1]
    for entry in document.get("manifests", []):
        copy_image(source, target, entry["digest"])
    registry, _, repository = target.partition("/")
    name = source.partition("/")[2]
    connection = http.client.HTTPConnection(registry, timeout=30)
    connection.request("GET", f"/v2/{name}/manifests/{reference}", headers={"Accept": _ACCEPT})
    body = connection.getresponse().read()

    def send(method: str, path: str, content: bytes = b"", **headers: str) -> None:
        connection.request(method, f"/v2/{repository}/{path}", content, headers)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (http.HTTPStatus.CREATED, b"")

    for each in [document["config"], *document["layers"]] if "layers" in document else []:
        send("POST", f"blobs/uploads/?mount={each['digest']}&from={name}")
    for each in (reference, "latest"):
        send("PUT", f"manifests/{each}", body, **{"Content-Type": document["mediaType"]})
    connection.close()
    return document


def not_served(image: str, tag: str) -> bool:
    """Whether a registry says that it has no such tag."""
    registry, _, repository = image.partition("/")
    connection = http.client.HTTPConnection(registry, timeout=30)
    connection.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers={"Accept": _ACCEPT})
    status = connection.getresponse().status
    connection.close()
    return status == http.HTTPStatus.NOT_FOUND


def tar_digest(file: Path) -> str:
    """The digest that the index.json of an OCI or docker tar names, checked against the bytes in the tar."""
    with tarfile.open(file) as tar:
        index = json.loads(_bytes(tar, "index.json"))
        (digest,) = {entry["digest"] for entry in index["manifests"]}
        blob = _bytes(tar, "blobs/" + digest.replace(":", "/"))
    assert digest == "sha256:" + hashlib.sha256(blob).hexdigest()
    return str(digest)


def tar_config(file: Path) -> str:
    """The digest of the config of a tar's one image."""
    with tarfile.open(file) as tar:
        (entry,) = json.loads(_bytes(tar, "index.json"))["manifests"]
        return str(json.loads(_bytes(tar, "blobs/" + entry["digest"].replace(":", "/")))["config"]["digest"])


def image_manifests(index: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of an index, attestations left out."""
    return [each for each in index["manifests"] if each["platform"]["os"] != "unknown"]


def _bytes(tar: tarfile.TarFile, name: str) -> bytes:
    content = tar.extractfile(name)
    assert content is not None
    return content.read()


def push_artifact(image: str, tags: tuple[str, ...], layer: bytes, **members: object) -> str:
    """Push an artifact's manifest without a builder, as cosign and oras do; its digest.

    Args:
        image: the repository.
        tags: the tags that it gets, or its own digest if there is none.
        layer: its one layer.
        members: more members of its manifest.
    """
    config = b"{}"
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _pushed_blob(image, config, "application/vnd.oci.image.config.v1+json"),
        "layers": [_pushed_blob(image, layer, "application/vnd.dev.cosign.simplesigning.v1+json")],
        **members,
    }
    return push_manifest(image, tags, manifest)


def push_manifest(image: str, tags: tuple[str, ...], manifest: dict[str, Any]) -> str:
    """Push a manifest or index whose parts the registry has; its digest."""
    data = json.dumps(manifest).encode()
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    for tag in tags or (digest,):
        _send(image, "PUT", f"manifests/{tag}", data, manifest["mediaType"])
    return digest


def _pushed_blob(image: str, data: bytes, media_type: str) -> dict[str, Any]:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    place = _send(image, "POST", "blobs/uploads/", b"", "").partition("/v2/")[2]
    mark = "&" if "?" in place else "?"
    name = image.partition("/")[2]
    _send(image, "PUT", f"{place.removeprefix(name + '/')}{mark}digest={digest}", data, "application/octet-stream")
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _send(image: str, method: str, path: str, data: bytes, media_type: str) -> str:
    """Send something to a registry, which must take it; the Location in its answer."""
    registry, _, repository = image.partition("/")
    connection = http.client.HTTPConnection(registry, timeout=30)
    connection.request(method, f"/v2/{repository}/{path}", data, {"Content-Type": media_type})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status in {http.HTTPStatus.ACCEPTED, http.HTTPStatus.CREATED}, body
    return answer.headers.get("Location", "")
