"""The commands that run buildx, found on the search path and in docker's plugin folders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from action.errors import ProgramError
from action.process.search import docker_folder, find_program

_SYSTEM_PLUGIN_FOLDERS = tuple(
    Path(root, "docker", "cli-plugins") for root in ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
)


def find_buildx(path: str | None = None) -> tuple[str, ...]:
    """Return the command that runs buildx: `docker buildx`, or `buildx` alone if there is no docker command.

    Example: `("/usr/bin/docker", "buildx")`.

    Args:
        path: the search path, as in PATH; None for PATH itself.

    Raises:
        ProgramError: the search path has neither docker nor buildx.
    """
    if docker := find_program("docker", path):
        return (docker, "buildx")
    for name in ("buildx", "docker-buildx"):
        if buildx := find_program(name, path):
            return (buildx,)
    message = (
        "neither docker nor buildx is on the PATH: install Docker with its buildx plugin "
        "(https://docs.docker.com/engine/install), or run docker/setup-buildx-action before this step; "
        "programs in the workspace do not count"
    )
    raise ProgramError(message)


def find_plugin(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the command that runs the buildx plugin without docker, or an empty tuple if it is not found.

    The plugin alone starts in half the time.

    Args:
        environment: the variables PATH and DOCKER_CONFIG are read.
    """
    docker = find_program("docker", environment.get("PATH"))
    # A docker that is a script may do more than docker does, so only docker itself can be left out.
    if docker is None or _is_script(docker):
        return ()
    config = docker_folder(environment)
    try:
        extra = json.loads((config / "config.json").read_text(encoding="utf-8")).get("cliPluginsExtraDirs") or []
    except (OSError, ValueError, AttributeError, RecursionError):
        extra = []
    # The folders in docker's own order (docker/cli 28, cli-plugins/manager/manager.go, getPluginDirs). Another order
    # could find another version of buildx than the one that ran the build.
    for folder in (*extra, config / "cli-plugins", *_SYSTEM_PLUGIN_FOLDERS):
        if found := find_program("docker-buildx", str(folder)):
            return (found,)
    return ()


def _is_script(program: str) -> bool:
    try:
        with Path(program).open("rb") as opened:
            return opened.read(2) == b"#!"
    except OSError:
        # It may be anything, so nothing is assumed about it.
        return True
