"""Programs of Go modules, built with the machine's Go toolchain and kept in `.cache`."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError
from engine.packages import CACHE, cache_lock, say
from engine.processes import checked

_SECONDS = 1800
_NICE = 10


@dataclass(frozen=True)
class Module:
    """A release of a Go module, and its programs.

    Attributes:
        name: what it is called here.
        path: the module's path.
        version: the release, `v` in front.
        commands: its programs, each built from the package `cmd/NAME`.
    """

    name: str
    path: str
    version: str
    commands: tuple[str, ...]


def buildx(version: str) -> Path:
    """The buildx plugin of a release, such as `0.36.1`, built where it is not there yet.

    Raises:
        EngineError: it cannot be built.
    """
    return built(Module("buildx", "github.com/docker/buildx", f"v{version}", ("buildx",))) / "buildx"


def buildkit(version: str) -> Path:
    """The folder with buildkitd and buildctl of a release, such as `0.32.2`, built where they are not there yet.

    Raises:
        EngineError: they cannot be built.
    """
    return built(Module("buildkit", "github.com/moby/buildkit", f"v{version}", ("buildkitd", "buildctl")))


def built(module: Module) -> Path:
    """The folder with a module's programs, built where they are not there yet.

    `go install` refuses a module with an exclude or replace directive, and such directives count only in the main
    module: so the programs are built as dependencies of an empty one.

    Raises:
        EngineError: they cannot be built.
    """
    root = CACHE / f"{module.name}-{module.version}-{platform.machine()}"
    if root.is_dir():
        return root
    go = shutil.which("go")
    if go is None:
        message = f"{module.name} {module.version} is built with Go, and there is none: install it (https://go.dev/dl)"
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
    # Without C the programs run in an image that has nothing else in it.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
    command = ["nice", "-n", str(_NICE), go, *arguments]
    checked(command, environment, _SECONDS, folder=folder / "src")
