"""The sets of packages that steps import, each installed from a lock with hashes when it is first needed.

A set is kept in RUNNER_TOOL_CACHE under its lock's hash and the kind of Python, and shared by steps and actions. This
module uses the standard library only, because it makes the other packages importable.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from action.dataclass import dataclass
from action.errors import InputError, PackagesError
from action.lazy import hashlib
from action.packages.tool_cache import is_whole, replace, unfinished_folder
from action.process.program import ProgramGroup
from action.process.search import home_folder, in_workspace

NEEDED_ONCE = "they are needed once, from a Python package index: check the network, or PIP_INDEX_URL (UV_INDEX_URL)"
"""What to do if packages cannot be installed from the index."""

_LOCKS = Path(__file__).resolve().parents[2] / "requirements"


@dataclass(frozen=True)
class PackageSet:
    """Packages that are needed together.

    Attributes:
        name: the name of the lock, `requirements/NAME.txt`.
        modules: modules of the set; if they can be imported, the set is installed.
        extra: modules that the set has too, but a pip installation only with the extra `github`. Only what needs one of
            them reports that it is missing.
    """

    name: str
    modules: tuple[str, ...]
    extra: tuple[str, ...] = ()

    @property
    def lock(self) -> Path:
        """The path of the lock; the file is missing if this package was installed with pip, with its dependencies."""
        return _LOCKS / f"{self.name}.txt"

    @property
    def folder(self) -> Path:
        """The folder that keeps the set, for this kind of Python and machine."""
        # A container job shares the tool cache of its host, which may have another Python, processor or C library. The
        # suffix of compiled modules names all three: `.cpython-311-x86_64-linux-gnu.so`.
        digest = hashlib.sha256(self.lock.read_bytes()).hexdigest()[:16]
        tag = importlib.machinery.EXTENSION_SUFFIXES[0].rpartition(".")[0]
        return _cache() / "build-digests" / f"{self.name}-{digest}{tag}"


MODELS = PackageSet("models", ("pydantic", "msgspec", "h2", "google.protobuf"), extra=("actions_toolkit",))
"""For what is read besides the metadata file, and for every report: models of documents, BuildKit's API, workflow
commands. One set, because pip takes half a second to start, and as long for some of the packages."""

RETRIES = PackageSet("retries", ("tenacity",))
"""For retries of builds and of requests to registries."""

SCHEMAS = PackageSet("schemas", ("jsonschema",))
"""For validation of documents against the JSON Schemas."""

GITHUB = PackageSet("github", ("github",))
"""For requests to GitHub's API."""

SETS = (MODELS, RETRIES, SCHEMAS, GITHUB)
"""Every set."""


def provide(packages: PackageSet, programs: ProgramGroup | None = None) -> None:
    """Make a set importable, and install it if it is missing.

    Args:
        packages: the set.
        programs: the group that the installer is killed with, or None.

    Raises:
        PackagesError: the set is missing and cannot be installed.
    """
    if _is_importable(packages):
        return
    sys.path.append(str(install_set(packages, programs)))
    importlib.invalidate_caches()


def install_set(packages: PackageSet, programs: ProgramGroup | None = None) -> Path:
    """Install a set if it is missing or damaged, and return its folder.

    Args:
        packages: the set.
        programs: the group that the installer is killed with, or None.

    Raises:
        PackagesError: the set cannot be installed.
    """
    if not packages.lock.is_file():
        missing = next(module for module in packages.modules if not _is_here(module))
        raise PackagesError(f"{missing} is missing: pip install 'build-digests[github]' brings all packages")
    folder = packages.folder
    if not is_whole(folder):
        _install(folder, packages.lock, programs)
    return folder


def install_sets(names: Sequence[str] = ()) -> int:
    """Install sets that are missing, print a line for each, and return 0: the command `start.py install`.

    It is for machines on which a step reaches no package index, and fills RUNNER_TOOL_CACHE, or the cache folder of the
    user, for this Python.

    Args:
        names: the names of the sets; all sets if there are none.

    Raises:
        InputError: there is no set with such a name.
        PackagesError: a set cannot be installed.
    """
    known = {packages.name: packages for packages in SETS}
    for name in names:
        if name not in known:
            raise InputError("install", f"there is no set {name!r}", f"name some of: {', '.join(known)}")
    for name in names or known:
        # Not `provide`: steps run without the packages of this Python (-S), so a package that it has is installed too.
        sys.stdout.write(f"{name}: {install_set(known[name])}\n")
        sys.stdout.flush()
    return 0


def is_installed(packages: PackageSet) -> bool:
    """Return whether a set can be imported or has a folder, which may be damaged.

    Args:
        packages: the set.
    """
    try:
        return packages.folder.is_dir() or _is_importable(packages)
    except (OSError, PackagesError):
        # This package was installed with pip and has no locks, or there is nowhere to install anything.
        return True


def _is_importable(packages: PackageSet) -> bool:
    return all(map(_is_here, (*packages.modules, *(packages.extra if packages.lock.is_file() else ()))))


def _cache() -> Path:
    """Return the folder that keeps packages between jobs."""
    # Not a folder in the workspace: a checked-out repository could bring its own packages in it.
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
        # The package that would contain the module is missing.
        return False


def _install(folder: Path, lock: Path, programs: ProgramGroup | None) -> None:
    """Install a set into a folder, completely or not at all; if another step does the same, the first one stays."""
    from action.packages.installer import install  # noqa: PLC0415  # a machine needs it once

    try:
        with unfinished_folder(folder.parent) as unfinished:
            packages, working = unfinished / "packages", unfinished / "working"
            packages.mkdir()
            working.mkdir()
            install(packages, lock, working, programs)
            replace(folder, packages)
    except OSError as error:
        message = f"{folder.parent} cannot be written ({error.strerror}): set RUNNER_TOOL_CACHE to a folder that can"
        raise PackagesError(message) from None
