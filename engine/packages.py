"""Docker from Debian's archive, unpacked into a folder; the packages of the machine do not change."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine import EngineError
from engine.processes import checked

SUITE = "forky"
"""The Debian suite that has a current Docker, built against a C library that Debian 12 and later have."""

_PACKAGES: Mapping[str, tuple[str, ...]] = {
    # Docker 20.10. Its command is part of docker.io, it has no buildx, and the machine may lack one library.
    "bookworm": ("docker.io", "containerd", "tini", "libdevmapper1.02.1"),
    # Docker 26.1 and buildx 0.13.
    "trixie": ("docker.io", "docker-cli", "docker-buildx", "containerd", "tini"),
    # Docker 28.5 and buildx 0.29; cosign 3.1, which the tests sign with.
    SUITE: ("docker.io", "docker-cli", "docker-buildx", "containerd", "tini-static", "docker-registry", "cosign"),
}
"""Debian suite to the packages that are downloaded from it."""

_OWN_PACKAGES = ("busybox-static", "runc")
_SECONDS = 300.0

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "engine"
"""The folder for everything that was downloaded or built."""


def say(text: str) -> None:
    """Print a line about what is being done."""
    print(f"engine: {text}", file=sys.stderr, flush=True)


def debian_codename() -> str | None:
    """Return the suite of this Debian machine, such as `bookworm`; None on another system."""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return None
    values = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return values.get("VERSION_CODENAME") if values.get("ID") == "debian" else None


def docker_root(suite: str = SUITE) -> Path:
    """Return the folder with Docker's programs, and download them from Debian's archive if they are missing.

    Args:
        suite: the Debian suite: `bookworm`, `trixie` or `forky`.

    Raises:
        EngineError: the packages cannot be downloaded.
    """
    codename = debian_codename()
    if codename is None or shutil.which("apt-get") is None:
        message = (
            "Docker can be downloaded only on a Debian machine: install Docker (https://docs.docker.com/engine/install)"
        )
        raise EngineError(message)
    # The name depends on the packages, so that a folder of an older checkout is not used.
    names = hashlib.sha256(repr((_PACKAGES[suite], _OWN_PACKAGES)).encode()).hexdigest()[:8]
    root = CACHE / f"{suite}-{codename}-{platform.machine()}-{names}"
    with cache_lock("lock"):
        if not root.is_dir():
            with tempfile.TemporaryDirectory(dir=CACHE) as folder:
                _fetch(Path(folder), suite, codename)
                (Path(folder) / "root").rename(root)
    return root


def downloaded(*names: str) -> Path:
    """Return a folder with the files of Debian packages of this machine's own suite, and download them if need be.

    Args:
        names: the packages; those that they depend on are not downloaded.

    Raises:
        EngineError: the packages cannot be downloaded.
    """
    codename = str(debian_codename())
    root = CACHE / f"{'-'.join(names)}-{codename}-{platform.machine()}"
    with cache_lock("lock"):
        if not root.is_dir():
            say(f"downloading {', '.join(names)} from Debian {codename} into .cache")
            with tempfile.TemporaryDirectory(dir=CACHE) as folder:
                _unpack(Path(folder), (codename,), [f"{name}/{codename}" for name in names])
                (Path(folder) / "root").rename(root)
    return root


def _fetch(folder: Path, suite: str, codename: str) -> None:
    say(f"downloading Docker from Debian {suite} (about 100 MB) into .cache")
    names = [*(f"{name}/{suite}" for name in _PACKAGES[suite]), *(f"{name}/{codename}" for name in _OWN_PACKAGES)]
    _unpack(folder, (suite, codename), names)


def _unpack(folder: Path, suites: Sequence[str], names: Sequence[str]) -> None:
    """Download packages, each as `NAME/SUITE`, and unpack them into `root` of a folder."""
    sources = folder / "sources"
    sources.mkdir()
    own = _own_source(" ".join(dict.fromkeys(suites)))
    (sources / "debian.sources").write_text(own, encoding="utf-8")
    for name in ("lists/partial", "cache/archives/partial", "debs", "root"):
        (folder / name).mkdir(parents=True)
    options = [
        f"-oDir::Etc::SourceList={os.devnull}",
        f"-oDir::Etc::SourceParts={sources}",
        f"-oDir::State::Lists={folder / 'lists'}",
        f"-oDir::Cache={folder / 'cache'}",
        "-oAPT::Sandbox::User=root",
    ]
    _run_apt([*options, "-oAPT::Update::Error-Mode=any", "update"], folder, own)
    _run_apt([*options, "download", *names], folder / "debs", own)
    for package in sorted((folder / "debs").glob("*.deb")):
        checked(["dpkg", "-x", package, folder / "root"], os.environ, _SECONDS)


def _own_source(suites: str) -> str:
    """Return the package source of this machine, in the format deb822, with other suites."""
    modern = Path("/etc/apt/sources.list.d/debian.sources")
    if modern.is_file():
        stanza = modern.read_text(encoding="utf-8").strip().split("\n\n")[0]
        lines = [line for line in stanza.splitlines() if not line.startswith(("Suites:", "Components:", "#"))]
        return "\n".join([*lines, f"Suites: {suites}", "Components: main", ""])
    old = Path("/etc/apt/sources.list")
    text = old.read_text(encoding="utf-8") if old.is_file() else ""
    match = re.search(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s", text, re.MULTILINE)
    if not match:
        message = "apt has no source of Debian packages on this machine (/etc/apt/sources.list.d/debian.sources)"
        raise EngineError(message)
    signed = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"
    return f"Types: deb\nURIs: {match[1]}\nSuites: {suites}\nComponents: main\n{signed}\n"


def _run_apt(arguments: Sequence[str], folder: Path, source: str) -> None:
    """Run apt-get; an error names the command, the archive and what to do."""
    try:
        checked(["apt-get", "-q", *arguments], os.environ, _SECONDS, folder=folder)
    except EngineError as error:
        archive = "".join(re.findall(r"^URIs: *(.*)$", source, re.MULTILINE))
        command = next(each for each in arguments if not each.startswith("-"))
        reason = str(error).partition(" failed:")[2].strip() or error
        message = (
            f"`apt-get {command}` cannot download from {archive}: {reason}\n"
            "What to do: check the network, the clock of the machine, and its package source in /etc/apt; "
            "or install Docker (https://docs.docker.com/engine/install)"
        )
        raise EngineError(message) from None


@contextmanager
def cache_lock(name: str) -> Iterator[None]:
    """Make the folder of the cache, and hold a lock in it during a `with` block.

    Raises:
        EngineError: the folder cannot be written.
    """
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        opened = (CACHE / name).open("w")
    except OSError as error:
        message = (
            f"{error.filename} cannot be written: {error.strerror}; "
            "run the command as the owner of the checkout, or clone the repository as this user"
        )
        raise EngineError(message) from None
    with opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
