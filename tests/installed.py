"""The wheel, and Pythons and tool caches for the tests of a step's start."""

from __future__ import annotations

import email
import importlib.util
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.starting import ROOT, install


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with pip and nothing else."""
    folder = tmp_path_factory.mktemp("python")
    pip = importlib.util.find_spec("pip")
    option = ["--without-pip"] if pip and pip.origin else []
    command = [sys.executable, "-m", "venv", *option, str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    if pip and pip.origin:
        # Ours will do, and takes no seconds to install.
        (packages,) = folder.glob("lib/*/site-packages")
        (packages / "pip").symlink_to(Path(pip.origin).parent)
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def uv_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A search path with uv, which installs in a tenth of the time that pip takes."""
    folder = tmp_path_factory.mktemp("uv")
    (folder / "uv").symlink_to(Path(sys.executable).parent / "uv")
    return f"{folder}:/usr/bin:/bin"


@pytest.fixture(scope="session")
def tool_cache(tmp_path_factory: pytest.TempPathFactory, bare_python: Path) -> Path:
    """A RUNNER_TOOL_CACHE with one small set of packages."""
    folder = tmp_path_factory.mktemp("tool-cache")
    done = install(bare_python, folder, "retries")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this package."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="session")
def wheel_metadata(wheel: Path) -> email.message.Message:
    """The metadata of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return email.message_from_string(archive.read(name).decode())


def needed(requirements: list[str]) -> dict[str, metadata.Distribution]:
    """Return the distributions that an installer would bring, from the metadata of those that are installed here."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [Requirement(each) for each in requirements]
    while waiting:
        requirement = waiting.pop()
        if requirement.name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found[requirement.name] = metadata.distribution(requirement.name)
        waiting += map(Requirement, found[requirement.name].requires or [])
    return found


@pytest.fixture(scope="session")
def installed(
    wheel: Path, wheel_metadata: email.message.Message, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Folders with the wheel's files and with the packages that pip installs for it, and with no others."""
    folder = tmp_path_factory.mktemp("installed")
    own, packages = folder / "own", folder / "packages"
    packages.mkdir()
    for distribution in needed(wheel_metadata.get_all("Requires-Dist") or []).values():
        for top in {file.parts[0] for file in distribution.files or [] if file.parts[0] not in {"..", "__pycache__"}}:
            (packages / top).symlink_to(str(distribution.locate_file(top)))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(own)
    return own, packages


@pytest.fixture(scope="session")
def run_cache(tmp_path_factory: pytest.TempPathFactory, bare_python: Path, tool_cache: Path, uv_path: str) -> Path:
    """A RUNNER_TOOL_CACHE with the packages that every run needs."""
    folder = tmp_path_factory.mktemp("run-cache")
    shutil.copytree(tool_cache, folder, dirs_exist_ok=True)
    done = install(bare_python, folder, "models", path=uv_path)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def sigint_ends() -> Iterator[None]:
    """Let SIGINT end programs that a test starts: they ignore it if the tests run in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def own_tool_cache(tool_cache: Path, tmp_path: Path) -> Path:
    """A copy of it for a test whose step starts a build, and so begins to install more packages."""
    return Path(shutil.copytree(tool_cache, tmp_path / "own-tool-cache", symlinks=True))
