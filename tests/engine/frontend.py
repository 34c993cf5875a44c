"""A frontend that answers with whatever a test wants: an image whose program says one thing to BuildKit and ends.

A frontend is a container that speaks gRPC with BuildKit over its standard input and output (moby/buildkit 0.32,
frontend/gateway). What this one says, the call of `Return`, is the same bytes each time, so that `cat` can say it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping

from tests.engine.conftest import Workplace

_CAPABILITIES = "moby.buildkit.frontend.inputs,moby.buildkit.frontend.subrequests,moby.buildkit.frontend.contexts"
_SETTINGS, _HEADERS, _DATA = 4, 1, 0
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1


def push_frontend(work: Workplace, metadata: Mapping[str, str], *platforms: str) -> str:
    """Push a frontend that returns an empty image, with metadata.

    Args:
        work: where it is made; its folder needs the program `busybox`.
        metadata: metadata key to value, as the frontend returns it.
        platforms: the platforms of an index to return, such as `linux/amd64`; none for one image without an index.

    Returns:
        Its name, for `# syntax=`.
    """
    folder = work.folder / "frontend"
    folder.mkdir()
    shutil.copy(work.folder / "busybox", folder / "busybox")
    (folder / "call").write_bytes(_call(metadata, platforms))
    # The answer is waited for: BuildKit drops a call whose caller has gone.
    entrypoint = ["/busybox", "sh", "-c", "/busybox cat /call; /busybox sleep 1"]
    (folder / "Dockerfile").write_text(
        "FROM scratch\n"
        "COPY busybox call /\n"
        f"LABEL moby.buildkit.frontend.caps={_CAPABILITIES} moby.buildkit.frontend.network.none=true\n"
        f"ENTRYPOINT {json.dumps(entrypoint)}\n"
    )
    name = f"{work.image}-frontend:1"
    work.docker("buildx", "build", "--provenance=false", "--push", "-t", name, str(folder))
    return name


def _call(metadata: Mapping[str, str], platforms: tuple[str, ...]) -> bytes:
    """An HTTP/2 connection with one gRPC call in it (RFC 9113; grpc, PROTOCOL-HTTP2.md)."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/moby.buildkit.v1.frontend.LLBBridge/Return",
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    fields = b"".join(b"\0" + _short(name.encode()) + _short(value.encode()) for name, value in headers.items())
    result = _platforms(platforms) if platforms else b""
    result += b"".join(_field(10, _entry(name, value)) for name, value in metadata.items())
    message = _field(1, result)
    return b"".join(
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            _frame(_SETTINGS, 0, 0, b""),
            _frame(_SETTINGS, _ACK, 0, b""),
            _frame(_HEADERS, _END_HEADERS, 1, fields),
            _frame(_DATA, _END_STREAM, 1, b"\0" + len(message).to_bytes(4, "big") + message),
        )
    )


def _platforms(platforms: tuple[str, ...]) -> bytes:
    """A result for each platform, and what says so (exporter/containerimage/exptypes/types.go)."""
    listed = [
        {"ID": platform, "Platform": dict(zip(("os", "architecture"), platform.split("/"), strict=True))}
        for platform in platforms
    ]
    refs = _field(4, b"".join(_field(1, _field(1, platform.encode()) + _field(2, b"")) for platform in platforms))
    return refs + _field(10, _entry("refs.platforms", json.dumps({"Platforms": listed})))


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _short(text: bytes) -> bytes:
    assert len(text) < 127, text
    return bytes((len(text),)) + text


def _entry(name: str, value: str) -> bytes:
    """An entry of the map of metadata (frontend/gateway/pb/gateway.proto, Result)."""
    return _field(1, name.encode()) + _field(2, value.encode())


def _field(number: int, value: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 127:
        data.append(number & 127 | 128)
        number >>= 7
    return bytes((*data, number))
