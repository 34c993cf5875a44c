"""OCI layouts made by hand for the tests: every digest is computed here, from the bytes."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import IO

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def encode(value: object) -> bytes:
    return json.dumps(value).encode()


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def blob_name(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def descriptor(data: bytes, media_type: str, **more: object) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **more}


def image(architecture: str = "amd64") -> tuple[bytes, bytes]:
    """A manifest and its config."""
    config = encode({"os": "linux", "architecture": architecture})
    return encode({"schemaVersion": 2, "config": descriptor(config, CONFIG), "layers": []}), config


def layout(*entries: dict[str, object], blobs: tuple[bytes, ...]) -> dict[str, bytes]:
    """The members of a layout whose index.json has these entries."""
    return {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": encode({"schemaVersion": 2, "manifests": list(entries)}),
        **{blob_name(digest_of(blob)): blob for blob in blobs},
    }


def one_image() -> tuple[dict[str, bytes], str, str]:
    """A layout with one image, the digest of its manifest, and that of its config."""
    manifest, config = image()
    return layout(descriptor(manifest, MANIFEST), blobs=(manifest, config)), digest_of(manifest), digest_of(config)


def tar_bytes(members: dict[str, bytes], *special: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    _write(buffer, members, special)
    return buffer.getvalue()


def write_tar(file: Path, members: dict[str, bytes], *special: tarfile.TarInfo) -> Path:
    with file.open("wb") as opened:
        _write(opened, members, special)
    return file


def _write(to: IO[bytes], members: dict[str, bytes], special: tuple[tarfile.TarInfo, ...]) -> None:
    with tarfile.open(fileobj=to, mode="w") as tar:
        for info in special:
            tar.addfile(info)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def link(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info
