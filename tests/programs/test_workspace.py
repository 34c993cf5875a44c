"""A step in a hostile checkout: nothing in the workspace is imported, run, or read as configuration of an installer."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engine.node import NODE
from tests.hostile import ran as hostile_ran
from tests.hostile import write_hostile_workspace
from tests.programs.launching import launch
from tests.starting import START, installer_variables


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A checkout in which every name that a step could import or run leaves a mark."""
    folder = tmp_path / "workspace"
    write_hostile_workspace(folder, tmp_path / "ran")
    return folder


def ran(workspace: Path) -> str:
    return hostile_ran(workspace.parent / "ran")


def test_the_traps_work(workspace: Path) -> None:
    traps = {
        (str(NODE), "main.js"): "main.js loaded",
        (str(NODE), "--eval", "require('main.js')"): "node_modules/main.js/index.js loaded",
        (str(NODE), "--import=./fs.js", "--eval", "0"): "fs.js loaded",
        (sys.executable, "-c", "import action"): "action/__init__.py imported",
        (sys.executable, "-c", "import tenacity"): "tenacity.py imported",
        ("./docker",): "docker ran",
    }
    for command, expected in traps.items():
        (workspace.parent / "ran").unlink(missing_ok=True)
        subprocess.run(command, cwd=workspace, env={}, capture_output=True, timeout=60, check=False)
        assert expected in ran(workspace), command


def start(
    python: Path, workspace: Path, path: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Start a step in a workspace, as the runner does, with an empty tool cache."""
    return subprocess.run(
        [str(python), "-I", "-S", str(START), *arguments],
        cwd=workspace,
        env={
            **installer_variables(),
            "PATH": path,
            "HOME": str(workspace.parent),
            "GITHUB_WORKSPACE": str(workspace),
            "RUNNER_TOOL_CACHE": str(workspace.parent / "cache"),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def install(python: Path, workspace: Path, path: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return start(python, workspace, path, "install", "retries", **environment)


def installed(workspace: Path) -> str:
    """What an installation prints that succeeds."""
    (folder,) = (workspace.parent / "cache/build-digests").iterdir()
    return f"retries: {folder}\n"


def uv_folder() -> str:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        pytest.skip("uv is not installed beside this Python")
    return str(Path(uv).parent)


def hostile(workspace: Path) -> dict[str, str]:
    """Variables that lead Python into the workspace."""
    return {
        "PYTHONPATH": str(workspace),
        "PYTHONSTARTUP": str(workspace / "json.py"),
        "PYTHONUSERBASE": str(workspace),
        "PYTHONPYCACHEPREFIX": str(workspace),
    }


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_nothing_in_the_workspace_is_imported_or_run_by_an_installation(
    bare_python: Path, workspace: Path, installer: str
) -> None:
    path = f"{workspace / 'bin'}:.:bin::{uv_folder() if installer == 'uv' else '/usr/bin'}:/usr/bin:/bin"
    done = install(bare_python, workspace, path, **hostile(workspace))
    assert done.stdout == installed(workspace), done.stderr
    assert ran(workspace) == ""


def test_settings_in_the_workspace_and_of_other_installs_have_no_effect_on_pip(
    bare_python: Path, workspace: Path
) -> None:
    settings = {
        "PIP_CONFIG_FILE": "pip.conf",
        "PIP_PREFIX": str(workspace / "prefix"),
        "PIP_ROOT": str(workspace / "root"),
        "PIP_TARGET": str(workspace / "target"),
        "PIP_USER": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_NO_BINARY": ":all:",
        "PIP_PLATFORM": "win_amd64",
        "PIP_PYTHON_VERSION": "3.7",
        "PIP_PYTHON": str(workspace / "python3"),
        "PIP_CONSTRAINT": str(workspace / "constraints.txt"),
        "PIP_REQUIREMENT": str(workspace / "more.txt"),
        "PIP_CACHE_DIR": str(workspace / "cache"),
        "PIP_LOG": str(workspace / "log"),
        "XDG_CONFIG_HOME": str(workspace),
    }
    (workspace / "pip").unlink()
    for name, text in (
        ("constraints.txt", "tenacity==9.0"),
        ("more.txt", "six"),
        ("pip/pip.conf", "[global]\nprefix=/x"),
    ):
        (workspace / name).parent.mkdir(exist_ok=True)
        (workspace / name).write_text(text)
    before = sorted(workspace.rglob("*"))
    done = install(bare_python, workspace, "/usr/bin:/bin", **settings)
    assert done.stdout == installed(workspace), done.stderr
    assert sorted(workspace.rglob("*")) == before
    absolute = {**settings, "PIP_CONFIG_FILE": str(workspace / "pip.conf")}
    shutil.rmtree(workspace.parent / "cache")
    assert install(bare_python, workspace, "/usr/bin:/bin", **absolute).stdout == installed(workspace)


def test_settings_in_the_workspace_and_of_other_installs_have_no_effect_on_uv(
    bare_python: Path, workspace: Path
) -> None:
    settings = {
        "UV_CONFIG_FILE": "uv.toml",
        "UV_PROJECT": str(workspace),
        "UV_WORKING_DIR": str(workspace),
        "UV_PYTHON": "3.7",
        "UV_EXCLUDE_NEWER": "2001-01-01",
        "UV_NO_BINARY": "1",
        "UV_CONSTRAINT": str(workspace / "constraints.txt"),
        "UV_LINK_MODE": "symlink",
        "UV_CACHE_DIR": str(workspace / "cache"),
        "UV_ENV_FILE": str(workspace / "env"),
        "XDG_CONFIG_HOME": str(workspace),
        "XDG_CACHE_HOME": str(workspace),
        "VIRTUAL_ENV": str(workspace / "venv"),
    }
    (workspace / "constraints.txt").write_text("tenacity==9.0")
    (workspace / "uv").unlink()
    (workspace / "uv").mkdir()
    (workspace / "uv/uv.toml").write_text('required-version = "==0.0.1"\n')
    before = sorted(workspace.rglob("*"))
    done = install(bare_python, workspace, f"{uv_folder()}:/usr/bin:/bin", **settings)
    assert done.stdout == installed(workspace), done.stderr
    assert sorted(workspace.rglob("*")) == before


def test_settings_of_folders_above_the_tool_cache_have_no_effect_on_uv(bare_python: Path, workspace: Path) -> None:
    for name in ("uv.toml", "pyproject.toml"):
        shutil.copy(workspace / name, workspace.parent / name)
    done = install(bare_python, workspace, f"{uv_folder()}:/usr/bin:/bin")
    assert done.stdout == installed(workspace), done.stderr


@pytest.fixture
def index() -> Iterator[tuple[str, list[str]]]:
    """A package index that has nothing, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_arguments: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple", asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("installer", "file", "text", "variables"),
    [
        ("pip", ".config/pip/pip.conf", "[global]\nindex-url = {url}\n", {}),
        ("pip", ".config/pip/pip.conf", "[global]\nindex-url = {url}\nprefix = /nowhere\nuser = true\n", {}),
        (
            "pip",
            "etc/pip.conf",
            "[global]\nindex-url = {url}\n",
            {"PIP_CONFIG_FILE": "{home}/etc/pip.conf"},
        ),
        ("pip", "", "", {"PIP_INDEX_URL": "{url}"}),
        ("uv", ".config/uv/uv.toml", 'index-url = "{url}"\n', {}),
        ("uv", "elsewhere/uv.toml", 'index-url = "{url}"\n', {"UV_CONFIG_FILE": "{home}/elsewhere/uv.toml"}),
        ("uv", "", "", {"UV_INDEX_URL": "{url}"}),
        ("uv", "", "", {"UV_DEFAULT_INDEX": "{url}"}),
    ],
)
def test_the_index_that_the_machine_or_its_user_has_set_is_asked(  # noqa: PLR0917
    bare_python: Path,
    workspace: Path,
    index: tuple[str, list[str]],
    installer: str,
    file: str,
    text: str,
    variables: Mapping[str, str],
) -> None:
    url, asked = index
    home = workspace.parent
    if file:
        (home / file).parent.mkdir(parents=True)
        (home / file).write_text(text.format(url=url))
    path = f"{uv_folder() if installer == 'uv' else '/usr/bin'}:/usr/bin:/bin"
    environment = {name: value.format(url=url, home=home) for name, value in variables.items()}
    done = install(bare_python, workspace, path, PIP_FIND_LINKS="", **environment)
    assert done.returncode == 1
    assert done.stdout.startswith("::error::the action's packages cannot be installed: ")
    assert {part for path in asked for part in path.split("/")} & {"tenacity"}


def test_a_tool_cache_in_the_workspace_is_not_used(bare_python: Path, workspace: Path) -> None:
    done = install(bare_python, workspace, "/usr/bin:/bin", RUNNER_TOOL_CACHE=str(workspace), XDG_CACHE_HOME="cache")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (workspace / "build-digests").exists()
    assert (workspace.parent / ".cache/build-digests").is_dir()


@pytest.mark.parametrize(
    ("name", "installer"), [("build", "pip"), ("build", "uv"), ("bake", "uv"), ("merge", "uv"), ("merge", "pip")]
)
def test_an_action_that_installs_imports_and_runs_nothing_of_the_workspace(
    bare_python: Path, workspace: Path, name: str, installer: str
) -> None:
    docker = workspace.parent / "docker/docker"
    docker.parent.mkdir()
    cache = workspace.parent / "cache"
    docker.write_text(FAILING_DOCKER.format(cache=cache))
    docker.chmod(0o755)
    (docker.parent / "python3").symlink_to(bare_python)
    uv = uv_folder() if installer == "uv" else ""
    merged = {"INPUT_RESULTS": "none", "INPUT_TAGS": "localhost/x:1"}
    inputs = {"build": {"INPUT_CONTEXT": ".", "INPUT_OUTPUTS": OUTPUT}, "bake": {"INPUT_SOURCE": "."}, "merge": merged}[
        name
    ]
    done = launch(
        f"{workspace / 'bin'}:.:bin::{docker.parent}:{uv}",
        name,
        workspace,
        **{**installer_variables(), "HOME": str(workspace.parent)},
        **hostile(workspace),
        **inputs,
        GITHUB_WORKSPACE=str(workspace),
        RUNNER_TOOL_CACHE=str(cache),
        INPUT_SUMMARY="false",
    )
    assert ran(workspace) == ""
    assert done.returncode == (2 if name == "merge" else 1), done.stdout + done.stderr
    assert list((cache / "build-digests").glob("models-*")), done.stdout


# A tar is read with packages, which are installed while buildx runs.
OUTPUT = "type=oci,dest=a.tar"
FAILING_DOCKER = f"""#!/bin/sh
case "$*" in
  *--print*) echo '{{{{"target": {{{{"app": {{{{"context": ".", "output": ["{OUTPUT}"]}}}}}}}}}}}}' ;;
  "buildx version") echo "github.com/docker/buildx v0.29.1 none" ;;
  *)
    while [ $((i += 1)) -lt 600 ]; do
      set -- {{cache}}/build-digests/models-*
      [ -d "$1" ] && break
      /bin/sleep 0.1
    done
    exit 1 ;;
esac
"""


def test_no_docker_of_the_workspace_is_run(bare_python: Path, own_tool_cache: Path, workspace: Path) -> None:
    inputs = json.dumps({"context": ".", "summary": "false"})
    for path in (f"{workspace / 'bin'}:.:", "."):
        done = start(bare_python, workspace, path, "build", RUNNER_TOOL_CACHE=str(own_tool_cache), INPUTS=inputs)
        assert "::error::neither docker nor buildx is on the PATH: " in done.stdout
    assert ran(workspace) == ""


def test_the_programs_of_a_step_find_none_in_the_workspace(
    bare_python: Path, own_tool_cache: Path, workspace: Path
) -> None:
    docker = workspace.parent / "docker"
    docker.mkdir()
    (docker / "docker").write_text("#!/bin/sh\ngit --version\nkeyring\nexit 1\n")
    (docker / "docker").chmod(0o755)
    inputs = json.dumps({"context": ".", "summary": "false"})
    path = f"bin:{docker}:{workspace}:{workspace / 'bin'}:/usr/bin:/bin"
    done = start(bare_python, workspace, path, "build", RUNNER_TOOL_CACHE=str(own_tool_cache), INPUTS=inputs)
    assert "git version" in done.stdout + done.stderr
    assert ran(workspace) == ""


def test_the_command_imports_and_runs_nothing_of_the_folder_it_starts_in(workspace: Path) -> None:
    command = Path(sys.executable).parent / "build-digests"
    path = f".:bin:{Path(sys.executable).parent}"
    for arguments in (["--version"], ["schema", "digests"], ["build", "--", "."], ["bake", "--", "x"]):
        subprocess.run(
            [str(command), *arguments],
            cwd=workspace,
            env={"PATH": path, "HOME": str(workspace.parent)},
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert ran(workspace) == ""
