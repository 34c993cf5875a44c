"""Python packages of a lock in a folder, on a machine whose Python may have no pip, no uv and no venv module."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from engine import EngineError
from engine.packages import CACHE, cache_lock, debian_codename, downloaded, say
from engine.processes import checked

_SECONDS = 600.0
_ROOT = Path(__file__).resolve().parents[1]


def wheels(*names: str) -> Path:
    """Return a folder to import packages from, and install them first if they are not there yet.

    Args:
        names: the locks, `requirements/NAME.txt`.

    Raises:
        EngineError: the packages cannot be installed.
    """
    locks = [_ROOT / "requirements" / f"{name}.txt" for name in names]
    # The suffix of compiled modules names Python's version, the processor and the C library.
    kind = str(sysconfig.get_config_var("EXT_SUFFIX"))
    digest = hashlib.sha256(b"".join([kind.encode(), *(lock.read_bytes() for lock in locks)])).hexdigest()[:16]
    target = CACHE / f"wheels-{digest}"
    with cache_lock("wheels.lock"):
        if not target.is_dir():
            say(f"installing Python packages ({', '.join(names)}) into .cache; the system's Python stays as it is")
            with tempfile.TemporaryDirectory(dir=CACHE) as name:
                _install(locks, Path(name))
                (Path(name) / "packages").rename(target)
    return target


def _install(locks: Sequence[Path], folder: Path) -> None:
    command, variables = _installer()
    options = ("--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", folder / "packages")
    requirements = [part for lock in locks for part in ("--requirement", lock)]
    # A pip.conf may turn the two on, and pip then refuses --target.
    environment = {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", **variables}
    try:
        checked((*command, "install", *options, *requirements), environment, _SECONDS, folder=folder)
    except EngineError as error:
        message = (
            f"the Python packages cannot be installed: {error}\n"
            "What to do: check the network; a mirror or proxy is set in PIP_INDEX_URL, HTTPS_PROXY and PIP_CERT"
        )
        raise EngineError(message) from None


def _installer() -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the first of uv, pip, the pip in Python's own ensurepip, and Debian's pip; and variables for it.

    Raises:
        EngineError: the machine has none of them.
    """
    uv = shutil.which("uv")
    if uv:
        return (uv, "pip"), {"UV_PYTHON": sys.executable, "UV_LINK_MODE": "copy"}
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
    if importlib.util.find_spec("pip") is not None:
        return pip, {}
    wheel = _bundled_pip()
    return pip, {"PYTHONPATH": str(wheel)}


def _bundled_pip() -> Path:
    # Debian's python3 lacks ensurepip, which is in its package python3-venv.
    ensurepip = importlib.util.find_spec("ensurepip")
    if ensurepip is not None and ensurepip.origin is not None:
        found = list(Path(ensurepip.origin).parent.glob("_bundled/pip-*.whl"))
        if found:
            return found[0]
    if debian_codename() is None or shutil.which("apt-get") is None:
        message = (
            f"{sys.executable} has neither pip nor ensurepip, and there is no uv: "
            "install one, for example with: apt-get install python3-pip, or dnf install python3-pip"
        )
        raise EngineError(message)
    return max(downloaded("python3-pip-whl").glob("usr/share/python-wheels/pip-*.whl"))
