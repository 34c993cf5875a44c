"""Signals: each run in a Python of its own, since signals belong to a main thread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from action.process.signals import Interrupted, SignalForwarder, forward_signals, interrupt_on_signals
from tests.processes import has_ended

ROOT = Path(__file__).resolve().parents[3]
RUN = """
import os, sys
from action.process import signals
from action.process.log import Log
from action.process.program import run_program
signals.CANCEL_SECONDS = {grace}
ended = run_program(["/bin/bash", "-c", {script!r}], os.environ, log=Log(True, sys.stderr.buffer, print))
with open({report!r}, "w") as file:
    file.write(repr((ended.code, ended.signal)))
"""
CAREFUL = """
count=0
trap 'count=$((count+1))' TERM INT
echo ready
while [ $count = 0 ]; do sleep 0.05; done
sleep 0.5
echo "caught $count"
exit 3
"""
STUBBORN = "trap '' TERM INT; sleep 300 & echo $!; while true; do sleep 0.05; done"


def python(folder: Path, script: str, grace: float = 6.0) -> subprocess.Popen[bytes]:
    code = RUN.format(script=script, report=str(folder / "report"), grace=grace)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def report(folder: Path) -> tuple[int, int | None]:
    code, number = eval((folder / "report").read_text())
    return code, number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_program_once_and_it_has_time_to_end(tmp_path: Path, number: signal.Signals) -> None:
    with python(tmp_path, CAREFUL) as process:
        assert first_line(process) == b"ready\n"
        process.send_signal(number)
        assert process.communicate(timeout=30)[0] == b"caught 1\n"
        assert process.returncode == 0
    assert report(tmp_path) == (3, int(number))


def test_a_signal_to_the_whole_group_as_a_terminal_sends_it_reaches_the_program_once(tmp_path: Path) -> None:
    with python(tmp_path, CAREFUL) as process:
        assert first_line(process) == b"ready\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=30)[0] == b"caught 1\n"


def test_the_programs_children_get_the_signal(tmp_path: Path) -> None:
    script = "(trap 'echo child; exit' TERM; echo ready; while true; do sleep 0.05; done) & trap '' TERM; wait $!"
    with python(tmp_path, script) as process:
        assert first_line(process) == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30)[0] == b"child\n"


def test_the_third_signal_kills_the_program_and_its_children(tmp_path: Path) -> None:
    with python(tmp_path, STUBBORN) as process:
        child = int(first_line(process))
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        assert process.wait(15) == 0
    assert report(tmp_path) == (-signal.SIGKILL, signal.SIGTERM)
    assert has_ended(child)


def test_a_program_that_does_not_end_in_time_is_killed_with_its_children(tmp_path: Path) -> None:
    with python(tmp_path, STUBBORN, grace=0.5) as process:
        child = int(first_line(process))
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        assert time.monotonic() - started >= 0.5
    assert report(tmp_path) == (-signal.SIGKILL, signal.SIGTERM)
    assert has_ended(child)


@pytest.mark.usefixtures("sigint_ends")
def test_without_forwarding_an_exception_stops_the_program_and_a_second_one_kills_it(tmp_path: Path) -> None:
    code = RUN.replace("print))", "print, forwards_signals=False))").format(script=STUBBORN, report="", grace=60)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    child = int(first_line(process))
    # Often the program prints its line before this process waits for its end: that makes no difference.
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=20)
    assert b"KeyboardInterrupt" in log
    assert process.returncode == -signal.SIGINT
    assert has_ended(child)


def test_the_time_to_cancel_is_shorter_than_githubs() -> None:
    # https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-cancellation: 7.5 s after SIGINT comes
    # SIGTERM, and 2.5 s later the process is killed.
    from action.process.signals import CANCEL_SECONDS  # noqa: PLC0415  # the value that it really has

    assert 5 <= CANCEL_SECONDS < 7.5


_COUNTING = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: print("caught", flush=True))
print("ready", flush=True)
sys.stdin.readline()
print("end", flush=True)
"""


@pytest.fixture
def counting() -> subprocess.Popen[bytes]:
    """A program that prints a line for each SIGTERM, and ends where its input does."""
    process = subprocess.Popen(
        [sys.executable, "-c", _COUNTING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert first_line(process) == b"ready\n"
    return process


def test_a_signal_before_the_program_is_known_is_forwarded_once(counting: subprocess.Popen[bytes]) -> None:
    forwarder = SignalForwarder()
    forwarder.handle(signal.SIGTERM, None)
    forwarder.forward_to(counting)
    assert first_line(counting) == b"caught\n"
    assert counting.communicate(b"\n", timeout=10)[0] == b"end\n"
    forwarder.stop()


class AtTheWorstMoment(SignalForwarder):
    """Takes a signal when the program is known and nothing was passed on to it yet."""

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "_process" and value is not None:
            self.handle(signal.SIGTERM, None)
            time.sleep(0.3)


def test_a_signal_while_the_program_starts_is_forwarded_once(counting: subprocess.Popen[bytes]) -> None:
    forwarder = AtTheWorstMoment()
    forwarder.forward_to(counting)
    assert first_line(counting) == b"caught\n"
    time.sleep(0.3)
    assert counting.communicate(b"\n", timeout=10)[0] == b"end\n"
    forwarder.stop()


def test_the_previous_handlers_are_restored() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with forward_signals():
        assert all(signal.getsignal(number) not in before for number in numbers)
    with pytest.raises(Interrupted, match="interrupted by SIGHUP"), interrupt_on_signals():
        signal.raise_signal(signal.SIGHUP)
    assert [signal.getsignal(number) for number in numbers] == before


LOST = """
import signal, time, weakref
from action.process.signals import Interrupted, interrupt_on_signals

class Thing: pass

def callback(_):
    signal.raise_signal(signal.SIGINT)

before = signal.getsignal(signal.SIGINT)

try:
    with interrupt_on_signals():
        thing = Thing()
        watching = weakref.ref(thing, callback)
        del thing
        time.sleep(10)
except Interrupted as interrupted:
    print(interrupted.number == signal.SIGINT, signal.getsignal(signal.SIGINT) == before)
"""


def test_a_signal_in_a_callback_ends_the_block_too() -> None:
    # Python drops, and prints, what a handler raises there: in a callback of its import locks, for example.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOST],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("True True\n", "")
