"""Runs uv or pip to install a lock: apart from the workspace, from the index that this machine and its user have set.

A checked-out repository must neither run code here nor configure anything: Python starts isolated, in a folder of our
own, and of the variables of pip and uv only those count that say where packages come from and how to get there.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from action.errors import PackagesError, ProgramError
from action.process.program import CompletedProgram, ProgramGroup, capture_output
from action.process.search import find_program, in_workspace

_INSTALL_SECONDS = 600.0
_KEPT = re.compile(
    r"PIP_(CACHE_DIR|CERT|CLIENT_CERT|CONFIG_FILE|DEFAULT_TIMEOUT|EXTRA_INDEX_URL|FIND_LINKS|INDEX_URL|KEYRING_PROVIDER"
    r"|NO_CACHE_DIR|NO_INDEX|PROXY|RESUME_RETRIES|RETRIES|TIMEOUT|TRUSTED_HOST|USE_FEATURE)"
    r"|UV_(CACHE_DIR|CONCURRENT_\w+|CONFIG_FILE|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|HTTP_\w+|INDEX|INDEX_\w+"
    r"|INSECURE_\w+|KEYRING_PROVIDER|NATIVE_TLS|NO_CACHE|NO_CONFIG|OFFLINE|REQUEST_TIMEOUT|SYSTEM_CERTS)"
)
"""Variables of pip and uv that count. Others would install elsewhere, for another Python, or something else."""

_FOLDERS = frozenset(("HOME", "PIP_CACHE_DIR", "PIP_CONFIG_FILE", "UV_CACHE_DIR", "UV_CONFIG_FILE"))
"""Variables that do not count if they lead into the workspace: what is there configures, or passes for a download."""

_CERTIFICATES = frozenset(
    ("CURL_CA_BUNDLE", "PIP_CERT", "PIP_CLIENT_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE")
)
"""Variables whose paths are made absolute, since the installer runs in another folder."""


def install(target: Path, lock: Path, folder: Path, programs: ProgramGroup | None) -> None:
    """Install a lock's packages.

    Args:
        target: where to.
        lock: the lock.
        folder: an empty folder for the installer to run in.
        programs: the programs that the installer is ended with, or None.

    Raises:
        PackagesError: they cannot be installed.
        OSError: the folder cannot be written.
    """
    # uv looks for its settings in the parents too, and stops at the first file of each of these names.
    for name in ("uv.toml", "pyproject.toml"):
        (folder / name).touch()
    ended = _run(target, lock, folder, programs)
    if not ended.code and not any(target.iterdir()):
        message = (
            "the installer ended well and installed nothing: look for a setting of pip or uv that sends it elsewhere"
        )
        raise PackagesError(message)
    if not ended.code:
        return
    said = ended.stderr.strip().splitlines() or [f"exit code {ended.code}"]
    if "No module named pip" in said[-1]:
        message = f"{sys.executable} has no pip: install uv or pip, or run actions/setup-python before this step"
        raise PackagesError(message)
    raise PackagesError(
        "the action's packages cannot be installed: " + " ".join(said[-3:]) + "; they are needed once, from a "
        "Python package index: check the network, or PIP_INDEX_URL (UV_INDEX_URL)"
    )


def _run(target: Path, lock: Path, folder: Path, programs: ProgramGroup | None) -> CompletedProgram:
    uv = find_program("uv")
    # Without links into uv's cache: what is installed must not change with it.
    installer = (
        [uv, "pip", "install", "--quiet", "--python", sys.executable, "--link-mode", "copy"]
        if uv
        # An empty prefix overrules one in pip.conf, with which pip refuses a target.
        else [sys.executable, "-I", "-m", "pip", "install", "--quiet", "--no-compile", "--prefix="]
    )
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(target), "-r", str(lock)]
    command = [*installer, *options]
    try:
        return capture_output(command, _environment(), seconds=_INSTALL_SECONDS, folder=str(folder), programs=programs)
    except ProgramError as error:
        raise PackagesError(f"the action's packages cannot be installed: {error}") from None


def _environment() -> dict[str, str]:
    environment = {name: _value(name, value) for name, value in os.environ.items() if _counts(name, value)}
    # Settings of this machine with which pip would refuse a target, and a question of its own.
    return environment | {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _counts(name: str, value: str) -> bool:
    # INPUTS holds the secrets, which are buildx's alone.
    if name == "INPUTS" or name.startswith("PYTHON"):
        return False
    if name.startswith(("PIP_", "UV_")) and not _KEPT.fullmatch(name):
        return False
    return not ((name in _FOLDERS or name.startswith("XDG_")) and in_workspace(value.split(os.pathsep, maxsplit=1)[0]))


def _value(name: str, value: str) -> str:
    return str(Path(value).absolute()) if name in _CERTIFICATES and value else value
