"""The filter that keeps a program from creating and emptying files."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from action.buildx.protected_files import can_start, protecting_files
from action.process.program import ProgramGroup

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_TRUNC


def opened(file: Path, flags: int) -> int:
    """What a program gets that opens a file."""
    done = subprocess.run(
        [sys.executable, "-c", f"import os; print(os.open({str(file)!r}, {flags}))"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return int(done.stdout)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("x", encoding="utf-8")
    return path


def test_a_program_that_creates_a_file_gets_its_standard_input(file: Path) -> None:
    assert protecting_files(lambda _: opened(file, _FLAGS)) == 0
    assert file.read_text(encoding="utf-8") == "x"
    assert protecting_files(lambda _: opened(file.with_name("new"), _FLAGS)) == 0
    assert not file.with_name("new").exists()


@pytest.mark.parametrize("flags", [os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_RDWR | os.O_CREAT, os.O_RDONLY])
def test_other_ways_to_open_a_file_still_work(file: Path, flags: int) -> None:
    assert protecting_files(lambda _: opened(file, flags)) > 2


def test_the_filter_ends_with_the_call(file: Path) -> None:
    protecting_files(lambda _: opened(file, _FLAGS))
    assert opened(file, _FLAGS) > 2
    assert file.read_text(encoding="utf-8") == ""


def test_an_error_is_raised_in_the_calling_thread() -> None:
    def fail(_: ProgramGroup) -> None:
        raise KeyError(1)

    with pytest.raises(KeyError):
        protecting_files(fail)


def test_a_signal_ends_the_programs_of_the_call(tmp_path: Path) -> None:
    # A signal raises in the main thread, which waits; the program would run for a minute.
    begun = tmp_path / "begun"
    script = (
        "import signal, sys\n"
        "from action.process.program import capture_output\n"
        "from action.process.signals import Interrupted, interrupt_on_signals\n"
        "from action.buildx.protected_files import protecting_files\n"
        f"command = ('/bin/sh', '-c', 'echo > {begun}; sleep 60')\n"
        "try:\n"
        "    with interrupt_on_signals():\n"
        "        protecting_files(lambda programs: capture_output(command, {}, seconds=60, programs=programs))\n"
        "except Interrupted:\n"
        "    sys.exit(3)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[3])
    waiting = threading.Event()
    while not begun.exists():
        waiting.wait(0.05)
    process.terminate()
    assert process.wait(20) == 3


def test_it_needs_no_rights_of_an_administrator(file: Path) -> None:
    script = (
        "import os\n"
        "from action.buildx.protected_files import protecting_files\n"
        "os.geteuid() or os.setuid(65534)\n"
        f"print(protecting_files(lambda _: os.open({str(file)!r}, {_FLAGS})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.strip() == "0", done.stderr
    assert file.read_text(encoding="utf-8") == "x"


def test_a_snap_runs_with_the_filter_only_for_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "snap"
    program.touch()
    (tmp_path / "docker").symlink_to(program)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not can_start(str(tmp_path / "docker"))
    assert can_start(sys.executable)
    assert not can_start(str(tmp_path / "none"))
