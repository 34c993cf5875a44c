"""A step that is cancelled: buildx cancels the build, nothing stays behind, and the signal is the step's end."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.engine.conftest import ROOT, Workplace, fake_docker
from tests.engine.registry_proxy import Fault, registry_proxy


@pytest.fixture
def slow_server() -> Iterator[str]:
    """An HTTP server that takes a connection and never answers: an ADD from it goes on until it is cancelled."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/file"
        server.shutdown(socket.SHUT_RDWR)
        for connection in taken:
            connection.close()
    thread.join(5)


@pytest.mark.parametrize(
    ("number", "starter"),
    [
        (signal.SIGTERM, "docker-buildx"),
        (signal.SIGINT, "docker-buildx"),
        (signal.SIGHUP, "docker-buildx"),
        (signal.SIGINT, "docker"),
    ],
)
def test_a_signal_reaches_buildx_which_cancels_the_build_and_nothing_stays(
    work: Workplace, slow_server: str, number: signal.Signals, starter: str
) -> None:
    if starter == "docker":
        # A docker that is a script may do more than docker, so a step does not leave it out.
        fake_docker(work, 'exec "$REAL" "$@"')
    (work.folder / "Dockerfile").write_text(f"FROM scratch\nADD {slow_server} /\n")
    log = work.folder / "log"
    inputs = {"context": ".", "outputs": "type=oci,dest=a.tar", "secrets": "KEY=hunter2hunter2"}
    environment = {**work.environment, "PYTHONPATH": str(ROOT), "INPUTS": json.dumps(inputs)}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "action", "action", "build"],
            cwd=work.folder,
            env=environment,
            stdout=file,
            stderr=file,
        )
    try:
        _wait_for(log, "ADD http")
        children = psutil.Process(process.pid).children(recursive=True)
        assert starter in [child.name() for child in children]
        process.send_signal(number)
        assert process.wait(20) == -number
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
    text = log.read_text()
    assert "Canceled: context canceled" in text
    assert "Traceback" not in text
    left = [path for path in Path(work.environment["RUNNER_TEMP"]).rglob("*") if path.is_file()]
    assert left == []
    assert not (work.folder / "a.tar").exists() or (work.folder / "a.tar").stat().st_size == 0


@pytest.mark.parametrize("method", ["HEAD", "PUT"])
def test_a_signal_ends_a_merge_whose_registry_hangs_and_nothing_stays(work: Workplace, method: str) -> None:
    for platform in ("amd64", "arm64"):
        work.job(platform, f"type=image,name={work.image},push=true,id=release", platform=f"linux/{platform}")
    with registry_proxy(work.registry) as proxy:
        for file in (work.folder / "results").rglob("*.json"):
            file.write_text(file.read_text().replace(f"{work.registry}/", f"{proxy.address}/"))
        proxy.faults = [Fault(method, "/manifests/", "hang")]
        tag = f"{proxy.address}/{work.name}:1"
        process = subprocess.Popen(
            [sys.executable, "-m", "action", "merge", "results", "-t", tag],
            cwd=work.folder,
            env={**work.environment, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
        )
        try:
            end = time.monotonic() + 30
            while not proxy.faulted:
                assert time.monotonic() < end
                time.sleep(0.05)
            children = psutil.Process(process.pid).children(recursive=True)
            assert children
            process.send_signal(signal.SIGTERM)
            log = process.communicate(timeout=20)[1].decode()
            assert process.returncode == -signal.SIGTERM
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
    assert "Traceback" not in log


def _wait_for(log: Path, text: str) -> None:
    end = time.monotonic() + 30
    while text not in log.read_text():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def test_secrets_reach_the_build_and_no_argument_file_or_log(work: Workplace) -> None:
    # The syntax of a secret is checked by the real frontend; what it holds is read from the process that has it.
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY hello.txt /\n")
    secret = "hunter2-of-this-test"
    spy = work.folder / "spy"
    spy.mkdir()
    (spy / "docker").write_text(
        "#!/bin/bash\n"
        f'[ "$2" = build ] && printf "%s\\n" "$@" > {work.folder}/arguments\n'
        f'[ "$2" = build ] && env > {work.folder}/environment\n'
        f'PATH="${{PATH#*:}}" exec docker "$@"\n'
    )
    (spy / "docker").chmod(0o755)
    work.environment = {**work.environment, "PATH": f"{spy}:{work.environment['PATH']}"}
    step = work.step(outputs="type=oci,dest=a.tar", secrets=f"KEY={secret}", github_token="ghs_token_of_this_test")
    assert step.code == 0, step.log
    assert "id=KEY,env=BUILD_DIGESTS_SECRET_0" in (work.folder / "arguments").read_text()
    environment = (work.folder / "environment").read_text().splitlines()
    assert f"BUILD_DIGESTS_SECRET_0={secret}" in environment
    assert not any(line.startswith("INPUTS=") for line in environment)
    (work.folder / "environment").unlink()
    assert secret not in step.log.replace(f"::add-mask::{secret}", "")
    files = [path for path in work.folder.rglob("*") if path.is_file()]
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
