"""Bytes are exchanged with a running program within a time limit, and the program ends with this process."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from action.errors import EvidenceError, SlowEvidenceError
from action.process.connected_program import ConnectedProgram


def _soon(seconds: float = 30.0) -> float:
    return time.monotonic() + seconds


def test_bytes_go_to_the_program_and_come_back() -> None:
    program = ConnectedProgram(("cat",), os.environ)
    try:
        program.send(b"\0first", _soon())
        assert program.receive(_soon()) == b"\0first"
    finally:
        program.close()


def test_a_program_that_does_not_answer_is_too_slow() -> None:
    program = ConnectedProgram(("sleep", "60"), os.environ)
    try:
        with pytest.raises(SlowEvidenceError, match="did not answer in time"):
            program.receive(_soon(0.3))
    finally:
        program.close()


def test_a_program_that_reads_nothing_is_too_slow() -> None:
    program = ConnectedProgram(("sleep", "60"), os.environ)
    try:
        with pytest.raises(SlowEvidenceError, match="did not answer in time"):
            program.send(bytes(16 * 1024 * 1024), _soon(0.3))
    finally:
        program.close()


def test_the_last_line_of_standard_error_says_why_a_program_ended() -> None:
    program = ConnectedProgram(("sh", "-c", "echo first >&2; echo ERROR: no such builder >&2; exit 1"), os.environ)
    try:
        with pytest.raises(EvidenceError, match="ERROR: no such builder"):
            program.receive(_soon())
    finally:
        program.close()


def test_a_program_that_cannot_be_started_is_named() -> None:
    with pytest.raises(EvidenceError, match="/nowhere/docker buildx dial-stdio cannot be started"):
        ConnectedProgram(("/nowhere/docker", "buildx", "dial-stdio", "--builder"), os.environ)


def test_the_token_of_the_cache_service_stays_out_of_the_program() -> None:
    environment = {**os.environ, "ACTIONS_RUNTIME_TOKEN": "s3cret", "KEPT": "kept"}
    program = ConnectedProgram(("sh", "-c", 'echo "$KEPT$ACTIONS_RUNTIME_TOKEN"'), environment)
    try:
        assert program.receive(_soon()) == b"kept\n"
    finally:
        program.close()


def test_close_ends_the_program_and_what_it_started() -> None:
    program = ConnectedProgram(("sh", "-c", "sleep 61 & echo $!; wait"), os.environ)
    child = psutil.Process(int(program.receive(_soon())))
    program.close()
    psutil.wait_procs([child], timeout=30)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_the_input_of_the_program_ends_when_this_process_is_killed() -> None:
    code = (
        "import os, signal, time; from action.process.connected_program import ConnectedProgram\n"
        "program = ConnectedProgram(('sh', '-c', 'echo $$; cat > /dev/null'), os.environ)\n"
        "print(program.receive(time.monotonic() + 30).decode(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    try:
        psutil.Process(int(done.stdout)).wait(30)
    except psutil.NoSuchProcess:
        return
