"""A machine, an engine, a registry that fail in the middle: the step says so, and no wrong digest is handed on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from engine import EngineError
from engine.docker import private_docker
from tests.engine.conftest import ROOT, Step, Workplace, fake_docker, lines
from tests.engine.other_end import served_digest, tar_digest
from tests.engine.registry_proxy import RATE_LIMITED, Fault, Proxy, registry_proxy


def _errors(step: Step) -> list[str]:
    return [line for line in step.log.splitlines() if line.startswith("::error::")]


def _pushed(log: str) -> int:
    """How often a build was begun."""
    return log.count("load build definition from Dockerfile\n")


@pytest.fixture
def proxy(work: Workplace) -> Iterator[Proxy]:
    with registry_proxy(work.registry) as running:
        yield running


PUSHES = "PUT|POST|PATCH"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(PUSHES, "/blobs/uploads/", 403), "403 Forbidden"),
        (Fault(PUSHES, "/blobs/uploads/", 500), "500 Internal Server Error"),
        (Fault(PUSHES, "/blobs/uploads/", 429), "429 Too Many Requests"),
        # Go names the side that it noticed first.
        (Fault("PUT", "/blobs/uploads/", "cut"), r"connection reset by peer|use of closed network connection"),
    ],
    ids=["refused", "broken", "busy", "cut in a layer"],
)
def test_a_push_that_fails_fails_the_step_with_what_the_registry_said_and_no_digest(
    work: Workplace, proxy: Proxy, fault: Fault, said: str
) -> None:
    (work.folder / "hello.txt").write_bytes(os.urandom(1 << 20))
    proxy.faults = [fault]
    outputs = lines(f"type=image,name={proxy.address}/{work.name}:a,push=true,id=release", "type=oci,dest=oci.tar")
    step = work.step(outputs=outputs)
    assert step.code == 1
    (error,) = _errors(step)
    assert re.search(said, error)
    assert f"{proxy.address}/{work.name}" in error
    assert step.digests == {}
    assert "digest" not in step.outputs


def test_a_push_that_fails_in_passing_is_made_again_and_gives_the_registrys_digest(
    work: Workplace, proxy: Proxy
) -> None:
    # containerd itself asks six times at once.
    proxy.faults = [Fault("PUT", "/manifests/", 429, 8)]
    outputs = lines(f"type=image,name={proxy.address}/{work.name}:a,push=true,id=release", "type=oci,dest=oci.tar")
    step = work.step(outputs=outputs, retries="6", retry_delay="0.1", verify="true")
    assert step.code == 0, step.log
    assert proxy.faults[0].times == 0
    assert "; trying again in " in step.log
    assert step.digests == {"release": served_digest(work.image, "a"), "1": tar_digest(work.folder / "oci.tar")}


def test_a_registry_that_keeps_failing_fails_the_step_after_the_last_retry(work: Workplace, proxy: Proxy) -> None:
    proxy.faults = [Fault("PUT", "/manifests/", 429)]
    step = work.step(push="true", tags=f"{proxy.address}/{work.name}:a", retries="2", retry_delay="0.1")
    assert step.code == 1
    assert step.log.count("; trying again in ") == 2
    assert _pushed(step.log) == 3
    assert len(_errors(step)) == 1
    assert step.digests == {}


def test_without_retries_a_build_runs_once(work: Workplace, proxy: Proxy) -> None:
    proxy.faults = [Fault("PUT", "/manifests/", 429)]
    step = work.step(push="true", tags=f"{proxy.address}/{work.name}:a")
    assert step.code == 1
    assert _pushed(step.log) == 1


def test_a_base_image_that_cannot_be_had_in_passing_is_asked_for_again(work: Workplace, proxy: Proxy) -> None:
    assert work.step(push="true", tags=f"{work.image}:base").code == 0
    (work.folder / "Dockerfile").write_text(f"FROM {proxy.address}/{work.name}:base\nCOPY hello.txt /again\n")
    proxy.faults = [Fault("GET|HEAD", "/manifests/", 429, 8)]
    step = work.step(outputs="type=oci,dest=a.tar", retries="8", retry_delay="0.1")
    assert step.code == 0, step.log
    assert "; trying again in " in step.log
    assert step.digests == {"0": tar_digest(work.folder / "a.tar")}


def test_a_push_that_is_refused_is_not_made_again(work: Workplace, proxy: Proxy) -> None:
    proxy.faults = [Fault(PUSHES, "/blobs/uploads/", 403)]
    step = work.step(push="true", tags=f"{proxy.address}/{work.name}:a", retries="3", retry_delay="0.1")
    assert step.code == 1
    assert _pushed(step.log) == 1


@pytest.mark.parametrize("method", ["POST", "PUT"], ids=["layer", "manifest"])
def test_a_403_that_is_a_secondary_rate_limit_is_tried_again(work: Workplace, proxy: Proxy, method: str) -> None:
    path = {"POST": "/blobs/uploads/", "PUT": "/manifests/"}[method]
    # The layer and the config are pushed at once.
    proxy.faults = [Fault(method, path, 403, 2, RATE_LIMITED)]
    step = work.step(push="true", tags=f"{proxy.address}/{work.name}:a", retries="4", retry_delay="0.1")
    assert step.code == 0, step.log
    assert "; trying again in " in step.log
    assert step.digests == {"0": served_digest(work.image, "a")}


def test_a_403_without_such_a_body_is_not_tried_again_whatever_its_headers_are(work: Workplace, proxy: Proxy) -> None:
    # BuildKit reports no header of a registry's answer.
    proxy.faults = [Fault("POST", "/blobs/uploads/", 403, None, '{"message": "no scope"}', {"Retry-After": "1"})]
    step = work.step(push="true", tags=f"{proxy.address}/{work.name}:a", retries="3", retry_delay="0.1")
    assert step.code == 1
    assert _pushed(step.log) == 1


def test_a_registry_gets_the_time_that_its_message_asks_for(work: Workplace, proxy: Proxy) -> None:
    body = json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": "retry-after: 1.5s, allowed: 44000/minute"}]})
    proxy.faults = [Fault("PUT", "/manifests/", 429, 6, body, {"Retry-After": "2"})]
    begun = time.monotonic()
    step = work.step(push="true", tags=f"{proxy.address}/{work.name}:a", retries="2", retry_delay="0")
    assert step.code == 0, step.log
    assert "; trying again in 1.5 s" in step.log
    assert time.monotonic() - begun > 1.5
    assert step.digests == {"0": served_digest(work.image, "a")}


def test_a_build_that_stays_rate_limited_says_so(work: Workplace, proxy: Proxy) -> None:
    proxy.faults = [Fault("POST", "/blobs/uploads/", 403, None, RATE_LIMITED)]
    step = work.step(push="true", tags=f"{proxy.address}/{work.name}:a")
    assert step.code == 1
    assert "You have exceeded a secondary rate limit" in _errors(step)[0]
    assert "set retries and retry-delay" in _errors(step)[0]


def test_targets_that_race_for_one_tag_are_built_again(work: Workplace) -> None:
    names = [f"target-{number}" for number in range(12)]
    for attempt in range(20):
        tag = f"{work.name}:{attempt}"
        target = {"tags": [tag], "output": ["type=image"], "attest": ["type=provenance,disabled=true"]}
        (work.folder / "hello.txt").write_text(f"hello {tag}\n")
        (work.folder / "docker-bake.json").write_text(json.dumps({"target": dict.fromkeys(names, target)}))
        step = work.bake_step(source=".", targets=",".join(names), retries="5", retry_delay="0.1", provenance="false")
        assert step.code == 0, step.log
        digest = work.docker("image", "inspect", tag, "--format", "{{.Id}}")
        assert json.loads(step.outputs["digests"]) == {name: {"0": digest} for name in names}
        if "already exists; trying again in " in step.log:
            return
    pytest.skip("the engine's targets never raced")


@pytest.mark.usefixtures("busybox")
def test_a_run_that_fails_is_not_run_again_whatever_it_says(work: Workplace) -> None:
    lie = "echo 'ERROR: unexpected status from PUT request: 503 Service Unavailable'; echo EOF; exit 3"
    (work.folder / "Dockerfile").write_text(
        f"FROM scratch\nCOPY busybox /bin/busybox\nRUN {json.dumps(['/bin/busybox', 'sh', '-c', lie])}\n"
    )
    step = work.step(outputs="type=oci,dest=a.tar", network="none", retries="3", retry_delay="0.1")
    assert step.code == 1
    assert "exit code: 3" in _errors(step)[0]
    assert _pushed(step.log) == 1


def test_a_missing_file_is_not_looked_for_again(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY missing-503-EOF.txt /\n")
    step = work.step(outputs="type=oci,dest=a.tar", retries="3", retry_delay="0.1")
    assert step.code == 1
    assert _pushed(step.log) == 1


def test_each_target_of_a_bake_is_baked_again_with_the_others(work: Workplace, proxy: Proxy) -> None:
    proxy.faults = [Fault("PUT", "-web/manifests/", 429, 8)]
    names = {name: f"{proxy.address}/{work.name}-{name}:1" for name in ("web", "api")}
    targets = {name: {"output": [f"type=image,name={image},push=true"]} for name, image in names.items()}
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
    step = work.bake_step(source=".", targets="web,api", retries="4", retry_delay="0.1")
    assert step.code == 0, step.log
    expected = {name: {"0": served_digest(f"{work.image}-{name}", "1")} for name in names}
    assert json.loads(step.outputs["digests"]) == expected


@contextmanager
def _running(work: Workplace, **inputs: str) -> Iterator[tuple[subprocess.Popen[bytes], Path, Path]]:
    """A step that runs, its log and its outputs."""
    log, outputs = work.folder / "log", work.folder / "outputs"
    outputs.touch()
    environment = {
        **work.environment,
        "PYTHONPATH": str(ROOT),
        "INPUTS": json.dumps({"context": ".", **{name.replace("_", "-"): text for name, text in inputs.items()}}),
        "GITHUB_OUTPUT": str(outputs),
    }
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "action", "action", "build"],
            cwd=work.folder,
            env=environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield process, log, outputs
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _wait_until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def _ends_on(work: Workplace, proxy: Proxy, *signals: signal.Signals) -> None:
    """Signals end a step whose registry hangs, with all that it started and without a digest."""
    proxy.faults = [Fault("PUT", "/manifests/", "hang")]
    with _running(work, push="true", tags=f"{proxy.address}/{work.name}:a") as (process, log, outputs):
        _wait_until(lambda: proxy.faulted, "the push")
        children = psutil.Process(process.pid).children(recursive=True)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.05)
        assert process.wait(15) == -signals[0]
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
    assert "sha256:" not in outputs.read_text()
    assert "Traceback" not in log.read_text()


def test_a_registry_that_hangs_is_left_with_the_steps_own_end(work: Workplace, proxy: Proxy) -> None:
    _ends_on(work, proxy, signal.SIGINT)


def test_two_signals_end_a_step_as_one_does(work: Workplace, proxy: Proxy) -> None:
    _ends_on(work, proxy, signal.SIGINT, signal.SIGINT)


def test_a_step_that_is_killed_leaves_no_buildx_and_no_secret_behind(work: Workplace, proxy: Proxy) -> None:
    secret = "hunter2-of-this-test"
    proxy.faults = [Fault("PUT", "/manifests/", "hang")]
    inputs = {"push": "true", "tags": f"{proxy.address}/{work.name}:a", "secrets": f"KEY={secret}"}
    with _running(work, **inputs, github_token="ghs_token_of_this_test") as (process, log, _):
        _wait_until(lambda: proxy.faulted, "the push")
        children = psutil.Process(process.pid).children(recursive=True)
        assert any("buildx" in " ".join(child.cmdline()) for child in children)
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    files = [file for file in work.folder.rglob("*") if file.is_file() and file != log]
    assert [file for file in files if secret.encode() in file.read_bytes()] == []
    assert secret not in log.read_text().replace(f"::add-mask::{secret}", "")


@contextmanager
def _engine_of_its_own(work: Workplace) -> Iterator[list[int]]:
    """Have the workplace use an engine that no other test does; the process IDs of its daemons."""
    try:
        with private_docker("containerd") as docker:
            kept = {name: work.environment[name] for name in ("RUNNER_TEMP",)}
            work.environment = {**docker.environment, **kept}
            folder = Path(work.environment["DOCKER_HOST"].removeprefix("unix://")).parent
            yield [int((folder / name).read_text()) for name in ("dockerd.pid", "exec/containerd/containerd.pid")]
    except EngineError as error:
        pytest.skip(f"no engine of its own: {error}")


def test_an_engine_that_is_killed_during_the_build_fails_the_step_without_a_digest(
    work: Workplace, proxy: Proxy
) -> None:
    proxy.faults = [Fault("PUT", "/manifests/", "hang")]
    with _engine_of_its_own(work) as daemons:
        inputs = {"push": "true", "tags": f"{proxy.address}/{work.name}:a", "retries": "1", "retry_delay": "0.1"}
        with _running(work, **inputs) as (process, log, outputs):
            _wait_until(lambda: proxy.faulted, "the push")
            for daemon in daemons:
                os.kill(daemon, signal.SIGKILL)
            assert process.wait(30) == 1
        text = log.read_text()
        assert "Traceback" not in text
        (error,) = [line for line in text.splitlines() if line.startswith("::error::")]
        assert "no Docker engine answers: start or install one" in error or "buildx failed with: ERROR: " in error
        assert "sha256:" not in outputs.read_text()


def test_an_engine_that_is_killed_between_build_and_record_costs_what_the_record_alone_says(work: Workplace) -> None:
    with _engine_of_its_own(work) as daemons:
        kill = f"kill -KILL {' '.join(map(str, daemons))}; sleep 0.2"
        fake_docker(work, f'"$REAL" "$@"; code=$?; [ "$2" = build ] && {{ {kill}; }}; exit $code')
        outputs = lines(f"type=image,name={work.image}:a,push=true,id=release", "type=oci,dest=a.tar")
        step = work.step(outputs=outputs)
    assert step.code == 0, step.log
    assert step.digests == {"1": tar_digest(work.folder / "a.tar")}
    assert "::warning::exporter release has no digest: the build record is missing: " in step.log
    assert "Traceback" not in step.log


@pytest.fixture
def small_disk(work: Workplace) -> Iterator[Path]:
    """A file system of one MiB in the workplace."""
    folder = work.folder / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_while_the_tar_is_written_fails_the_step_without_its_digest(
    work: Workplace, small_disk: Path
) -> None:
    (work.folder / "hello.txt").write_bytes(os.urandom(3 << 20))
    outputs = lines(f"type=oci,dest={small_disk}/a.tar,id=tar", f"type=image,name={work.image}:a,push=true")
    step = work.step(outputs=outputs)
    assert step.code == 1
    assert "no space left on device" in _errors(step)[0]
    assert step.digests == {}


def test_a_disk_that_is_full_when_outputs_are_set_fails_the_step_and_leaves_no_half_of_one(
    work: Workplace, small_disk: Path
) -> None:
    file = small_disk / "outputs"
    before = b"earlier=step\n"
    (small_disk / "filler").write_bytes(b"x" * ((1 << 20) - 3 * 4096))
    file.write_bytes(before)
    # Long enough that the metadata does not fit, and short enough that the beginning of the outputs would.
    work.environment = {**work.environment, "GITHUB_OUTPUT": str(file), "INPUTS": json.dumps({"context": "."})}
    arguments = {"outputs": "type=oci,dest=a.tar", "labels": f"long={'x' * 40_000}", "provenance": "mode=max"}
    work.environment = {**work.environment, "INPUTS": json.dumps({"context": ".", **arguments})}
    done = work.python("-m", "action", "action", "build")
    assert done.returncode == 1
    assert f"::error::GITHUB_OUTPUT ({file}) cannot be written: No space left on device" in done.stdout
    assert file.read_bytes() == before


def test_steps_that_run_at_once_on_one_machine_get_each_its_own_digests(work: Workplace, tmp_path: Path) -> None:
    def build(number: int) -> tuple[Step, Workplace]:
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY hello.txt /\n")
        (folder / "hello.txt").write_text(f"hello {number}")
        own = Workplace(folder, work.environment, work.registry)
        outputs = lines(f"type=image,name={own.image}:a,push=true,id=release", "type=oci,dest=a.tar")
        return own.step(outputs=outputs, verify="true"), own

    with ThreadPoolExecutor(4) as pool:
        for step, own in pool.map(build, range(8)):
            assert step.code == 0, step.log
            assert step.digests == {"release": served_digest(own.image, "a"), "1": tar_digest(own.folder / "a.tar")}


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_jumps_changes_no_digest_and_no_record(work: Workplace, days: int) -> None:
    # The machine's clock is not ours to set: the step's own jumps when buildx has ended; what buildx wrote is of
    # the time before.
    jumped, start = work.folder / "jumped", work.folder / "start"
    start.mkdir()
    shift = f"{days * 86400} * os.path.exists({str(jumped)!r})"
    (start / "sitecustomize.py").write_text(
        f"import os, time\nreal = time.time\ntime.time = lambda: real() + {shift}\n"
    )
    state = '"${BUILDX_CONFIG:-${DOCKER_CONFIG:-$HOME/.docker}/buildx}/refs"'
    again = f'find {state} -type f -newer Dockerfile -exec touch -d "{-days} days" {{}} +; touch {jumped}'
    fake_docker(work, f'"$REAL" "$@"; code=$?; [ "$2" = build ] && {{ {again}; }}; exit $code')
    summary = work.folder / "summary.md"
    work.environment = {**work.environment, "GITHUB_STEP_SUMMARY": str(summary)}
    outputs = lines(f"type=image,name={work.image}:a,push=true,id=release", "type=oci,dest=a.tar")
    step = work.step_in(start, outputs=outputs)
    assert step.code == 0, step.log
    assert jumped.exists()
    assert step.digests == {"release": served_digest(work.image, "a"), "1": tar_digest(work.folder / "a.tar")}
    jumped.unlink()
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY missing.txt /\n")
    assert work.step_in(start, outputs="type=oci,dest=b.tar").code == 1
    # A build that failed is found among those that buildx knows: by what is new, not by a time.
    assert summary.read_text().count("```mermaid") == 2
