"""The files of the builds: a folder with a Dockerfile, a bake file, and a server that sends a file slowly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LONGER = (1, 3, 8)
"""Seconds that builds from `waits-SECONDS.Dockerfile` take longer."""

BAKES = (("50", 50, 0), ("50-slow", 50, 8))
"""Each bake: its name, the number of its targets, and the seconds of one more target that runs beside them."""

_DOCKERFILE = "FROM scratch\nCOPY hello.txt /\nMAINTAINER me\n"


@contextmanager
def slow_server() -> Iterator[str]:
    """Serve files that take as many seconds as their name says and have new content each time, and yield their URL.

    New content keeps BuildKit from using its cache, so that each build takes at least these seconds.
    """

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(int(self.path.rpartition("/")[2]))
            content = str(time.time_ns()).encode()
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Log nothing: the default writes each request to standard error, into the table."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def fill(folder: Path, registry: str, slow: str) -> None:
    """Write the files of the builds.

    Args:
        folder: an empty folder.
        registry: the address of the registry that the builds push to.
        slow: the URL of the slow files.
    """
    (folder / "Dockerfile").write_text(_DOCKERFILE, encoding="utf-8")
    for seconds in LONGER:
        file = folder / f"waits-{seconds}.Dockerfile"
        # One layer: containerd may remove a layer below it while it is unpacked, if the tag is moved at that moment.
        file.write_text(f"FROM scratch\nADD {slow}/{seconds} /file\nMAINTAINER me\n", encoding="utf-8")
    (folder / "hello.txt").write_text("hello\n", encoding="utf-8")
    (folder / "event.json").write_text(
        json.dumps({"pull_request": {"number": 7}, "repository": {"private": False}}), encoding="utf-8"
    )
    for name, count, beside in BAKES:
        targets: dict[str, object] = {f"t{number}": _target(registry, f"{name}-{number}") for number in range(count)}
        if beside:
            targets["slow"] = {"dockerfile": f"waits-{beside}.Dockerfile", "output": ["type=cacheonly"]}
        bake = {"group": {"default": {"targets": list(targets)}}, "target": targets}
        (folder / f"bake-{name}.json").write_text(json.dumps(bake), encoding="utf-8")


def _target(registry: str, name: str) -> dict[str, list[str]]:
    """Return a target of a bake that pushes an image and writes a tar."""
    return {
        "output": [f"type=image,name={registry}/bench-{name}:1,push=true,id=release", f"type=oci,dest={name}.tar"],
    }
