"""The Python API on a real engine and registry: build, bake, merge, inspect and validate."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from action import (
    BakeResults,
    BuildFailedError,
    MergeError,
    MissingDigestError,
    bake,
    build,
    inspect,
    merge,
    validate,
)
from tests.engine.conftest import ROOT, Workplace
from tests.engine.other_end import image_manifests, served, served_digest, tar_digest
from tests.engine.test_signals import slow_server

__all__ = ["slow_server"]


@pytest.fixture
def here(work: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """A workplace that is the current folder of this process, outside GitHub."""
    for name in os.environ:
        if name.startswith(("GITHUB_", "RUNNER_", "ACTIONS_", "BUILDX_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(work.folder)
    return work


def _fails(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY missing /\n")


def test_a_list_of_arguments_gives_the_digests_of_the_registry_and_of_the_tar(here: Workplace) -> None:
    image = f"--output=type=image,name={here.image}:1,push=true,id=release"
    results = build([image, "-o", "type=oci,dest=app.tar", "."], verify=True, require_digests=True)
    assert results.digests == {"release": served_digest(here.image, "1"), "1": tar_digest(Path("app.tar"))}
    assert results.digest == served_digest(here.image, "1")


def test_keywords_give_the_same_and_reach_the_image(here: Workplace) -> None:
    Path("in").mkdir()
    Path("in/Dockerfile.app").write_text(
        "FROM scratch AS app\nARG NAME\nCOPY --from=other hello.txt /\nLABEL name=$NAME\nFROM scratch\n"
    )
    results = build(
        context=Path("in"),
        file=Path("in/Dockerfile.app"),
        tags=f"{here.image}:1",
        outputs=[{"type": "image", "push": True, "id": "release"}, {"type": "oci", "dest": Path('a "b", c.tar')}],
        platforms=["linux/amd64", "linux/arm64"],
        build_args={"NAME": 'with, "quotes"'},
        build_contexts={"other": Path()},
        labels={"org.example.label": "a, b=c"},
        annotations={"index:org.example.note": "d, e"},
        cache_to={"type": "local", "dest": Path("cache")},
        cache_from="type=local,src=cache",
        no_cache=True,
        pull=True,
        target="app",
    )
    assert results.digests == {"release": served_digest(here.image, "1"), "1": tar_digest(Path('a "b", c.tar'))}
    index = served(here.image, "1")[1]
    assert index["annotations"]["org.example.note"] == "d, e"
    assert {each["platform"]["architecture"] for each in image_manifests(index)} == {"amd64", "arm64"}
    labels = here.docker("buildx", "imagetools", "inspect", f"{here.image}:1", "--format", "{{json .Image}}")
    assert json.loads(labels)["linux/amd64"]["config"]["Labels"] == {
        "name": 'with, "quotes"',
        "org.example.label": "a, b=c",
    }
    assert Path("cache/index.json").is_file()


def test_a_folder_is_where_buildx_runs_and_relative_paths_start(
    here: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    results = build(context=".", outputs={"type": "oci", "dest": "app.tar"}, folder=here.folder)
    assert results.digest == tar_digest(here.folder / "app.tar")
    (here.folder / "docker-bake.hcl").write_text('target "default" { output = ["type=oci,dest=baked.tar"] }')
    baked = bake(folder=here.folder, require_digests=True)
    assert baked.targets["default"].digest == tar_digest(here.folder / "baked.tar")


_BAKE = """
variable "TAG" {}
target "web" { output = ["type=image,name=IMAGE:${TAG},push=true"] }
target "api" { output = ["type=oci,dest=api.tar"] }
"""


def test_a_bake_has_the_digests_of_each_target(here: Workplace) -> None:
    Path("my.hcl").write_text(_BAKE.replace("IMAGE", here.image))
    results = bake(targets=["web", "api"], files="my.hcl", variables={"TAG": "two"}, overrides="api.labels.x=1")
    assert {name: target.digest for name, target in results.targets.items()} == {
        "web": served_digest(here.image, "two"),
        "api": tar_digest(Path("api.tar")),
    }


def test_results_of_builds_and_their_files_merge_to_the_image_that_the_registry_serves(here: Workplace) -> None:
    jobs = [
        build(context=".", tags=f"{here.image}:{arch}", platforms=f"linux/{arch}", push=True)
        for arch in ("amd64", "arm64")
    ]
    merged = merge(jobs, tags=f"{here.image}:1", expect_platforms=["linux/amd64", "linux/arm64"], log=io.BytesIO())
    assert merged.digest == served_digest(here.image, "1")
    Path("results").mkdir()
    for number, job in enumerate(jobs):
        Path(f"results/{number}.json").write_text(job.model_dump_json())
        assert validate(f"results/{number}.json") == []
    from_files = merge("results", tags=[f"{here.image}:2"], annotations={"org.example.note": "a, b"})
    assert from_files.digest == served_digest(here.image, "2")
    assert served(here.image, "2")[1]["annotations"] == {"org.example.note": "a, b"}
    with pytest.raises(MergeError, match="linux/s390x"):
        merge(jobs, tags=f"{here.image}:3", expect_platforms=["linux/amd64", "linux/arm64", "linux/s390x"])


@pytest.mark.usefixtures("here")
def test_inspect_finds_the_digests_from_the_files_that_the_build_left() -> None:
    output = {"type": "oci", "dest": "app.tar"}
    cache = {"type": "local", "dest": "cache", "id": "main"}
    built = build(["--metadata-file=m.json", "."], outputs=output, cache_to=cache)
    assert validate("m.json") == []
    messages: list[str] = []
    found = inspect("m.json", outputs=output, cache_to=cache, on_message=messages.append)
    assert found.digest == built.digest
    (written,) = json.loads(Path("cache/index.json").read_text())["manifests"]
    assert found.cache_digests == built.cache_digests == {"main": written["digest"]}
    document = json.loads(Path("m.json").read_text())
    Path("m.json").write_text(json.dumps({**document, "containerimage.digest": 1}))
    assert [fault.pointer for fault in validate("m.json", schema="metadata")] == ["/containerimage.digest"]


def test_a_failed_build_raises_an_error_with_the_end_of_the_log_and_prints_nothing(
    here: Workplace, capfd: pytest.CaptureFixture[str]
) -> None:
    _fails(here)
    with pytest.raises(BuildFailedError, match=r"^buildx failed with: ERROR: .*missing") as caught:
        build(context=".", outputs="type=oci,dest=app.tar")
    assert "COPY missing /" in caught.value.log
    assert caught.value.log.rstrip().splitlines()[-1].startswith("ERROR: ")
    assert tuple(capfd.readouterr()) == ("", "")


_FAILING_BAKE = """
group "default" { targets = ["good", "bad"] }
target "good" { output = ["type=oci,dest=good.tar"] }
target "bad" {
  network = "none"
  dockerfile-inline = <<EOT
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "sleep 4; exit 1"]
EOT
}
"""


@pytest.mark.usefixtures("here", "busybox")
def test_the_error_of_a_failed_bake_has_the_targets_that_were_exported() -> None:
    Path("docker-bake.hcl").write_text(_FAILING_BAKE)
    with pytest.raises(BuildFailedError, match="target bad") as caught:
        bake()
    assert isinstance(caught.value.results, BakeResults)
    exported = {name: target.digest for name, target in caught.value.results.targets.items()}
    assert exported == {"good": tar_digest(Path("good.tar"))}


def test_a_log_gets_what_buildx_prints_and_nothing_else_does(
    here: Workplace, capfd: pytest.CaptureFixture[str]
) -> None:
    binary, text = io.BytesIO(), io.StringIO()
    for log in (binary, text):
        build(context=".", outputs="type=oci,dest=app.tar", log=log)
    assert b"exporting to oci image format" in binary.getvalue()
    assert "exporting to oci image format" in text.getvalue()
    # --quiet prints the image ID on standard output.
    build(["--quiet", "."], tags=f"{here.image}:1", push=True)
    assert tuple(capfd.readouterr()) == ("", "")


class _BrokenLog(io.BytesIO):
    def write(self, data: object, /) -> int:
        raise RuntimeError(data)


@pytest.mark.usefixtures("here")
def test_a_log_that_cannot_be_written_does_not_fail_the_build() -> None:
    assert build(context=".", outputs="type=oci,dest=app.tar", log=_BrokenLog()).digest == tar_digest(Path("app.tar"))


def test_a_missing_digest_is_a_message_and_with_require_digests_an_error(
    here: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the record and with the tar gone nothing tells the digests of two outputs apart.
    fake = here.folder.with_name(f"{here.folder.name}-fake")
    fake.mkdir()
    docker = subprocess.run(["sh", "-c", "command -v docker"], capture_output=True, text=True, check=True).stdout
    (fake / "docker").write_text(
        '#!/bin/sh\ncase "$2" in history|dial-stdio) exit 1;; esac\n'
        f'{docker.strip()} "$@"; code=$?\nrm -f a.tar; exit $code\n'
    )
    (fake / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    outputs = ["type=oci,dest=a.tar,id=lost", "type=oci,dest=b.tar"]
    messages: list[str] = []
    results = build(context=".", outputs=outputs, on_message=messages.append)
    assert results.digests == {"1": tar_digest(Path("b.tar"))}
    assert [message for message in messages if message.startswith("exporter lost has no digest: ")]
    with pytest.raises(MissingDigestError, match="lost") as caught:
        build(context=".", outputs=outputs, require_digests=True)
    assert caught.value.log


@pytest.mark.usefixtures("here")
def test_builds_run_in_other_threads_at_once() -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(build, context=".", outputs={"type": "oci", "dest": f"{number}.tar"}, labels={"n": f"{number}"})
            for number in range(2)
        ]
    digests = [run.result().digest for run in runs]
    assert digests == [tar_digest(Path(f"{number}.tar")) for number in range(2)]
    assert digests[0] != digests[1]


def _state() -> Mapping[str, object]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    return {
        "handlers": [signal.getsignal(number) for number in numbers],
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109  # the text, not a resolved path
        "streams": (sys.stdin, sys.stdout, sys.stderr, sys.excepthook, sys.unraisablehook),
        "path": list(sys.path),
        "children": psutil.Process().children(),
    }


def test_a_call_leaves_the_process_as_it_was(
    here: Workplace, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    changed: list[object] = []

    def run(call: Callable[[], object]) -> None:
        before = _state()
        try:
            call()
        finally:
            if (after := _state()) != before:
                changed.append((before, after))

    run(lambda: build(context=".", tags=f"{here.image}:1", push=True, verify=True, folder=here.folder))
    job = build(context=".", tags=f"{here.image}:1", push=True)
    run(lambda: merge([job], tags=f"{here.image}:2"))
    Path("docker-bake.hcl").write_text('target "default" { output = ["type=oci,dest=a.tar"] }')
    run(lambda: bake(variables={"TAG": "1"}))
    _fails(here)
    with pytest.raises(BuildFailedError):
        run(lambda: build(context=".", secrets={"TOKEN": "hunter2"}))
    assert changed == []
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("here", "busybox")
def test_a_secret_reaches_the_build_and_neither_the_log_nor_an_error() -> None:
    run = (
        'RUN --mount=type=secret,id=%s --network=none ["/bin/busybox", "sh", "-c", "/bin/busybox md5sum %s; exit %s"]\n'
    )
    Path("Dockerfile").write_text(
        "FROM scratch\nCOPY busybox /bin/busybox\n"
        + run % ("A", "/run/secrets/A", 0)
        + run % ("B", "/run/secrets/B", 1)
    )
    Path("secret").write_text("from a file")
    log = io.StringIO()
    with pytest.raises(BuildFailedError) as caught:
        build(context=".", secrets={"A": "hunter2", "B": Path("secret")}, log=log)
    # md5sum of each text, from another program.
    for text in ("hunter2", "from a file"):
        known = subprocess.run(["md5sum"], input=text, capture_output=True, text=True, check=True).stdout.split()[0]
        assert known in log.getvalue()
    assert "hunter2" not in log.getvalue() + caught.value.log + str(caught.value)


_INTERRUPTED = """
import signal, sys, threading
from action import build
# A shell's background ignores SIGINT, and so do its programs.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    build(context=".", outputs="type=oci,dest=a.tar", log=sys.stderr)
except KeyboardInterrupt:
    print("interrupted", threading.active_count())
"""


def test_ctrl_c_stops_buildx_and_leaves_no_process_and_no_file(here: Workplace, slow_server: str) -> None:
    Path("Dockerfile").write_text(f"FROM scratch\nADD {slow_server} /\n")
    process = subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED],
        cwd=here.folder,
        env={**here.environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        log = ""
        while "ADD http" not in log:
            line = process.stderr.readline()
            assert line, log
            log += line
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, rest = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert process.returncode == 0, rest
    assert output.startswith("interrupted")
    assert "Traceback" not in rest
    # buildx ends by itself: it is not killed, which would take CANCEL_SECONDS.
    assert time.monotonic() - started < 6
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
    assert [path for path in Path(here.environment["RUNNER_TEMP"]).rglob("*") if path.is_file()] == []


def test_standard_input_is_read_only_if_an_argument_says_so(here: Workplace) -> None:
    code = "import sys; from action import build; {}; print(sys.stdin.read(), end='')"
    ignoring = "build(context='.', outputs='type=oci,dest=a.tar')"
    reading = "build(context='-', outputs='type=oci,dest=b.tar')"
    for call, left in ((ignoring, "FROM scratch\n"), (reading, "")):
        done = subprocess.run(
            [sys.executable, "-c", code.format(call)],
            cwd=here.folder,
            env={**here.environment, "PYTHONPATH": str(ROOT)},
            input="FROM scratch\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, left), done.stderr
    assert tar_digest(Path("a.tar")) != tar_digest(Path("b.tar"))
