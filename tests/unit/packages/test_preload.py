"""Packages that are installed while something else runs, by an installer that can be held back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import sys, time
sys.path.insert(0, {root!r})
from action.errors import PackagesError
from action.packages import preload
from action.packages.preload import PreloadItem, Preloader
from action.packages.sets import GITHUB, RETRIES, SCHEMAS
preload.REPORT_SECONDS = 0.5
first, second = PreloadItem(None, ("plistlib",)), PreloadItem(RETRIES, ("made_ready",))
with Preloader(first, second, PreloadItem(SCHEMAS), PreloadItem(GITHUB)) as preloader:
    {body}
"""


@pytest.fixture
def installer(tmp_path: Path) -> Path:
    """A search path with an installer that says what it was told, and then makes a module named as the set."""
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(
        f"""#!/bin/sh
echo "$@" >> {tmp_path}/installed
while [ "$1" != --target ]; do shift; done
case "$4" in *"/$HELD_BACK") while [ ! -e {tmp_path}/let-go ]; do sleep 0.02; done ;; esac
if [ -n "$FAIL" ]; then echo no network >&2; exit 1; fi
case "$4" in
  */retries.txt) touch "$2/tenacity.py" "$2/made_ready.py" ;;
  */github.txt) touch "$2/github.py" ;;
  */schemas.txt) touch "$2/jsonschema.py" ;;
esac
"""
    )
    uv.chmod(0o755)
    return uv.parent


def run(installer: Path, body: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", CODE.format(root=str(ROOT), body=body)],
        env={"PATH": f"{installer}:/usr/bin:/bin", "RUNNER_TOOL_CACHE": str(installer.parent / "cache"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_sets_are_installed_at_the_same_time_and_modules_imported_once_theirs_are_there(installer: Path) -> None:
    let_go = f"open({str(installer.parent / 'let-go')!r}, 'w').close()"
    body = f"""preloader.start(); preloader.wait(SCHEMAS, GITHUB)
    while "plistlib" not in sys.modules: time.sleep(0.01)
    time.sleep(0.1); print("made_ready" in sys.modules); {let_go}; preloader.wait(RETRIES)
    while "made_ready" not in sys.modules: time.sleep(0.01)"""
    # Whoever installs or awaits the first one before the others waits for ever.
    done = run(installer, body, HELD_BACK="retries.txt")
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
    locks = [line.rpartition("/")[2] for line in (installer.parent / "installed").read_text().splitlines()]
    assert sorted(locks) == ["github.txt", "retries.txt", "schemas.txt"]


def test_a_set_that_is_not_being_preloaded_is_installed_by_wait(installer: Path) -> None:
    done = run(installer, "preloader.wait(RETRIES); import tenacity; print(tenacity.__file__)")
    assert done.stdout.strip().endswith("tenacity.py"), done.stderr
    assert len((installer.parent / "installed").read_text().splitlines()) == 1


def test_a_report_waits_a_bounded_time_in_all_and_a_digest_longer(installer: Path) -> None:
    let_go = f"open({str(installer.parent / 'let-go')!r}, 'w').close()"
    body = f"""preloader.start()
    for _ in range(3):
        began = time.monotonic()
        try: preloader.wait_for_report(SCHEMAS, RETRIES)
        except PackagesError as error: print(round(time.monotonic() - began, 1), error)
    import threading; threading.Timer(0.2, lambda: {let_go}).start()
    preloader.wait(RETRIES); import tenacity; print("there")"""
    done = run(installer, body, HELD_BACK="retries.txt")
    assert done.returncode == 0, done.stderr
    error = "the action's packages cannot be installed: the installer has not ended 0.5 s after the build; they are "
    lines = done.stdout.splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["0.5", "0.0", "0.0", "there"]
    assert [line.partition(" ")[2].startswith(error) for line in lines] == [True, True, True, False]


def test_wait_raises_the_error_of_a_set_that_cannot_be_installed(installer: Path) -> None:
    body = "preloader.start()\n    try: preloader.wait(RETRIES)\n    except PackagesError as error: print(error)"
    done = run(installer, body, FAIL="1")
    assert done.stdout.startswith("the action's packages cannot be installed: no network; "), done.stderr


def test_the_end_of_the_block_kills_an_installation(installer: Path) -> None:
    started = f"os.path.exists({str(installer.parent / 'installed')!r})"
    body = f"import os; preloader.start()\n    while not {started}: time.sleep(0.01)"
    done = run(installer, body, HELD_BACK="retries.txt")
    assert done.returncode == 0, done.stderr
    left = [process for process in psutil.process_iter(["cmdline"]) if str(installer) in str(process.info["cmdline"])]
    _, alive = psutil.wait_procs(left, timeout=5)
    for process in alive:
        process.kill()
    assert alive == []
