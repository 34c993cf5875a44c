"""The installer: uv or pip, and what of the environment reaches it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.starting import NO_INDEX, ROOT, install


def test_the_error_without_pip_and_uv_says_what_to_install(bare_python: Path, tmp_path: Path) -> None:
    without = tmp_path / "without"
    subprocess.run([str(bare_python), "-m", "venv", "--without-pip", str(without)], check=True, timeout=60)
    done = install(without / "bin" / "python", tmp_path / "cache")
    assert done.returncode == 1
    assert "has no pip: install uv or pip, or run actions/setup-python before this step" in done.stdout


def test_settings_of_pip_that_refuse_a_target_folder_are_overridden(bare_python: Path, tmp_path: Path) -> None:
    subprocess.run([str(bare_python), "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True, timeout=60)
    (packages,) = (tmp_path / "venv").glob("lib/*/site-packages")
    (packages / "pip").mkdir()
    spy = "import json, os, sys; json.dump([dict(os.environ), sys.argv], open(os.environ['SPY'], 'w')); sys.exit(1)"
    (packages / "pip" / "__main__.py").write_text(spy)
    settings = {"PIP_USER": "1", "PIP_REQUIRE_VIRTUALENV": "1", "PIP_INDEX_URL": "https://mirror.corp/simple"}
    install(tmp_path / "venv/bin/python", tmp_path / "cache", SPY=str(tmp_path / "spied"), INPUTS="{}", **settings)
    environment, arguments = json.loads((tmp_path / "spied").read_text())
    assert (environment["PIP_USER"], environment["PIP_REQUIRE_VIRTUALENV"]) == ("0", "0")
    assert environment["PIP_INDEX_URL"] == "https://mirror.corp/simple"
    assert "--require-hashes" in arguments
    assert "INPUTS" not in environment


def test_the_installer_does_not_get_the_inputs(bare_python: Path, tmp_path: Path) -> None:
    spy = tmp_path / "bin" / "uv"
    spy.parent.mkdir()
    spy.write_text(f"#!/bin/sh\nenv > {tmp_path}/environment\nexit 1\n")
    spy.chmod(0o755)
    done = install(bare_python, tmp_path / "cache", path=f"{spy.parent}:/usr/bin:/bin", INPUTS="{}")
    assert done.returncode == 1
    assert "INPUTS=" not in (tmp_path / "environment").read_text()


def test_uv_is_used_if_it_is_installed(bare_python: Path, tmp_path: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        pytest.skip("uv is not installed beside this Python")
    done = install(bare_python, tmp_path, path=f"{Path(uv).parent}:/usr/bin:/bin")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_package_with_another_hash_is_named_and_is_no_problem_of_the_network(
    bare_python: Path, tmp_path: Path, installer: str
) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    if installer == "uv" and uv is None:
        pytest.skip("uv is not installed beside this Python")
    locked = (ROOT / "requirements/retries.txt").read_text().split()[0]
    name, version = locked.split("==")
    with zipfile.ZipFile(tmp_path / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\n")
    folder = f"{Path(uv).parent}:" if installer == "uv" and uv else ""
    wheels = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "UV_FIND_LINKS": str(tmp_path)}
    done = install(
        bare_python, tmp_path / "cache", path=f"{folder}/usr/bin:/bin", **{**NO_INDEX, **wheels}, UV_OFFLINE="1"
    )
    assert done.stdout == (
        f"::error::the action's packages cannot be installed: {locked} has another hash than in its lock; the package "
        "index, or a proxy or cache before it, gives a changed file: repair it, or set another index in PIP_INDEX_URL "
        "(UV_INDEX_URL)\n"
    )
    assert done.returncode == 1
