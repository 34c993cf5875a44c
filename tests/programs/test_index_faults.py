"""A step whose packages cannot be installed: indexes and proxies that fail in each way, and a full disk."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.github_output import read_github_output
from tests.starting import DEAD_INDEX, ROOT, START, installer_variables

_ONE = "type=image,name=x/y:1,push=true"
DIGEST = "sha256:" + "a" * 64
WHAT_TO_DO = "run action/start.py install on it once, as docs/reference.md describes"

# Stands for an image that was pushed; only the step's own part is under test.
DOCKER = f"""#!/bin/sh
[ "$2" = build ] || exit 1
while [ "$1" != --metadata-file ]; do shift; done
cat > "$2" << EOF
{{"containerimage.digest": "{DIGEST}", "buildx.build.ref": "default/default/none", "containerimage.descriptor":
{{"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "{DIGEST}", "size": 2}}, "image.name": "x/y:1"}}
EOF
"""

# A step that may have shorter time limits, so that the tests are short.
WITH_LIMITS = f"""
import runpy, sys
sys.path.insert(0, {str(ROOT)!r})
from action.packages import preload
preload.REPORT_SECONDS = preload.DIGEST_SECONDS = float(sys.argv[1])
sys.argv = [{str(START)!r}, "build"]
runpy.run_path({str(START)!r}, run_name="__main__")
"""
LIMIT_REACHED = (
    "::warning::the action's packages cannot be installed: the installer has not ended 2 s after the build; "
)


@dataclass
class Server:
    """A server on loopback that accepts connections and does not do its work."""

    url: str
    connections: list[socket.socket] = field(default_factory=list)


@contextlib.contextmanager
def bad_server(*, trickles: bool) -> Iterator[Server]:
    """Yield a server that answers nothing, or whose answer comes byte by byte and never ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(f"http://127.0.0.1:{listening.getsockname()[1]}/simple")

        def trickle(connection: socket.socket) -> None:
            with contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n")
                while True:
                    connection.sendall(b" ")
                    time.sleep(0.05)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    server.connections.append(connection)
                    if trickles:
                        threading.Thread(target=trickle, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            # The thread is waiting in accept(), which closing alone would not end.
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in server.connections:
                connection.close()


@dataclass(frozen=True)
class Place:
    """A folder with a docker that builds one image, and a Python with pip."""

    python: Path
    folder: Path
    path: str

    def step(
        self, variables: Mapping[str, str], outputs: str = _ONE, *, summary: bool = True, seconds: str = "60"
    ) -> subprocess.CompletedProcess[str]:
        """Run a step with an empty tool cache."""
        inputs = {"context": ".", "outputs": outputs, "provenance": "false"}
        files = {"GITHUB_OUTPUT": self.folder / "outputs"}
        if summary:
            files["GITHUB_STEP_SUMMARY"] = self.folder / "summary.md"
        for file in files.values():
            file.touch()
        return subprocess.run(
            [str(self.python), "-I", "-S", "-c", WITH_LIMITS, seconds],
            cwd=self.folder,
            env={
                **installer_variables(),
                "PATH": self.path,
                "HOME": str(self.folder),
                "PIP_FIND_LINKS": "",
                "RUNNER_TEMP": str(self.folder),
                "RUNNER_TOOL_CACHE": str(self.folder / "cache"),
                "INPUTS": json.dumps(inputs),
                **{name: str(file) for name, file in files.items()},
                **variables,
            },
            capture_output=True,
            text=True,
            # Less than an installer takes to give up an index that hangs.
            timeout=60,
            check=False,
        )

    @property
    def digests(self) -> dict[str, str]:
        return dict(json.loads(read_github_output(self.folder / "outputs")["digests"]))


@pytest.fixture(params=["pip", "uv"])
def place(request: pytest.FixtureRequest, bare_python: Path, tmp_path: Path) -> Place:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    if request.param == "uv":
        docker.with_name("uv").symlink_to(Path(sys.executable).parent / "uv")
    return Place(bare_python, tmp_path, f"{docker.parent}:/usr/bin:/bin")


def index_variables(url: str) -> dict[str, str]:
    return {"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}


def warnings(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("::warning::")]


@pytest.mark.parametrize("trickles", [False, True], ids=["hangs", "is slow"])
def test_a_summary_waits_a_short_time_for_packages_and_one_warning_says_what_to_do(
    place: Place, *, trickles: bool
) -> None:
    with bad_server(trickles=trickles) as index:
        done = place.step(index_variables(index.url), seconds="2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.digests == {"0": DIGEST}
    (warning,) = warnings(done)
    assert warning.startswith(LIMIT_REACHED)
    assert warning.endswith(WHAT_TO_DO)


def test_a_digest_that_needs_its_record_waits_a_bounded_time_too(place: Place) -> None:
    with bad_server(trickles=False) as index:
        outputs = f"{_ONE}\ntype=oci,dest=a.tar"
        done = place.step(index_variables(index.url), outputs, seconds="2")
    assert done.returncode == 0, done.stdout + done.stderr
    first, *others = warnings(done)
    assert first.startswith(LIMIT_REACHED)
    assert first.endswith(WHAT_TO_DO)
    assert others
    assert all(each.startswith("::warning::exporter ") for each in others)


def test_a_step_that_needs_no_packages_installs_none_and_warns_of_none(place: Place) -> None:
    with bad_server(trickles=False) as index:
        done = place.step(index_variables(index.url), summary=False)
        assert index.connections == []
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.digests == {"0": DIGEST}
    assert warnings(done) == []
    assert not (place.folder / "cache").exists()


@pytest.mark.parametrize(
    "variables",
    [
        index_variables(DEAD_INDEX),
        # An index that is never asked, since the way to it is blocked.
        {**index_variables("http://192.0.2.1/simple"), "HTTP_PROXY": DEAD_INDEX, "http_proxy": DEAD_INDEX},
    ],
    ids=["index refuses", "proxy refuses"],
)
def test_an_index_or_a_proxy_that_refuses_gives_one_warning_with_the_reason(
    place: Place, variables: Mapping[str, str]
) -> None:
    done = place.step({"PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0", **variables})
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.digests == {"0": DIGEST}
    (warning,) = warnings(done)
    assert warning.startswith("::warning::the action's packages cannot be installed: ")
    assert "check the network, or PIP_INDEX_URL (UV_INDEX_URL)" in warning
    assert warning.endswith(WHAT_TO_DO)


def test_a_full_disk_gives_one_warning_that_names_the_folder(place: Place) -> None:
    # In a mount namespace of its own a file system of 1 MiB takes the place of the tool cache.
    cache = place.folder / "cache"
    cache.mkdir()
    script = f'mount -t tmpfs -o size=1m none {cache} && exec "$@"'
    prefix = ("unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c", script, "sh")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make a mount namespace")
    python = place.folder / "python"
    python.write_text(
        f'#!/bin/sh\nexec {" ".join(f"{chr(39)}{part}{chr(39)}" for part in prefix)} {place.python} "$@"\n'
    )
    python.chmod(0o755)
    done = Place(python, place.folder, place.path).step({})
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.digests == {"0": DIGEST}
    (warning,) = warnings(done)
    assert f"{cache}/build-digests cannot be written (No space left on device): set RUNNER_TOOL_CACHE" in warning
    assert warning.endswith(WHAT_TO_DO)
