"""Finds programs outside the workspace: a checked-out repository may contain its own `docker` or `python3`.

PATH entries that are relative or lead into GITHUB_WORKSPACE are left out, both when this package searches for a program
and in the environment of the programs that it starts, which search for others (`git`, credential helpers).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

CACHE_SERVICE = ("ACTIONS_CACHE_", "ACTIONS_RESULTS_", "ACTIONS_RUNTIME_")
"""Prefixes of the variables that GitHub's runner sets for its cache and artifact services.

With the token in them a program can write the caches of the repository, so only the buildx that builds gets them. It
reads them for `type=gha` (docker/buildx 0.38, build/opt.go; moby/buildkit, cmd/buildctl/build/util.go).
"""

_SUFFIXES = tuple(os.environ.get("PATHEXT", ".EXE").lower().split(os.pathsep)) if os.name == "nt" else ("",)


def in_workspace(path: str) -> bool:
    """Return whether a path leads into GITHUB_WORKSPACE; a relative path does, since a step starts in the workspace.

    Args:
        path: the path of a file or folder, which need not exist.
    """
    inside = Path(path)
    if not inside.is_absolute():
        return True
    workspace = Path(os.environ.get("GITHUB_WORKSPACE", ""))
    if not workspace.is_absolute() or workspace.parent == workspace:
        return False
    # Both the name and the file that it links to must be outside: a repository can contain links to the outside.
    return Path(os.path.normpath(inside)).is_relative_to(workspace) or inside.resolve().is_relative_to(
        workspace.resolve()
    )


def search_path(path: str | None = None) -> str:
    """Return a search path without its entries that are relative or in the workspace.

    Args:
        path: the search path; None for PATH.
    """
    # An empty search path can mean the current folder (POSIX, "Environment Variables", PATH).
    return os.pathsep.join(_folders(path)) or os.defpath


def find_program(name: str, path: str | None = None) -> str | None:
    """Return the path of a program outside the workspace, or None.

    Args:
        name: the program's name, without the suffix of an executable.
        path: the search path; None for PATH.
    """
    # Not `shutil.which`: on Windows it searches the current folder first (Python 3.10 and 3.11).
    for folder in _folders(path):
        for suffix in _SUFFIXES:
            program = Path(folder, name + suffix)
            if program.is_file() and os.access(program, os.X_OK):
                return str(program)
    return None


def _folders(path: str | None) -> list[str]:
    entries = (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep)
    return [entry for entry in entries if not in_workspace(entry)]


def cache_service_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of GitHub's cache service in an environment."""
    return {name: value for name, value in environment.items() if name.startswith(CACHE_SERVICE)}


def query_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a program written in Go that does little but start, such as a query of buildx.

    Go's garbage collector takes a sixth of the processor time of buildx's start (48 ms, and 40 with this setting of
    https://pkg.go.dev/runtime, "Environment Variables"), and finds next to nothing.
    """
    return {"GOGC": "400", **environment}


def safe_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a program runs no program of the workspace and has no token of GitHub's services.

    Args:
        environment: the environment; if it has no PATH, none is added.

    Returns:
        A copy with a safe PATH, without the variables of GitHub's cache service, and with settings of docker and git
        where these read files of the workspace.
    """
    safe = {name: value for name, value in environment.items() if not name.startswith(CACHE_SERVICE)}
    if "PATH" in safe:
        safe["PATH"] = search_path(safe["PATH"])
    # Without a home docker reads `.docker` in the current folder, plugins included (docker/cli 28,
    # cli/config/config.go).
    if not safe.get("DOCKER_CONFIG") and home_folder() is None and safe.get("RUNNER_TEMP"):
        safe["DOCKER_CONFIG"] = str(docker_folder(environment))
    # buildx runs git in the build context. A context can contain a bare repository, made of ordinary files, whose
    # configuration names programs for git to run (with BUILDX_GIT_CHECK_DIRTY). git 2.38 and later ignore it with this
    # setting.
    count = safe.get("GIT_CONFIG_COUNT", "0")
    if count.isascii() and count.isdigit():
        safe[f"GIT_CONFIG_KEY_{int(count)}"] = "safe.bareRepository"
        safe[f"GIT_CONFIG_VALUE_{int(count)}"] = "explicit"
        safe["GIT_CONFIG_COUNT"] = str(int(count) + 1)
    return safe


def home_folder() -> Path | None:
    """Return the user's home, or None if HOME is not set and the system does not know the user (as in containers)."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def docker_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of docker's configuration, which also contains the user's plugins.

    Args:
        environment: the variables DOCKER_CONFIG, and RUNNER_TEMP for a user without a home, are read.
    """
    if folder := environment.get("DOCKER_CONFIG"):
        return Path(folder)
    return (home_folder() or Path(environment.get("RUNNER_TEMP", ""))) / ".docker"
