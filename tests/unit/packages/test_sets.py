"""Sets of packages: installed once, completely or not at all."""

from __future__ import annotations

import signal
import subprocess
import sysconfig
import time
from pathlib import Path

import pytest

from tests.starting import START, install


@pytest.fixture
def installer(tmp_path: Path, tool_cache: Path) -> str:
    """A search path with an installer in front that copies what was installed, as slowly as SECONDS says."""
    (source,) = (tool_cache / "build-digests").iterdir()
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    # --target is followed by the folder.
    script = f"""
while [ "$1" != --target ]; do shift; done
cp -r {source}/tenacity "$2"
touch {tmp_path}/half
sleep "$SECONDS_TO_TAKE"
cp -r {source}/. "$2"
"""
    uv.write_text(f"#!/bin/sh\n{script}")
    uv.chmod(0o755)
    return f"{uv.parent}:/usr/bin:/bin"


def starting(python: Path, path: str, cache: Path, seconds: float) -> subprocess.Popen[str]:
    """An installation that starts."""
    return subprocess.Popen(
        [str(python), "-I", "-S", str(START), "install", "retries"],
        env={"PATH": path, "RUNNER_TOOL_CACHE": str(cache), "SECONDS_TO_TAKE": str(seconds)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(file: Path) -> None:
    for _ in range(400):
        if file.exists():
            return
        time.sleep(0.05)
    raise TimeoutError(file)


def test_installations_at_the_same_time_give_one_complete_set(
    bare_python: Path, installer: str, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    both = [starting(bare_python, installer, cache, seconds) for seconds in (0.5, 0.6)]
    printed = [process.communicate(timeout=60)[0] for process in both]
    (folder,) = (cache / "build-digests").iterdir()
    assert printed == [f"retries: {folder}\n"] * 2
    assert not folder.name.startswith(".")


def test_a_killed_installation_leaves_no_incomplete_set(bare_python: Path, installer: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    process = starting(bare_python, installer, cache, 30)
    wait_for(tmp_path / "half")
    process.kill()
    process.communicate(timeout=30)
    assert [each.name[:12] for each in (cache / "build-digests").iterdir()] == [".unfinished-"]
    printed, _ = starting(bare_python, installer, cache, 0).communicate(timeout=60)
    (folder,) = (cache / "build-digests").iterdir()
    assert printed == f"retries: {folder}\n"
    assert not folder.name.startswith(".")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_cancelled_installation_leaves_nothing(
    bare_python: Path, installer: str, tmp_path: Path, number: signal.Signals
) -> None:
    cache = tmp_path / "cache"
    process = starting(bare_python, installer, cache, 2)
    wait_for(tmp_path / "half")
    process.send_signal(number)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == -number
    assert list((cache / "build-digests").iterdir()) == []


def test_a_set_is_kept_for_one_kind_of_python_and_machine(tool_cache: Path) -> None:
    # A container job shares the tool cache of its host, which may have another C library or another user.
    (folder,) = (tool_cache / "build-digests").iterdir()
    tag = str(sysconfig.get_config_var("EXT_SUFFIX")).removesuffix(".so")
    assert folder.name.endswith(tag)
    assert folder.stat().st_mode & 0o777 == 0o755


def test_the_error_for_an_unwritable_folder_says_what_to_set(bare_python: Path, tmp_path: Path) -> None:
    (tmp_path / "build-digests").write_text("a file in the way")
    done = install(bare_python, tmp_path)
    assert done.returncode == 1
    assert "set RUNNER_TOOL_CACHE to a folder that can" in done.stdout
