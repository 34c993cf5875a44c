"""The demo: what it needs of a machine, and what it says if the machine lacks something."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from engine.packages import debian_codename
from tests.starting import ROOT, installer_variables

DEMO = "examples/demo.py"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without a cache, in a folder with a space in its name that every user can read."""
    folder = tmp_path / "my projects"
    for part in ("action", "engine", "examples/demo", "requirements", "schemas"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / DEMO, folder / DEMO)
    # pytest's own folders are readable by their owner alone.
    for above in (folder, *folder.parents):
        if above.stat().st_mode & 0o777 == 0o700 and above.is_relative_to(tempfile.gettempdir()):
            above.chmod(0o755)
    return folder


def _python(checkout: Path, code: str, *, python: str = sys.executable, **variables: str) -> tuple[int, str]:
    """Run Python code in the checkout, without uv and Docker; return the exit code and all that it printed."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DOCKER_HOST": "unix:///nowhere.sock", **variables}
    done = subprocess.run(
        (python, "-c", code),
        cwd=checkout,
        env={**environment, **installer_variables()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


def _can_be_another_user() -> bool:
    return os.geteuid() == 0 and Path("/usr/bin/python3").exists()


def test_the_demo_installs_its_packages_with_a_python_that_has_no_pip(checkout: Path, tmp_path: Path) -> None:
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"), check=True, timeout=60)
    bare = str(tmp_path / "bare/bin/python")
    code, printed = _python(checkout, "from engine.wheels import wheels; print(wheels('terminal'))", python=bare)
    assert code == 0, printed
    folder = printed.splitlines()[-1]
    assert Path(folder).is_relative_to(checkout / ".cache")
    code, printed = _python(checkout, "import click, rich; print(click.__file__)", python=bare, PYTHONPATH=folder)
    assert code == 0, printed
    assert printed.startswith(folder)


def test_without_a_package_index_the_message_names_the_network_and_the_index(checkout: Path) -> None:
    code = "from engine.wheels import wheels; from engine import EngineError\n"
    code += "try: wheels('terminal')\nexcept EngineError as error: print(error)"
    folder = checkout / "empty"
    folder.mkdir()
    done, printed = _python(checkout, code, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(folder))
    assert done == 0, printed
    assert "the Python packages cannot be installed: " in printed
    assert "No matching distribution found" in printed
    assert printed.splitlines()[-1].startswith(
        "What to do: check the network; a mirror or proxy is set in PIP_INDEX_URL"
    )
    assert not list(checkout.glob(".cache/engine/wheels-*"))


@pytest.mark.skipif(debian_codename() is None, reason="not a Debian machine")
def test_without_the_archive_the_message_names_command_archive_and_what_to_do(checkout: Path) -> None:
    code = "from engine.packages import downloaded; from engine import EngineError\n"
    code += "try: downloaded('hello')\nexcept EngineError as error: print(error)"
    proxy = "http://127.0.0.1:9"  # nothing listens on port 9
    settings = checkout / "apt.conf"
    settings.write_text('Acquire::Retries "0";\n')
    done, printed = _python(checkout, code, http_proxy=proxy, https_proxy=proxy, APT_CONFIG=str(settings))
    assert done == 0, printed
    assert "`apt-get update` cannot download from http" in printed
    assert "127.0.0.1" in printed
    assert printed.splitlines()[-1].startswith("What to do: check the network, the clock of the machine")


def test_an_old_python_is_named_with_what_to_do() -> None:
    ast.parse((ROOT / DEMO).read_text(encoding="utf-8"), feature_version=(3, 7))
    code = f"import runpy, sys; sys.version_info = (3, 9, 2, 'final', 0); runpy.run_path({DEMO!r}, run_name='__main__')"
    assert _python(ROOT, code) == (
        2,
        (
            f"Python 3.10 or later is needed, but {sys.executable} is 3.9.2: "
            "start the demo with a newer one, for example python3.12 examples/demo.py\n"
        ),
    )


@pytest.mark.skipif(not _can_be_another_user(), reason="only root can start a program as another user")
def test_a_user_who_is_not_root_and_has_no_docker_is_told_so_before_anything_is_downloaded(checkout: Path) -> None:
    code = f"import os, runpy; os.setuid(65534); runpy.run_path({DEMO!r}, run_name='__main__')"
    # That of the tests may be in a folder that this user cannot read.
    done, printed = _python(checkout, code, python="/usr/bin/python3")
    assert done == 1, printed
    assert printed.splitlines()[-1] == (
        "engine: a private Docker engine needs root: run the command as root (sudo), or start Docker with its buildx "
        "plugin and check that `docker buildx ls` works for this user"
    )
    assert not (checkout / ".cache").exists()


@pytest.mark.skipif(not _can_be_another_user(), reason="only root can start a program as another user")
def test_a_checkout_that_the_user_cannot_write_is_named_with_what_to_do(checkout: Path) -> None:
    code = "import os; os.setuid(65534)\nfrom engine import EngineError; from engine.wheels import wheels\n"
    code += "try: wheels('terminal')\nexcept EngineError as error: print(error)"
    done, printed = _python(checkout, code, python="/usr/bin/python3")
    assert (done, printed) == (
        0,
        (
            f"{checkout}/.cache cannot be written: Permission denied; "
            "run the command as the owner of the checkout, or clone the repository as this user\n"
        ),
    )


@pytest.mark.skipif("BUILD_DIGESTS_REGISTRY" not in os.environ, reason="make test brings a docker with buildx")
def test_a_docker_whose_engine_does_not_answer_is_reported_with_dockers_own_reason(checkout: Path) -> None:
    code = "from engine.docker import present_docker; print(present_docker())"
    done, printed = _python(checkout, code, PATH=os.environ["PATH"], DOCKER_CONFIG=os.environ.get("DOCKER_CONFIG", ""))
    assert done == 0, printed
    assert "unix:///nowhere.sock" in printed
    assert len(printed.splitlines()) == 1


def test_without_docker_the_reason_is_the_path(checkout: Path) -> None:
    code = "from engine.docker import present_docker; print(present_docker())"
    assert _python(checkout, code, PATH=str(checkout)) == (0, "there is no docker on the PATH\n")
