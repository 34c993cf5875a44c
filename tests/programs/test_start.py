"""The start of a step, in a Python of its own with nothing but the standard library."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests import documented
from tests.github_api import TOKEN, github_api
from tests.starting import BAD_INPUT, NO_INDEX, ROOT, START, install, real_python, start


def test_a_step_that_starts_no_build_installs_nothing(bare_python: Path, tmp_path: Path) -> None:
    done = start(bare_python, tmp_path / "cache", path="/bin", **NO_INDEX)
    assert (done.stdout, done.stderr, done.returncode) == (BAD_INPUT, "", 2)
    assert list(tmp_path.iterdir()) == []


def test_packages_that_are_installed_need_no_network(bare_python: Path, tool_cache: Path) -> None:
    again = install(bare_python, tool_cache, path="/bin", **NO_INDEX)
    (folder,) = (tool_cache / "build-digests").iterdir()
    assert (again.stdout, again.returncode) == (f"retries: {folder}\n", 0)
    assert (folder / "tenacity").is_dir()


def test_pip_installs_a_set_in_parts_that_together_are_the_whole(bare_python: Path, tmp_path: Path) -> None:
    done = install(bare_python, tmp_path, "models")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (tmp_path / "build-digests").iterdir()
    locked = {
        line.partition("==")[0] for line in (ROOT / "requirements/models.txt").read_text().splitlines() if "==" in line
    }
    found = {each.name.partition("-")[0].replace("_", "-") for each in folder.glob("*.dist-info")}
    assert found == {name.replace("_", "-") for name in locked if "python_full_version" not in name}
    code = (
        f"import sys; sys.path.append({str(folder)!r}); import pydantic, msgspec, h2, google.protobuf, actions_toolkit"
    )
    subprocess.run([str(bare_python), "-I", "-S", "-c", code], check=True, timeout=60)


def test_an_installation_without_network_fails_with_one_line_and_leaves_nothing(
    bare_python: Path, tmp_path: Path
) -> None:
    done = install(bare_python, tmp_path, **NO_INDEX)
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert line.startswith("::error::the action's packages cannot be installed: ")
    assert line.endswith("check the network, or PIP_INDEX_URL (UV_INDEX_URL)")
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "build-digests").iterdir()) == []


@pytest.fixture
def recording_uv(tmp_path: Path) -> Path:
    """A uv that installs a file named as the lock, and adds the lock to the file `installed`."""
    uv = tmp_path / "bin/uv"
    uv.parent.mkdir()
    uv.write_text(
        f"""#!/bin/sh
while [ "$1" != --target ]; do shift; done
lock=${{4##*/}}
echo "$lock" >> {tmp_path}/installed
touch "$2/$lock"
"""
    )
    uv.chmod(0o755)
    return uv


@pytest.mark.parametrize("options", [("-I", "-S"), ("-I",)])
def test_the_command_installs_each_set_once_though_this_python_has_its_packages(
    recording_uv: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    environment = {"PATH": f"{recording_uv.parent}:/usr/bin:/bin", "RUNNER_TOOL_CACHE": str(tmp_path / "cache")}
    first, done = (
        subprocess.run(
            [sys.executable, *options, str(START), "install"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        for _ in range(2)
    )
    assert first.stdout == done.stdout
    folders = dict(line.split(": ") for line in done.stdout.splitlines())
    assert {Path(folder).name.split("-")[0] for folder in folders.values()} == set(folders)
    assert all(Path(folder).is_dir() for folder in folders.values())
    locks = {f"{name}.txt" for name in folders}
    assert sorted((tmp_path / "installed").read_text().split()) == sorted(locks)
    # Of the other locks no step installs anything.
    assert locks == {each.name for each in (ROOT / "requirements").glob("*.txt")} - {
        *("dev.txt", "docs.txt", "fuzz.txt", "overrides.txt", "terminal.txt", "uv.txt")
    }


def test_the_documented_commands_install_from_a_folder_of_wheels_without_an_index(tmp_path: Path) -> None:
    clone, offline = documented.blocks("reference.md", "Runners without a package index")
    clone = clone.splitlines()[0]
    cache = tmp_path / "cache"
    environment = {**documented.released(tmp_path / "released"), "RUNNER_TOOL_CACHE": str(cache)}
    done = documented.run(f"{clone}\n{offline}", tmp_path, cache, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    # Before them stands what `pip download` prints.
    sets = [line.partition(": ") for line in done.stdout.splitlines() if str(cache) in line]
    assert [name for name, _, _ in sets] == ["models", "retries", "schemas", "github"]
    assert all(Path(folder).parent == cache / "build-digests" and Path(folder).is_dir() for _, _, folder in sets)


def test_the_command_refuses_an_unknown_set_and_installs_nothing(bare_python: Path, tmp_path: Path) -> None:
    done = install(bare_python, tmp_path / "cache", "retries", "step")
    assert done.returncode == 2
    assert done.stdout.startswith("::error::install: there is no set 'step'; name some of: models, retries, ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "steps", [[], ["merge-all"], ["build", "build"], ["--launched"], ["build", "--launched", "x"], ["--help"]]
)
def test_an_unknown_step_shows_the_usage(bare_python: Path, steps: list[str]) -> None:
    done = subprocess.run(
        [str(bare_python), "-I", "-S", str(START), *steps],
        env={"PATH": "/bin"},
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
    done = install(bare_python, tmp_path / "cache", path=f"{uv.parent}:/usr/bin:/bin")
    (line,) = done.stdout.splitlines()
    assert line.startswith("::error::the action's packages cannot be installed: error: 50%25 done ::warning::no end;")


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8", "3.9"])
def test_the_error_of_an_old_python_says_which_is_needed(version: str, tmp_path: Path) -> None:
    old = real_python(version)
    if old is None:
        pytest.skip(f"there is no Python {version} on this machine")
    for done in (start(old, tmp_path), install(old, tmp_path)):
        assert done.returncode == 1
        assert f"is Python {version}." in done.stdout
        assert "3.10 or later is needed: run actions/setup-python before this step" in done.stdout
    launched = start(old, tmp_path, "--launched")
    assert (launched.returncode, launched.stdout, launched.stderr) == (86, "", "")


def test_a_build_that_cannot_be_retried_still_reports_why_it_failed(bare_python: Path, tmp_path: Path) -> None:
    said = "ERROR: failed to solve: failed to push x: unexpected status from PUT request to http://x: 503 Unavailable"
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    docker.chmod(0o755)
    inputs = {"context": ".", "retries": "2", "summary": "false"}
    environment = {"INPUTS": json.dumps(inputs), **NO_INDEX}
    done = start(bare_python, tmp_path / "cache", path=f"{docker.parent}:/usr/bin:/bin", **environment)
    assert done.returncode == 1
    assert "the build is not tried again: the action's packages cannot be installed: " in done.stdout
    assert f"::error::buildx failed with: {said}\n" in done.stdout


# Python announces each program that it is about to run to its audit hooks.
_UNTIL_BUILDX = """
import os, runpy, sys
def list_modules(event, arguments):
    if event == "subprocess.Popen":
        print(os.path.basename(arguments[0]), flush=True)
    if event == "subprocess.Popen" and "build" in arguments[1]:
        files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
        print("\\n".join(files), file=sys.stderr, flush=True)
        os._exit(0)
sys.addaudithook(list_modules)
sys.argv = [{start!r}, "build"]
runpy.run_path({start!r}, run_name="__main__")
"""


def test_a_step_imports_no_third_party_package_and_installs_none_before_buildx_starts(
    recording_uv: Path, tmp_path: Path
) -> None:
    docker = recording_uv.with_name("docker")
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    inputs = {"context": ".", "push": "true", "tags": "localhost:5000/app:1", "outputs": "type=oci,dest=a.tar"}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _UNTIL_BUILDX.format(start=str(START))],
        env={
            "PATH": f"{docker.parent}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "RUNNER_TEMP": str(tmp_path),
            "RUNNER_TOOL_CACHE": str(tmp_path / "cache"),
            "INPUTS": json.dumps(inputs),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    files = [Path(file) for file in done.stderr.splitlines() if file]
    assert START.parent / "pipeline/execute.py" in files
    library = Path(sysconfig.get_path("stdlib"))
    programs = [line for line in done.stdout.splitlines() if not line.startswith("::")]
    assert set(programs) == {"docker"}
    third_party = [file for file in files if "site-packages" in file.parts or not _is_in(file, ROOT, library)]
    assert third_party == []
    # Each of these takes 1 to 6 ms: action/dataclass.py and action/lazy.py are there to avoid them.
    heavy = ("ast", "dataclasses", "difflib", "hashlib", "inspect", "random", "shutil", "tempfile")
    assert [name for name in heavy if library / f"{name}.py" in files] == []


def test_a_build_does_not_wait_for_packages_to_find_out_whether_the_repository_is_private(
    recording_uv: Path, tmp_path: Path
) -> None:
    docker = recording_uv.with_name("docker")
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    # Only builders of other drivers than docker get the default provenance, which depends on the answer.
    builder = tmp_path / ".docker/buildx/instances/kiln"
    builder.parent.mkdir(parents=True)
    builder.write_text('{"Name": "kiln", "Driver": "docker-container", "Nodes": []}')
    with github_api() as github:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _UNTIL_BUILDX.format(start=str(START))],
            env={
                "PATH": f"{docker.parent}:/usr/bin:/bin",
                "HOME": str(tmp_path),
                "RUNNER_TOOL_CACHE": str(tmp_path / "cache"),
                "GITHUB_API_URL": github.url,
                "GITHUB_REPOSITORY": "octo/app",
                "INPUTS": json.dumps({"context": ".", "builder": "kiln", "github-token": TOKEN}),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert github.requests == [("GET", "/api/v3/repos/octo/app")]
    assert {line for line in done.stdout.splitlines() if not line.startswith("::")} == {"docker"}
    assert not (tmp_path / "installed").exists()


def _is_in(file: Path, *folders: Path) -> bool:
    return any(file.resolve().is_relative_to(folder.resolve()) for folder in folders)
