"""The start of a step, in a Python of its own with nothing but the standard library."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
START = ROOT / "action" / "start.py"
DEAD_INDEX = "http://127.0.0.1:9/simple"


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with pip and nothing else."""
    folder = tmp_path_factory.mktemp("python")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True, timeout=120)
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def tool_cache(tmp_path_factory: pytest.TempPathFactory, bare_python: Path) -> Path:
    """A RUNNER_TOOL_CACHE in which a first step has installed the packages."""
    folder = tmp_path_factory.mktemp("tool-cache")
    done = start(bare_python, folder)
    assert done.returncode == 2, done.stdout + done.stderr
    return folder


def start(
    python: Path, cache: Path, *, step: str = "build", path: str = "/usr/bin:/bin", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Start a step whose inputs are bad, so that it ends with exit code 2 once it has read them."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HOME", "TMP"))}
    variables = {**kept, "PATH": path, "RUNNER_TOOL_CACHE": str(cache), "INPUTS": json.dumps({"push": "perhaps"})}
    return subprocess.run(
        [str(python), str(START), step],
        env={**variables, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_a_first_step_installs_the_packages_and_a_second_needs_no_network(bare_python: Path, tool_cache: Path) -> None:
    again = start(bare_python, tool_cache, PIP_INDEX_URL=DEAD_INDEX, PIP_FIND_LINKS="", PIP_NO_INDEX="1", path="/bin")
    assert again.returncode == 2
    assert again.stdout == "::error::push: 'perhaps' is no boolean; write true or false\n"
    (folder,) = (tool_cache / "build-digests").iterdir()
    assert (folder / "msgspec").is_dir()


def test_no_network_and_no_packages_say_so_in_one_line_and_leave_nothing(bare_python: Path, tmp_path: Path) -> None:
    done = start(bare_python, tmp_path, PIP_INDEX_URL=DEAD_INDEX, PIP_FIND_LINKS="", PIP_RETRIES="0", PIP_TIMEOUT="2")
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert line.startswith("::error::the action's packages cannot be installed: ")
    assert line.endswith("check the network, or PIP_INDEX_URL (UV_INDEX_URL)")
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "build-digests").iterdir()) == []


def test_a_python_without_pip_and_uv_says_what_to_install(bare_python: Path, tmp_path: Path) -> None:
    without = tmp_path / "without"
    subprocess.run([str(bare_python), "-m", "venv", "--without-pip", str(without)], check=True, timeout=60)
    done = start(without / "bin" / "python", tmp_path / "cache")
    assert done.returncode == 1
    assert "has no pip: install uv or pip, or run actions/setup-python before this step" in done.stdout


def test_two_steps_that_start_at_once_leave_one_whole_environment(bare_python: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "RUNNER_TOOL_CACHE": str(tmp_path), "INPUTS": '{"push": "perhaps"}'}
    command = [str(bare_python), str(START), "build"]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=240)[0] for process in both]
    assert outputs == ["::error::push: 'perhaps' is no boolean; write true or false\n"] * 2
    (folder,) = (tmp_path / "build-digests").iterdir()
    assert not folder.name.startswith(".")


def test_a_folder_that_cannot_be_written_says_what_to_set(bare_python: Path, tmp_path: Path) -> None:
    (tmp_path / "build-digests").write_text("a file in the way")
    done = start(bare_python, tmp_path)
    assert done.returncode == 1
    assert "set RUNNER_TOOL_CACHE to a folder that can" in done.stdout


def test_the_installer_never_sees_the_inputs(bare_python: Path, tmp_path: Path) -> None:
    spy = tmp_path / "bin" / "uv"
    spy.parent.mkdir()
    spy.write_text(f"#!/bin/sh\nenv > {tmp_path}/environment\nexit 1\n")
    spy.chmod(0o755)
    done = start(bare_python, tmp_path / "cache", path=f"{spy.parent}:/usr/bin:/bin")
    assert done.returncode == 1
    assert "INPUTS=" not in (tmp_path / "environment").read_text()


def test_uv_is_used_where_it_is_there(bare_python: Path, tmp_path: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        pytest.skip("uv is not installed beside this Python")
    done = start(bare_python, tmp_path, path=f"{Path(uv).parent}:/usr/bin:/bin")
    assert done.returncode == 2, done.stdout + done.stderr


@pytest.mark.parametrize("version", ["3.8", "3.9"])
def test_an_old_python_says_which_is_needed(version: str, tmp_path: Path) -> None:
    found = [*Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), shutil.which(f"python{version}")]
    working = [Path(each) for each in found if each and not subprocess.run([each, "-c", ""], check=False).returncode]
    if not working:
        pytest.skip(f"there is no Python {version} on this machine")
    done = start(working[0], tmp_path)
    assert done.returncode == 1
    assert f"is Python {version}." in done.stdout
    assert "3.10 or later is needed: run actions/setup-python before this step" in done.stdout
