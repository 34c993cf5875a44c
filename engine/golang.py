"""Programs of Go modules, built with the Go toolchain of the machine and kept in `.cache`."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine import EngineError
from engine.packages import CACHE, cache_lock, say
from engine.processes import checked

_SECONDS = 1800
_NICE = 10


@dataclass(frozen=True)
class Module:
    """A release of a Go module, and its programs.

    Attributes:
        name: the name of its folder.
        path: the module's path.
        version: the release, such as `v0.36.1`.
        commands: its programs, each built from the package `cmd/NAME`.
    """

    name: str
    path: str
    version: str
    commands: tuple[str, ...]


def buildx(version: str) -> Path:
    """Return the buildx plugin of a release, such as `0.36.1`, and build it if it is missing.

    Raises:
        EngineError: it cannot be built.
    """
    return built(Module("buildx", "github.com/docker/buildx", f"v{version}", ("buildx",))) / "buildx"


def buildkit(version: str) -> Path:
    """Return the folder with buildkitd and buildctl of a release, such as `0.32.2`, and build them if they are missing.

    Raises:
        EngineError: they cannot be built.
    """
    return built(Module("buildkit", "github.com/moby/buildkit", f"v{version}", ("buildkitd", "buildctl")))


def built(module: Module) -> Path:
    """Return the folder with the programs of a module, and build them if they are missing.

    `go install` refuses a module with an exclude or replace directive. Such directives count only in the main module,
    so the programs are built as dependencies of an empty one.

    Raises:
        EngineError: they cannot be built.
    """
    root = CACHE / f"{module.name}-{module.version}-{platform.machine()}"
    if root.is_dir():
        return root
    go = shutil.which("go")
    if go is None:
        message = f"{module.name} {module.version} is built with Go, which is missing: install it (https://go.dev/dl)"
        raise EngineError(message)
    with cache_lock("go.lock"):
        if not root.is_dir():
            with tempfile.TemporaryDirectory(dir=CACHE) as name:
                folder = Path(name)
                _build(go, module, folder)
                (folder / "bin").rename(root)
    return root


def _build(go: str, module: Module, folder: Path) -> None:
    say(f"building {module.name} {module.version} with Go into .cache (a few minutes)")
    (folder / "src").mkdir()
    (folder / "bin").mkdir()
    _go(go, folder, "mod", "init", "build")
    _go(go, folder, "get", f"{module.path}@{module.version}")
    version = f"-X {module.path}/version.Version={module.version}"
    for command in module.commands:
        package, program = f"{module.path}/cmd/{command}", str(folder / "bin" / command)
        _go(go, folder, "build", "-mod=mod", "-ldflags", f"-s -w {version}", "-o", program, package)


def _go(go: str, folder: Path, *arguments: str) -> None:
    # Without cgo the programs need no C library, and run in an image that has none.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
    command = ["nice", "-n", str(_NICE), go, *arguments]
    checked(command, environment, _SECONDS, folder=folder / "src")
