"""The packages that steps import: each set from a lock with hashes, and installed once, when something first needs it.

A set is kept in RUNNER_TOOL_CACHE under its lock's hash and the kind of Python; steps and actions share it. Standard
library only, since this is what makes the others importable.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.util
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from action.buildx.program import Programs, ask
from action.errors import PackagesError, ProgramError

_INSTALL_SECONDS = 600.0
_LOCKS = Path(__file__).resolve().parent.parent / "requirements"


@dataclass(frozen=True)
class PackageSet:
    """Packages that are needed together.

    Attributes:
        name: the name of their lock, `requirements/NAME.txt`.
        module: one of their modules, which tells whether they are here.
    """

    name: str
    module: str

    @property
    def lock(self) -> Path:
        """The lock; not there where this package was installed as others are, with all that it needs."""
        return _LOCKS / f"{self.name}.txt"

    @property
    def folder(self) -> Path:
        """Where the set is kept for this Python and this machine.

        What a Python names its compiled modules tells its version, processor and C library: a container job shares the
        tool cache of its host.
        """
        digest = hashlib.sha256(self.lock.read_bytes()).hexdigest()[:16]
        tag = importlib.machinery.EXTENSION_SUFFIXES[0].rpartition(".")[0]
        cache = os.environ.get("RUNNER_TOOL_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(cache) / "build-digests" / f"{self.name}-{digest}{tag}"


STEP = PackageSet("step", "actions_toolkit")
"""What every step needs, two small packages: workflow commands, and results. The only set that a build waits for."""

SUMMARY = PackageSet("summary", "google.protobuf")
"""What reads a build's log out of its record."""

RETRIES = PackageSet("retries", "tenacity")
"""What asks a registry again."""

SCHEMAS = PackageSet("schemas", "jsonschema")
"""What says which places of a file break its schema."""

GITHUB = PackageSet("github", "github")
"""What asks GitHub's API."""

SETS = (STEP, SUMMARY, RETRIES, SCHEMAS, GITHUB)
"""Every set."""


def provide(packages: PackageSet, programs: Programs | None = None) -> None:
    """Make a set importable, and install it where it is not there yet.

    Args:
        packages: the set.
        programs: those that its installer is ended with, or None.

    Raises:
        PackagesError: it is not here and cannot be installed.
    """
    if _is_here(packages.module):
        return
    if not packages.lock.is_file():
        raise PackagesError(f"{packages.module} is missing: pip install 'build-digests[github]' brings all packages")
    folder = packages.folder
    if not folder.is_dir():
        _install(folder, packages.lock, programs)
    sys.path.append(str(folder))
    importlib.invalidate_caches()


def _is_here(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        # What it would be in is not there.
        return False


def _install(folder: Path, lock: Path, programs: Programs | None) -> None:
    """Install a set into a folder, whole or not at all; where another step does so meanwhile, the first one stays."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent)
    except OSError as error:
        message = f"{folder.parent} cannot be written ({error.strerror}): set RUNNER_TOOL_CACHE to a folder that can"
        raise PackagesError(message) from None
    try:
        _run_installer(unfinished, lock, programs)
        # mkdtemp lets nobody else in, and the next step may be another user's.
        Path(unfinished).chmod(0o755)
        try:
            Path(unfinished).rename(folder)
        except OSError as error:
            if not folder.is_dir():
                raise PackagesError(f"{folder} cannot be made: {error.strerror}") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _run_installer(target: str, lock: Path, programs: Programs | None) -> None:
    uv = shutil.which("uv")
    installer = (
        [uv, "pip", "install", "--quiet", "--python", sys.executable]
        if uv
        else [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    )
    # An installer is no buildx: it must not see the inputs, which hold secrets.
    environment = {name: value for name, value in os.environ.items() if name != "INPUTS"}
    # Settings of this machine with which pip would refuse a folder of our own.
    environment.update({"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"})
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", target, "-r", str(lock)]
    try:
        ended = ask([*installer, *options], environment, seconds=_INSTALL_SECONDS, programs=programs)
    except ProgramError as error:
        raise PackagesError(f"the action's packages cannot be installed: {error}") from None
    if ended.code:
        said = ended.stderr.strip().splitlines() or [f"exit code {ended.code}"]
        if "No module named pip" in said[-1]:
            message = f"{sys.executable} has no pip: install uv or pip, or run actions/setup-python before this step"
            raise PackagesError(message)
        raise PackagesError(
            "the action's packages cannot be installed: " + " ".join(said[-3:]) + "; they are needed once, from a "
            "Python package index: check the network, or PIP_INDEX_URL (UV_INDEX_URL)"
        )
