"""The start of a step, in a Python of its own with nothing but the standard library."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest
import yaml

from tests.starting import DEAD_INDEX, ROOT, START, start


def test_a_first_step_installs_the_packages_and_a_second_needs_no_network(bare_python: Path, tool_cache: Path) -> None:
    again = start(bare_python, tool_cache, PIP_INDEX_URL=DEAD_INDEX, PIP_FIND_LINKS="", PIP_NO_INDEX="1", path="/bin")
    assert again.returncode == 2
    assert again.stdout == "::error::push: 'perhaps' is not a boolean; write true or false\n"
    (folder,) = (tool_cache / "build-digests").iterdir()
    assert (folder / "actions_toolkit").is_dir()


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


@pytest.fixture
def installer(tmp_path: Path, tool_cache: Path) -> str:
    """A search path with an installer in front that copies what was installed, as slowly as SECONDS says."""
    (source,) = (tool_cache / "build-digests").iterdir()
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    # --target is followed by the folder.
    script = f"""
while [ "$1" != --target ]; do shift; done
cp -r {source}/actions_toolkit "$2"
touch {tmp_path}/half
sleep "$SECONDS_TO_TAKE"
cp -r {source}/. "$2"
"""
    uv.write_text(f"#!/bin/sh\n{script}")
    uv.chmod(0o755)
    return f"{uv.parent}:/usr/bin:/bin"


def starting(python: Path, path: str, cache: Path, seconds: float) -> subprocess.Popen[str]:
    """A step that starts."""
    return subprocess.Popen(
        [str(python), "-I", "-S", str(START), "build"],
        env={
            "PATH": path,
            "RUNNER_TOOL_CACHE": str(cache),
            "INPUTS": '{"push": "perhaps"}',
            "SECONDS_TO_TAKE": str(seconds),
        },
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


BAD_INPUT = "::error::push: 'perhaps' is not a boolean; write true or false\n"


def test_steps_that_start_at_once_leave_one_whole_environment(
    bare_python: Path, installer: str, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    both = [starting(bare_python, installer, cache, seconds) for seconds in (0.5, 0.6)]
    assert [process.communicate(timeout=60)[0] for process in both] == [BAD_INPUT] * 2
    (folder,) = (cache / "build-digests").iterdir()
    assert not folder.name.startswith(".")


def test_an_install_that_is_killed_leaves_no_half_environment(
    bare_python: Path, installer: str, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    process = starting(bare_python, installer, cache, 30)
    wait_for(tmp_path / "half")
    process.kill()
    process.communicate(timeout=30)
    assert [each.name[:12] for each in (cache / "build-digests").iterdir()] == [".unfinished-"]
    assert starting(bare_python, installer, cache, 0).communicate(timeout=60)[0] == BAD_INPUT
    (folder,) = (cache / "build-digests").iterdir()
    assert not folder.name.startswith(".")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_install_that_is_cancelled_leaves_nothing(
    bare_python: Path, installer: str, tmp_path: Path, number: signal.Signals
) -> None:
    cache = tmp_path / "cache"
    process = starting(bare_python, installer, cache, 2)
    wait_for(tmp_path / "half")
    process.send_signal(number)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 128 + number
    assert list((cache / "build-digests").iterdir()) == []


def test_packages_are_kept_for_one_kind_of_python_and_machine(tool_cache: Path) -> None:
    # A container job shares the tool cache of its host, which may have another C library or another user.
    (folder,) = (tool_cache / "build-digests").iterdir()
    tag = str(sysconfig.get_config_var("EXT_SUFFIX")).removesuffix(".so")
    assert folder.name.endswith(tag)
    assert folder.stat().st_mode & 0o777 == 0o755


def test_settings_of_pip_that_forbid_a_folder_of_our_own_are_overruled(bare_python: Path, tmp_path: Path) -> None:
    subprocess.run([str(bare_python), "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True, timeout=60)
    (packages,) = (tmp_path / "venv").glob("lib/*/site-packages")
    (packages / "pip").mkdir()
    spy = "import json, os, sys; json.dump([dict(os.environ), sys.argv], open(os.environ['SPY'], 'w')); sys.exit(1)"
    (packages / "pip" / "__main__.py").write_text(spy)
    settings = {"PIP_USER": "1", "PIP_REQUIRE_VIRTUALENV": "1", "PIP_INDEX_URL": "https://mirror.corp/simple"}
    start(tmp_path / "venv/bin/python", tmp_path / "cache", SPY=str(tmp_path / "spied"), **settings)
    environment, arguments = json.loads((tmp_path / "spied").read_text())
    assert (environment["PIP_USER"], environment["PIP_REQUIRE_VIRTUALENV"]) == ("0", "0")
    assert environment["PIP_INDEX_URL"] == "https://mirror.corp/simple"
    assert "--require-hashes" in arguments
    assert "INPUTS" not in environment


@pytest.mark.parametrize("steps", [[], ["merge-all"], ["build", "build"], ["--help"]])
def test_a_step_that_is_none_shows_the_usage(bare_python: Path, tool_cache: Path, steps: list[str]) -> None:
    done = subprocess.run(
        [str(bare_python), "-I", "-S", str(START), *steps],
        env={"PATH": "/bin", "RUNNER_TOOL_CACHE": str(tool_cache)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("::error::usage: start.py build")


def test_a_message_of_several_lines_is_one_workflow_command(bare_python: Path, tmp_path: Path) -> None:
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\nprintf 'error: 50%% done\\n::warning::no\\rend\\n' >&2; exit 1\n")
    uv.chmod(0o755)
    done = start(bare_python, tmp_path / "cache", path=f"{uv.parent}:/usr/bin:/bin")
    (line,) = done.stdout.splitlines()
    assert line.startswith("::error::the action's packages cannot be installed: error: 50%25 done ::warning::no end;")


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


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8", "3.9"])
def test_an_old_python_says_which_is_needed(version: str, tmp_path: Path) -> None:
    found = [*Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), shutil.which(f"python{version}")]
    working = [Path(each) for each in found if each and not subprocess.run([each, "-c", ""], check=False).returncode]
    if not working:
        pytest.skip(f"there is no Python {version} on this machine")
    done = start(working[0], tmp_path)
    assert done.returncode == 1
    assert f"is Python {version}." in done.stdout
    assert "3.10 or later is needed: run actions/setup-python before this step" in done.stdout


def test_a_build_that_cannot_be_tried_again_still_says_why_it_failed(
    bare_python: Path, tool_cache: Path, tmp_path: Path
) -> None:
    said = "ERROR: failed to solve: failed to push x: unexpected status from PUT request to http://x: 503 Unavailable"
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    docker.chmod(0o755)
    inputs = {"context": ".", "retries": "2", "summary": "false"}
    dead = {"PIP_INDEX_URL": DEAD_INDEX, "PIP_FIND_LINKS": "", "PIP_RETRIES": "0", "PIP_TIMEOUT": "2"}
    done = start(bare_python, tool_cache, path=f"{docker.parent}:/usr/bin:/bin", INPUTS=json.dumps(inputs), **dead)
    assert done.returncode == 1
    assert "the build is not tried again: the action's packages cannot be installed: " in done.stdout
    assert f"::error::buildx failed with: {said}\n" in done.stdout


def test_a_python_that_is_too_old_gives_way_to_a_newer_one_of_the_tool_cache(tool_cache: Path, tmp_path: Path) -> None:
    old = [
        *Path.home().glob(".pyenv/versions/3.[6-9].*/bin/python"),
        *map(Path, filter(None, [shutil.which("python3.9")])),
    ]
    working = [each for each in old if each.exists() and not subprocess.run([each, "-c", ""], check=False).returncode]
    if not working:
        pytest.skip("there is no old Python on this machine")
    shutil.copytree(tool_cache, tmp_path / "cache", symlinks=True)
    for version in ("3.9.1", f"3.{sys.version_info.minor}.0"):
        _python_in_tool_cache(tmp_path / "cache", version)
    done = start(working[0], tmp_path / "cache")
    assert (done.stdout, done.returncode) == (BAD_INPUT, 2)


def _python_in_tool_cache(cache: Path, version: str) -> None:
    """A Python where actions/setup-python puts one; it is the tests' own."""
    folder = cache / "Python" / version / "x64" / "bin"
    folder.mkdir(parents=True)
    (folder / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python3").chmod(0o755)


@pytest.mark.parametrize("name", ["action.yml", "bake/action.yml", "merge/action.yml"])
@pytest.mark.parametrize("found", ["python3", "python", "the tool cache", "nothing"])
@pytest.mark.parametrize("system", ["Linux", "Windows"])
def test_an_action_takes_the_python_that_there_is(
    tool_cache: Path, tmp_path: Path, name: str, found: str, system: str
) -> None:
    (step,) = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["runs"]["steps"]
    cache, path = tmp_path / "cache", tmp_path / "bin"
    shutil.copytree(tool_cache, cache, symlinks=True)
    path.mkdir()
    if found in {"python3", "python"}:
        (path / found).symlink_to(sys.executable)
    if found == "the tool cache":
        _python_in_tool_cache(cache, f"3.{sys.version_info.minor}.0")
    done = subprocess.run(
        ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        env={
            "PATH": str(path),
            "RUNNER_OS": system,
            "RUNNER_TOOL_CACHE": str(cache),
            "GITHUB_ACTION_PATH": str((ROOT / name).parent),
            "INPUTS": json.dumps({"summary": "x"}),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if found == "nothing" or (found == "python3" and system == "Windows"):
        assert done.stdout == "::error::Python 3.10 or later is needed: run actions/setup-python before this step\n"
        assert done.returncode == 1
    else:
        assert done.stdout.startswith("::error::")
        assert done.returncode == 2
