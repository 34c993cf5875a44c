"""Installation of a locked set of packages with uv or pip, from the package index that the user of the machine has set.

A checked-out repository must neither run code nor configure anything here. So Python starts isolated, in an empty
folder, and only those variables of pip and uv are passed on that say where packages come from and how to get them.

This module is imported only if a set has to be installed, which happens once on a machine.
"""

from __future__ import annotations

import compileall
import errno
import os
import py_compile
import re
import shutil
import sys
import threading
from pathlib import Path

from action.errors import PackagesError, ProgramError
from action.packages.sets import NEEDED_ONCE
from action.packages.tool_cache import write_manifest
from action.process.program import CompletedProgram, ProgramGroup, capture_output
from action.process.search import find_program, in_workspace

_INSTALL_SECONDS = 600.0
_PASSED_ON = re.compile(
    r"PIP_(CACHE_DIR|CERT|CLIENT_CERT|CONFIG_FILE|DEFAULT_TIMEOUT|EXTRA_INDEX_URL|FIND_LINKS|INDEX_URL|KEYRING_PROVIDER"
    r"|NO_CACHE_DIR|NO_INDEX|PROXY|RESUME_RETRIES|RETRIES|TIMEOUT|TRUSTED_HOST|USE_FEATURE)"
    r"|UV_(CACHE_DIR|CONCURRENT_\w+|CONFIG_FILE|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|HTTP_\w+|INDEX|INDEX_\w+"
    r"|INSECURE_\w+|KEYRING_PROVIDER|NATIVE_TLS|NO_CACHE|NO_CONFIG|OFFLINE|REQUEST_TIMEOUT|SYSTEM_CERTS)"
)
"""Variables of pip and uv that are passed on. Others could change the folder, the Python or the packages."""

_FOLDERS = frozenset(("HOME", "PIP_CACHE_DIR", "PIP_CONFIG_FILE", "UV_CACHE_DIR", "UV_CONFIG_FILE"))
"""Variables that are not passed on if they lead into the workspace.

A file there would configure the installer, and a cache there could contain packages that are not the index's.
"""

_CERTIFICATES = frozenset(
    ("CURL_CA_BUNDLE", "PIP_CERT", "PIP_CLIENT_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE")
)
"""Variables whose paths are made absolute, since the installer runs in another folder."""

_OTHER_HASH = re.compile(r"Hash mismatch for `([^`]+)`|DO NOT MATCH THE HASHES.*?\n +(\S+) from ", re.DOTALL)
"""What uv and pip print of a package whose hash is not in the lock, with the package's name and version."""


def install(target: Path, lock: Path, folder: Path, programs: ProgramGroup | None) -> None:
    """Install the packages of a lock, compile them and write their manifest.

    Args:
        target: the folder to install into, which is empty.
        lock: the lock, a requirements file with hashes.
        folder: an empty folder for the installer to run in, and for its temporary files.
        programs: the group that the installer is killed with, or None.

    Raises:
        PackagesError: the packages cannot be installed.
        OSError: a folder cannot be written.
    """
    # uv searches the parent folders for its settings too, and stops at the first file of each of these names.
    for name in ("uv.toml", "pyproject.toml"):
        (folder / name).touch()
    ended = _run(target, lock, folder, programs)
    if not ended.code and not any(target.iterdir()):
        message = (
            "the installer succeeded, but installed nothing: look for a setting of pip or uv that changes the folder"
        )
        raise PackagesError(message)
    if not ended.code:
        _compile(target)
        write_manifest(target)
        return
    lines = ended.stderr.strip().splitlines() or [f"exit code {ended.code}"]
    full = os.strerror(errno.ENOSPC)
    if full in ended.stderr:
        raise OSError(errno.ENOSPC, full)
    if "No module named pip" in lines[-1]:
        message = f"{sys.executable} has no pip: install uv or pip, or run actions/setup-python before this step"
        raise PackagesError(message)
    if other := _OTHER_HASH.search(ended.stderr):
        raise PackagesError(
            f"the action's packages cannot be installed: {other[1] or other[2]} has another hash than in its lock; the "
            "package index, or a proxy or cache before it, gives a changed file: repair it, or set another index in "
            "PIP_INDEX_URL (UV_INDEX_URL)"
        )
    raise PackagesError(f"the action's packages cannot be installed: {' '.join(lines[-3:])}; {NEEDED_ONCE}")


def _run(target: Path, lock: Path, folder: Path, programs: ProgramGroup | None) -> CompletedProgram:
    """Run the installer and return how it ended; if several run and one fails, how that one ended."""
    uv = find_program("uv")
    if uv:
        # Copies, not uv's default of links into its cache: a change in the cache must not change what is installed.
        command = (uv, "pip", "install", "--quiet", "--python", sys.executable, "--link-mode", "copy")
        return _installed(command, target, lock, folder, programs)
    # The empty prefix overrides one in pip.conf: pip refuses `--target` together with a prefix.
    command = (sys.executable, "-I", "-m", "pip", "install", "--quiet", "--no-compile", "--prefix=")
    ended: list[CompletedProgram | PackagesError] = []

    def install_part(number: int, text: str) -> None:
        part, part_lock = folder / f"part-{number}", folder / f"part-{number}.txt"
        try:
            part_lock.write_text(text, encoding="utf-8")
            ended.append(_installed(command, part, part_lock, folder, programs))
            if part.is_dir():
                shutil.copytree(part, target, dirs_exist_ok=True, copy_function=shutil.move)
        except (PackagesError, OSError) as error:
            ended.append(error if isinstance(error, PackagesError) else PackagesError(str(error)))

    threads = [threading.Thread(target=install_part, args=each, daemon=True) for each in enumerate(_parts(lock))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in ended:
        if isinstance(each, PackagesError):
            raise each
    # The code of a program that failed is not 0, and that of one which a signal ended is negative.
    return max((each for each in ended if isinstance(each, CompletedProgram)), key=lambda each: abs(each.code))


def _parts(lock: Path) -> list[str]:
    """Return a lock in two parts that take pip about the same time.

    pip installs one package after another, and takes most of its time to look through the links to all wheels of all
    releases: 1.8 s of 3.4 for pydantic-core (pip 23.2). The hashes of a lock, one for each wheel, show who has many.
    """
    packages = re.findall(r"^\S.*?(?=^\S|\Z)", lock.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    parts = ["", ""]
    for package in sorted(packages, key=len, reverse=True):
        parts[len(parts[0]) > len(parts[1])] += package
    return [part for part in parts if part]


def _installed(
    installer: tuple[str, ...], target: Path, lock: Path, folder: Path, programs: ProgramGroup | None
) -> CompletedProgram:
    options = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(target), "-r", str(lock))
    environment = _environment(folder)
    try:
        return capture_output(
            (*installer, *options), environment, seconds=_INSTALL_SECONDS, folder=str(folder), programs=programs
        )
    except ProgramError as error:
        raise PackagesError(f"the action's packages cannot be installed: {error}") from None


def _compile(packages: Path) -> None:
    """Compile modules, so that the compiled files are in the manifest.

    Python does not check the source of a compiled file in this mode, and so never writes it again, which would change
    the folder (PEP 552).
    """
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(packages, quiet=2, invalidation_mode=mode)


def _environment(folder: Path) -> dict[str, str]:
    environment = {name: _value(name, value) for name, value in os.environ.items() if _is_passed_on(name, value)}
    # A pip.conf may turn the first two on, and pip then refuses `--target` or this Python. The third saves a request.
    settings = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    # On the same file system pip moves the packages instead of copying them; and an installer that is killed leaves no
    # files elsewhere.
    return environment | settings | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))


def _is_passed_on(name: str, value: str) -> bool:
    # INPUTS contains the user's secrets, which only buildx needs.
    if name == "INPUTS" or name.startswith("PYTHON"):
        return False
    if name.startswith(("PIP_", "UV_")) and not _PASSED_ON.fullmatch(name):
        return False
    return not ((name in _FOLDERS or name.startswith("XDG_")) and in_workspace(value.split(os.pathsep, maxsplit=1)[0]))


def _value(name: str, value: str) -> str:
    return str(Path(value).absolute()) if name in _CERTIFICATES and value else value
