"""What is built: a folder with a Dockerfile, a bake file, and a server that is slow to send a file."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TARGETS = 50
_DOCKERFILE = "FROM scratch\nCOPY hello.txt /\nMAINTAINER me\n"


@contextmanager
def slow_server() -> Iterator[str]:
    """The URL of a file that takes a second to come, and is another one each time."""

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(1)
            content = str(time.time_ns()).encode()
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/file"
        finally:
            server.shutdown()
            thread.join()


def fill(folder: Path, registry: str, slow: str) -> None:
    """Write what is built into a folder.

    Args:
        folder: an empty folder.
        registry: the registry that is pushed to.
        slow: the URL of a slow file.
    """
    (folder / "Dockerfile").write_text(_DOCKERFILE, encoding="utf-8")
    (folder / "waits.Dockerfile").write_text(f"{_DOCKERFILE}ADD {slow} /\n", encoding="utf-8")
    (folder / "hello.txt").write_text("hello\n", encoding="utf-8")
    (folder / "event.json").write_text(
        json.dumps({"pull_request": {"number": 7}, "repository": {"private": False}}), encoding="utf-8"
    )
    targets = {
        f"t{number}": {
            "output": [
                f"type=image,name={registry}/bench-{number}:1,push=true,id=release",
                f"type=oci,dest=t{number}.tar",
            ]
        }
        for number in range(TARGETS)
    }
    bake = {"group": {"default": {"targets": list(targets)}}, "target": targets}
    (folder / "docker-bake.json").write_text(json.dumps(bake), encoding="utf-8")
