"""Running programs: real ones, started by a Python of their own, since signals belong to a main thread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from action.buildx.history import export_record
from action.buildx.program import ask, find_buildx, run
from action.buildx.version import sends_git_query
from action.errors import EvidenceError, ProgramError

ROOT = Path(__file__).resolve().parents[3]


def program(folder: Path, name: str, script: str) -> Path:
    file = folder / name
    file.write_text(f"#!/bin/bash\n{script}\n")
    file.chmod(0o755)
    return file


def python(code: str, *, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


RUN = """
import os, sys
from action.buildx.program import run
ended = run({command!r}, os.environ, capture={capture})
sys.stderr.flush()
with open({report!r}, "w") as file:
    file.write(repr((ended.code, len(ended.stdout), ended.stderr[-200:], ended.signal)))
"""


@pytest.mark.parametrize("capture", [True, False])
def test_output_goes_through_byte_for_byte(tmp_path: Path, *, capture: bool) -> None:
    noise = bytes(range(256)) * 4096
    (tmp_path / "noise").write_bytes(noise)
    command = [str(program(tmp_path, "loud", f"cat {tmp_path}/noise; cat {tmp_path}/noise >&2; echo end >&2; exit 7"))]
    with python(RUN.format(command=command, capture=capture, report=str(tmp_path / "report"))) as process:
        stdout, stderr = process.communicate(timeout=30)
    assert stdout == noise
    assert stderr == noise + b"end\n"
    code, kept, tail, _ = eval((tmp_path / "report").read_text())
    assert code == 7
    assert kept == (65536 if capture else 0)
    assert tail.endswith("end\n") is capture


def test_output_comes_while_the_program_runs(tmp_path: Path) -> None:
    command = [
        str(program(tmp_path, "slow", f"echo first; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo last"))
    ]
    with python(RUN.format(command=command, capture=True, report=str(tmp_path / "report"))) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"first\n"
        (tmp_path / "go").touch()
        assert process.communicate(timeout=30)[0] == b"last\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_program_once_and_it_has_time_to_end(tmp_path: Path, number: signal.Signals) -> None:
    script = f"""
count=0
trap 'count=$((count+1)); sleep 0.5; echo "caught $count" > {tmp_path}/caught; exit 3' TERM INT
echo ready; while true; do sleep 0.05; done
"""
    command = [str(program(tmp_path, "careful", script))]
    with python(RUN.format(command=command, capture=True, report=str(tmp_path / "report"))) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(15) == 0
    assert (tmp_path / "caught").read_text() == "caught 1\n"
    assert eval((tmp_path / "report").read_text())[::3] == (3, int(number))


def test_a_program_that_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    script = f"trap '' TERM INT; sleep 300 & echo $! > {tmp_path}/child; echo ready; while true; do sleep 0.05; done"
    command = [str(program(tmp_path, "stubborn", script))]
    with python(RUN.format(command=command, capture=True, report=str(tmp_path / "report"))) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        assert process.wait(15) == 0
    assert eval((tmp_path / "report").read_text())[0] == -signal.SIGKILL
    child = int((tmp_path / "child").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_an_answer_that_does_not_come_in_time_ends_the_program_and_its_children(tmp_path: Path) -> None:
    command = program(tmp_path, "hang", f"sleep 300 & echo $! > {tmp_path}/child; wait")
    started = time.monotonic()
    with pytest.raises(ProgramError, match=r"hang did not end within 0.5 s"):
        ask([str(command)], os.environ, seconds=0.5)
    assert time.monotonic() - started < 5
    child = int((tmp_path / "child").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_grandchild_that_holds_the_output_open_holds_nobody_up(tmp_path: Path) -> None:
    command = program(tmp_path, "leave", "sleep 20 & echo answer")
    started = time.monotonic()
    assert ask([str(command)], os.environ, seconds=15).stdout == "answer\n"
    assert time.monotonic() - started < 5


def test_a_program_that_is_not_there_or_cannot_run_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="cannot be started: No such file"):
        ask([str(tmp_path / "none")], os.environ, seconds=1)
    (tmp_path / "text").write_text("x")
    with pytest.raises(ProgramError, match="cannot be started: Permission denied"):
        run([str(tmp_path / "text")], os.environ, capture=True)


def test_a_secret_that_is_too_long_for_the_system_says_what_to_do(tmp_path: Path) -> None:
    command = program(tmp_path, "ok", "exit 0")
    with pytest.raises(ProgramError, match="too long for the system: pass long secrets by secret-files"):
        run([str(command)], {"SECRET": "x" * 200_000}, capture=True)


def test_docker_is_taken_before_a_buildx_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"neither docker nor buildx is on the PATH"):
        find_buildx(str(tmp_path))
    buildx = program(tmp_path, "buildx", "")
    assert find_buildx(str(tmp_path)) == (str(buildx),)
    docker = program(tmp_path, "docker", "")
    assert find_buildx(str(tmp_path)) == (str(docker), "buildx")


@pytest.mark.parametrize(
    ("printed", "sends"),
    [
        ("github.com/docker/buildx v0.29.1 1234", True),
        ("github.com/docker/buildx 0.29.1+ds1 0.29.1+ds1-4", True),
        ("github.com/docker/buildx v0.28.0 x", False),
        ("github.com/docker/buildx v1.0.0 x", True),
        ("nothing", False),
    ],
)
def test_the_query_form_needs_buildx_029(tmp_path: Path, printed: str, *, sends: bool) -> None:
    buildx = program(tmp_path, "buildx", f'echo "{printed}"')
    assert sends_git_query((str(buildx),), os.environ) is sends


@pytest.mark.parametrize("ref", ["", "x", "a/b", "a/b/c/d", "a/b/--all", "a/b/C", "a b/c/d", "a/b/c\n"])
def test_a_reference_of_another_form_is_not_handed_to_buildx(tmp_path: Path, ref: str) -> None:
    buildx = program(tmp_path, "buildx", f"touch {tmp_path}/ran")
    with pytest.raises(EvidenceError, match="has not the form builder/node/ref"):
        export_record((str(buildx),), os.environ, (ref,), tmp_path / "record")
    assert not (tmp_path / "ran").exists()
