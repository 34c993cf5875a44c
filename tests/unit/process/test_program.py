"""Running programs: real ones, started by a Python of their own where that must be the one that prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from action.errors import ProgramError
from action.process.log import Log
from action.process.program import CompletedProgram, ProgramGroup, capture_output, run_program
from tests.processes import has_ended

ROOT = Path(__file__).resolve().parents[3]
RUN = """
import os, sys
from action.process.log import Log
from action.process.program import run_program
ended = run_program({command!r}, os.environ, log=Log({capture}, sys.stderr.buffer, print))
with open({report!r}, "w") as file:
    file.write(repr((ended.code, len(ended.stdout), ended.stderr[-200:], ended.signal)))
"""


def captured() -> Log:
    return Log(captured=True, stream=sys.stderr.buffer, write_line=print)


def program(folder: Path, name: str, script: str) -> str:
    file = folder / name
    file.write_text(f"#!/bin/bash\n{script}\n")
    file.chmod(0o755)
    return str(file)


def python(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("capture", [True, False])
def test_output_is_copied_byte_for_byte(tmp_path: Path, *, capture: bool) -> None:
    noise = bytes(range(256)) * 4096
    (tmp_path / "noise").write_bytes(noise)
    command = [program(tmp_path, "loud", f"cat {tmp_path}/noise; cat {tmp_path}/noise >&2; echo end >&2; exit 7")]
    with python(RUN.format(command=command, capture=capture, report=str(tmp_path / "report"))) as process:
        stdout, stderr = process.communicate(timeout=30)
    assert stdout == noise
    assert stderr == noise + b"end\n"
    code, kept, tail, _ = eval((tmp_path / "report").read_text())
    assert code == 7
    assert kept == (65536 if capture else 0)
    assert tail.endswith("end\n") is capture


def test_output_is_copied_while_the_program_runs_even_half_a_line(tmp_path: Path) -> None:
    script = f"printf half; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo last"
    command = [program(tmp_path, "slow", script)]
    with python(RUN.format(command=command, capture=True, report=str(tmp_path / "report"))) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"half"
        (tmp_path / "go").touch()
        assert process.communicate(timeout=30)[0] == b"last\n"


def test_the_last_64_kib_of_the_errors_and_the_first_of_the_output_are_kept(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    lines = "".join(f"{number:06d}\n" for number in range(20_000))
    (tmp_path / "lines").write_text(lines)
    ended = run_program(
        [program(tmp_path, "long", f"cat {tmp_path}/lines; cat {tmp_path}/lines >&2")],
        os.environ,
        log=captured(),
    )
    assert capfdbinary.readouterr() == (lines.encode(), lines.encode())
    assert ended == CompletedProgram(0, lines[:65536], lines[-65536:])


def test_invalid_utf_8_is_kept_as_replacement_characters(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    ended = run_program([program(tmp_path, "bytes", r"printf 'a\xffb'; printf '\xc3' >&2")], os.environ, log=captured())
    assert (ended.stdout, ended.stderr) == ("a\ufffdb", "\ufffd")
    assert capfdbinary.readouterr() == (b"a\xffb", b"\xc3")


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 125", 125), ("kill -KILL $$", -9)])
@pytest.mark.parametrize("capture", [True, False])
def test_the_exit_code_is_the_programs(tmp_path: Path, script: str, code: int, *, capture: bool) -> None:
    assert run_program(
        [program(tmp_path, "ends", script)], os.environ, log=captured() if capture else None
    ) == CompletedProgram(code)
    assert capture_output([program(tmp_path, "ends", script)], os.environ, seconds=10).code == code


def test_only_the_given_environment_and_folder_reach_the_program(tmp_path: Path) -> None:
    command = [program(tmp_path, "look", "echo $PWD $GIVEN ${HOME-none}")]
    answer = f"{tmp_path} x none\n"
    assert capture_output(command, {"PATH": "/bin", "GIVEN": "x"}, seconds=10, folder=str(tmp_path)).stdout == answer


def test_arguments_are_not_interpreted_by_a_shell(tmp_path: Path) -> None:
    hostile = "$(touch x); `y` \"z\" 'w' | & > \\ * ~ \n é"
    command = [program(tmp_path, "show", "printf '%s' \"$1\""), hostile]
    assert capture_output(command, os.environ, seconds=10).stdout == hostile


def test_a_program_in_the_foreground_reads_standard_input_and_one_whose_output_is_captured_does_not(
    tmp_path: Path,
) -> None:
    command = [program(tmp_path, "read", "cat")]
    with python(RUN.format(command=command, capture=True, report=str(tmp_path / "report"))) as process:
        assert process.communicate(b"FROM scratch\n", timeout=30)[0] == b"FROM scratch\n"
    assert capture_output(command, os.environ, seconds=10).stdout == ""


def test_a_closed_standard_output_does_not_stop_the_program(tmp_path: Path) -> None:
    script = f"for i in 1 2 3 4 5; do head -c 70000 /dev/zero; done; echo done > {tmp_path}/done; exit 4"
    command = [program(tmp_path, "unread", script)]
    with python(RUN.format(command=command, capture=True, report=str(tmp_path / "report"))) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(30)
    assert (tmp_path / "done").read_text() == "done\n"
    assert eval((tmp_path / "report").read_text())[0] == 4


def test_no_file_and_no_process_is_left_over(tmp_path: Path) -> None:
    this = psutil.Process()
    before = (this.num_fds(), {child.pid for child in this.children()})
    run_program([program(tmp_path, "ends", "echo x; echo y >&2")], os.environ, log=captured())
    capture_output([program(tmp_path, "ends", "echo x")], os.environ, seconds=10)
    with pytest.raises(ProgramError):
        capture_output([program(tmp_path, "hangs", "sleep 30")], os.environ, seconds=0.1)
    assert (this.num_fds(), {child.pid for child in this.children()}) == before


def test_a_program_beyond_its_time_limit_is_killed_with_its_children(tmp_path: Path) -> None:
    command = program(tmp_path, "hang", f"trap '' TERM INT; sleep 300 & echo $! > {tmp_path}/child; wait; wait")
    with pytest.raises(ProgramError, match=r"hang did not end within 2 s$"):
        capture_output([command], os.environ, seconds=2)
    assert has_ended(int((tmp_path / "child").read_text()))


def test_a_grandchild_that_keeps_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    command = program(tmp_path, "leave", f"sleep 600 & echo $! > {tmp_path}/child; echo answer")
    # Whoever waits for the grandchild is ended by the time limit of the tests.
    assert capture_output([command], os.environ, seconds=500).stdout == "answer\n"
    psutil.Process(int((tmp_path / "child").read_text())).kill()


def test_an_error_names_the_program_and_no_value_of_its_environment(tmp_path: Path) -> None:
    command = [program(tmp_path, "docker", "sleep 30"), "buildx", "history", "hunter2"]
    with pytest.raises(ProgramError) as error:
        capture_output(command, {**os.environ, "SECRET": "hunter2"}, seconds=0.1)
    assert str(error.value) == f"{tmp_path}/docker buildx history did not end within 0.1 s"


def test_a_missing_or_invalid_program_is_a_program_error(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="cannot be started: No such file"):
        capture_output([str(tmp_path / "none")], os.environ, seconds=1)
    (tmp_path / "text").write_text("x")
    with pytest.raises(ProgramError, match="cannot be started: Permission denied"):
        run_program([str(tmp_path / "text")], os.environ, log=captured())


@pytest.mark.parametrize("hostile", ["a\0hunter2", "hunter2\ud800"])
def test_a_value_that_no_program_can_get_is_an_error_that_does_not_show_it(tmp_path: Path, hostile: str) -> None:
    command = program(tmp_path, "ok", "exit 0")
    with pytest.raises(ProgramError, match="cannot be started: ") as error:
        run_program([command], {"SECRET": hostile}, log=captured())
    assert "hunter2" not in str(error.value)


def test_a_secret_that_is_too_long_for_the_system_says_what_to_do(tmp_path: Path) -> None:
    command = program(tmp_path, "ok", "exit 0")
    with pytest.raises(ProgramError, match="too long for the system: pass long secrets by secret-files"):
        run_program([command], {"SECRET": "x" * 200_000}, log=captured())


def test_a_killed_group_kills_its_programs_and_starts_no_other() -> None:
    programs = ProgramGroup()
    codes: list[int] = []

    def sleep() -> None:
        codes.append(capture_output(["sleep", "600"], os.environ, seconds=700, programs=programs).code)

    threads = [threading.Thread(target=sleep) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    programs.kill_all()
    with pytest.raises(ProgramError):
        sleep()
    for thread in threads:
        thread.join(10)
    assert codes == [-9] * 3


LOST_SIGNAL = """
import os, signal, sys, threading, time
from action.process.log import Log
from action.process.program import run_program
def send():
    time.sleep(0.5)
    # The system hands it to this thread: the main thread's system call is not interrupted.
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
ended = run_program(
    ("sleep", "30"), os.environ, log=Log(True, sys.stderr.buffer, print), on_start=threading.Thread(target=send).start
)
print(ended.signal, ended.code)
"""


def test_a_signal_that_does_not_interrupt_the_wait_for_the_program_reaches_it() -> None:
    begun = time.monotonic()
    with python(LOST_SIGNAL) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert stdout == b"2 -2\n", stderr
    assert time.monotonic() - begun < 15


def test_a_group_that_is_killed_while_a_program_starts_kills_that_too_and_starts_no_other(tmp_path: Path) -> None:
    group, starting, may_start = ProgramGroup(), threading.Event(), threading.Event()
    ended: list[int] = []

    def start() -> subprocess.Popen[bytes]:
        starting.set()
        assert may_start.wait(10)
        return subprocess.Popen(["sleep", "60"], start_new_session=True)

    def run() -> None:
        with group.running(start) as process:
            ended.append(process.wait(10))

    runner = threading.Thread(target=run)
    runner.start()
    assert starting.wait(10)
    killer = threading.Thread(target=group.kill_all)
    killer.start()
    may_start.set()
    for thread in (killer, runner):
        thread.join(10)
    assert ended == [-signal.SIGKILL]
    with pytest.raises(ProgramError):
        capture_output(
            [program(tmp_path, "later", f"touch {tmp_path}/later.txt")], os.environ, seconds=10, programs=group
        )
    assert not (tmp_path / "it").exists()


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel does not group by session")
def test_an_idle_program_has_the_lowest_priority_and_so_has_its_session() -> None:
    # The kernel says it; the program waits until it has been set.
    code = (
        "import os, time\n"
        "def found(): return os.getpriority(os.PRIO_PROCESS, 0), open('/proc/self/autogroup').read().split()[-1]\n"
        "end = time.monotonic() + 10\n"
        "while found() != (19, '19') and time.monotonic() < end: time.sleep(0.01)\n"
        "print(*found())"
    )
    ended = capture_output([sys.executable, "-I", "-S", "-c", code], os.environ, seconds=30, idle=True)
    assert ended.stdout.split() == ["19", "19"]
