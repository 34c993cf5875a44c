"""The command that runs buildx: docker, or docker's buildx plugin, started as docker starts it but without docker.

Without docker a build saves 0.1 s of processor time: docker starts the plugin twice, first to ask for its description,
and reads the same configuration as the plugin. The rules are those of docker/cli 20.10 to 29
(cli-plugins/manager/manager.go, cmd/docker/docker.go and aliases.go).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from action.errors import ProgramError
from action.process.search import docker_folder, find_program, in_workspace

_BUILDX = "buildx"
_PLUGIN = "docker-buildx.exe" if os.name == "nt" else "docker-buildx"

# On Windows docker does not search these, and its releases differ in what they search (before and since 29.2).
_SYSTEM_PLUGIN_FOLDERS = tuple(
    Path(root, "docker", "cli-plugins")
    for root in ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
    if os.name != "nt"
)

# docker puts its own path into this variable. With it the plugin reads its command line, words its messages and ends as
# under docker; without it buildx is another program, with other arguments and messages (docker/buildx,
# cmd/buildx/main.go).
_STARTED_BY_DOCKER = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"

# Settings of docker itself, such as where it sends its telemetry, or variables that docker set for another plugin.
_DOCKER_SETTINGS = ("DOCKER_CLI_", "OTEL_")

NO_BUILDX = (
    "docker has no buildx: install its plugin (https://docs.docker.com/go/buildx), or in a workflow run "
    "docker/setup-buildx-action before this step"
)
"""The message for a docker without the plugin."""

NO_BUILDX_MESSAGES = ("unknown command: docker buildx", "'buildx' is not a docker command")
"""What docker prints if it has no such plugin: since 28, and before."""

_BOOLEANS = ("", "0", "1", "false", "true")
_DEFAULTS = ("", "default")


def find_buildx(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the command that runs buildx, to be followed by the arguments of buildx.

    Example: `("/usr/bin/docker", "buildx")`; with the plugin alone, which starts in half the time,
    `("/usr/libexec/docker/cli-plugins/docker-buildx", "buildx")`; or `("/opt/buildx",)` if there is no docker.

    Args:
        environment: the environment that buildx is going to run in.

    Raises:
        ProgramError: the search path has neither docker nor buildx.
    """
    path = environment.get("PATH")
    if docker := find_program("docker", path):
        return (_replacement(docker, environment) or docker, _BUILDX)
    # A buildx that runs without docker: as it is installed by hand, or by the name of its plugin.
    for name in (_BUILDX, "docker-buildx"):
        if buildx := find_program(name, path):
            return (buildx,)
    raise ProgramError(
        "neither docker nor buildx is on the PATH: install Docker with its buildx plugin "
        "(https://docs.docker.com/engine/install), or in a workflow run docker/setup-buildx-action before "
        "this step; programs in the workspace are not used"
    )


def has_plugin(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Return whether it is certain that a command runs buildx: it is buildx itself, or docker with the plugin.

    Args:
        command: the command, from `find_buildx`.
        environment: the environment of `find_buildx`.
    """
    if len(command) == 1 or Path(command[0]).name == _PLUGIN:
        return True
    folder = docker_folder(environment)
    try:
        return _first_plugin((folder / "cli-plugins", *_SYSTEM_PLUGIN_FOLDERS)) is not None
    except OSError:
        return False


def is_plugin(command: Sequence[str]) -> bool:
    """Return whether a command starts the plugin, which `find_buildx` chooses only if docker would add nothing.

    Args:
        command: the program and its arguments.
    """
    return Path(command[0]).name == _PLUGIN and tuple(command[1:2]) == (_BUILDX,)


def plugin_variables(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that docker sets for a plugin, if a command starts the plugin of `find_buildx`.

    Args:
        command: the program and its arguments.
        environment: the program's environment.
    """
    if not is_plugin(command):
        return {}
    return {_STARTED_BY_DOCKER: find_program("docker", environment.get("PATH")) or "docker"}


def _replacement(docker: str, environment: Mapping[str, str]) -> str | None:
    """Return the plugin that docker would start without doing anything else, or None if docker must decide."""
    # A script may do more than docker does, and so may a link to a program of another name, such as that of a snap.
    if _is_script(docker) or Path(docker).resolve().stem != "docker":
        return None
    if any(name.startswith(_DOCKER_SETTINGS) for name in environment):
        return None
    # docker rejects other values, and a home that is empty is not the home that Python finds.
    if environment.get("DOCKER_BUILDKIT", "") not in _BOOLEANS or environment.get("HOME") == "":
        return None
    # A context may have telemetry of docker's own.
    if environment.get("DOCKER_CONTEXT", "") not in _DEFAULTS:
        return None
    folder = docker_folder(environment)
    try:
        extra = _extra_plugin_folders(folder / "config.json")
        return _first_plugin((*extra, folder / "cli-plugins", *_SYSTEM_PLUGIN_FOLDERS))
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        # docker reports what is wrong with its configuration.
        return None


def _extra_plugin_folders(file: Path) -> list[Path]:
    """Return the folders of plugins that docker's configuration adds.

    Raises:
        ValueError: the configuration makes docker do more than to start the plugin, or it is damaged.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    # Go does not distinguish upper and lower case in the names of members.
    config = {name.casefold(): value for name, value in json.loads(text).items() if value is not None}
    hooks = [plugin for plugin in config.get("plugins", {}).values() if {"hooks", "error-hooks"} & plugin.keys()]
    # `docker buildx install` writes this alias, which does not apply to `docker buildx`.
    is_plain = config.get("aliases", {}) in ({}, {"builder": _BUILDX}) and config.get("currentcontext", "") in _DEFAULTS
    folders = config.get("clipluginsextradirs", [])
    if hooks or not is_plain or not isinstance(folders, list):
        raise ValueError(file)
    return [Path(folder) for folder in folders]


def _first_plugin(folders: Sequence[Path]) -> str | None:
    for folder in folders:
        plugin = folder / _PLUGIN
        # docker searches a relative folder in the folder that it is started in.
        if not plugin.is_absolute():
            return None
        if plugin.exists():
            # docker runs the first that is there, or none.
            runs = plugin.is_file() and os.access(plugin, os.X_OK) and not in_workspace(str(plugin))
            return str(plugin) if runs else None
    return None


def _is_script(program: str) -> bool:
    try:
        with Path(program).open("rb") as opened:
            return opened.read(2) == b"#!"
    except OSError:
        # It cannot be read, so it may be a script.
        return True
