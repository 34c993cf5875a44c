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
import sys
from dataclasses import dataclass
from pathlib import Path

from action.errors import PackagesError
from action.packages.tool_cache import finish, is_whole, replace, unfinished_folder
from action.process.program import ProgramGroup
from action.process.search import home_folder, in_workspace

_LOCKS = Path(__file__).resolve().parents[2] / "requirements"


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
        return _cache() / "build-digests" / f"{self.name}-{digest}{tag}"


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


def provide(packages: PackageSet, programs: ProgramGroup | None = None) -> None:
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
    if not is_whole(folder):
        _install(folder, packages.lock, programs)
    sys.path.append(str(folder))
    importlib.invalidate_caches()


def _cache() -> Path:
    """The folder for what is kept between jobs; one in the workspace can come with a checkout and does not count."""
    home = home_folder()
    for name in (
        os.environ.get("RUNNER_TOOL_CACHE"),
        os.environ.get("XDG_CACHE_HOME"),
        home and str(home / ".cache"),
        os.environ.get("RUNNER_TEMP"),
    ):
        if name and not in_workspace(name):
            return Path(name)
    message = (
        "there is no folder to install the action's packages in: set RUNNER_TOOL_CACHE to one outside the workspace"
    )
    raise PackagesError(message)


def _is_here(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        # What it would be in is not there.
        return False


def _install(folder: Path, lock: Path, programs: ProgramGroup | None) -> None:
    """Install a set into a folder, whole or not at all; if another step does so meanwhile, the first one stays."""
    from action.packages.installer import install  # noqa: PLC0415  # a machine needs it once

    try:
        with unfinished_folder(folder.parent) as unfinished:
            packages, place = unfinished / "packages", unfinished / "place"
            packages.mkdir()
            place.mkdir()
            install(packages, lock, place, programs)
            finish(packages)
            replace(folder, packages)
    except OSError as error:
        message = f"{folder.parent} cannot be written ({error.strerror}): set RUNNER_TOOL_CACHE to a folder that can"
        raise PackagesError(message) from None
