"""Docker from Debian's archive, unpacked into a folder; the machine's own packages stay as they are."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import EngineError

SUITE = "forky"
"""The Debian suite that has a current Docker, built against a C library that Debian 12 and later have."""

_PACKAGES = ("docker.io", "docker-cli", "docker-buildx", "containerd", "docker-registry")
_OWN_PACKAGES = ("busybox-static", "runc")
_SECONDS = 300


def say(text: str) -> None:
    """Tell the user what is being done."""
    print(f"engine: {text}", file=sys.stderr, flush=True)


def debian_codename() -> str | None:
    """The suite of this Debian machine, such as `bookworm`; None where it is no Debian."""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return None
    values = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return values.get("VERSION_CODENAME") if values.get("ID") == "debian" else None


def docker_root() -> Path:
    """The folder with Docker's programs, fetched from Debian's archive where it is not there yet.

    Raises:
        EngineError: it cannot be fetched.
    """
    codename = debian_codename()
    if codename is None or shutil.which("apt-get") is None:
        message = (
            "Docker can be fetched on a Debian machine only: install Docker (https://docs.docker.com/engine/install)"
        )
        raise EngineError(message)
    cache = Path(__file__).resolve().parent.parent / ".cache" / "engine"
    # Named by what is in it, so that one of an older checkout is not taken for it.
    names = hashlib.sha256(repr((_PACKAGES, _OWN_PACKAGES)).encode()).hexdigest()[:8]
    root = cache / f"{SUITE}-{codename}-{platform.machine()}-{names}"
    cache.mkdir(parents=True, exist_ok=True)
    with _lock(cache / "lock"):
        if not root.is_dir():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                _fetch(Path(folder), codename)
                (Path(folder) / "root").rename(root)
    return root


def _fetch(folder: Path, codename: str) -> None:
    say(f"fetching Docker from Debian {SUITE} (about 80 MB) into .cache")
    suites = " ".join(dict.fromkeys((SUITE, codename)))
    sources = folder / "sources"
    sources.mkdir()
    (sources / "debian.sources").write_text(_own_source(suites), encoding="utf-8")
    for name in ("lists/partial", "cache/archives/partial", "debs", "root"):
        (folder / name).mkdir(parents=True)
    options = [
        f"-oDir::Etc::SourceList={os.devnull}",
        f"-oDir::Etc::SourceParts={sources}",
        f"-oDir::State::Lists={folder / 'lists'}",
        f"-oDir::Cache={folder / 'cache'}",
        "-oAPT::Sandbox::User=root",
    ]
    _run(["apt-get", "-q", *options, "update"], folder)
    names = [*(f"{name}/{SUITE}" for name in _PACKAGES), *(f"{name}/{codename}" for name in _OWN_PACKAGES)]
    _run(["apt-get", "-q", *options, "download", *names], folder / "debs")
    for package in sorted((folder / "debs").glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(folder / "root")], folder)


def _own_source(suites: str) -> str:
    """The machine's own source of Debian packages, with other suites."""
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


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        message = f"{' '.join(command[:2])} failed:\n{done.stderr.strip() or done.stdout.strip()}"
        raise EngineError(message)


@contextmanager
def _lock(file: Path) -> Iterator[None]:
    with file.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
