"""The builder that a build is going to use: its driver, buildx's version, and what both print about themselves.

The driver is read from the files of docker and buildx, by the rules of docker/buildx 0.36 (store/store.go,
store/storeutil, util/dockerutil) and docker/cli 28 (cli/command/cli.go, opts/hosts.go): `docker buildx inspect` prints
it too, but takes as long to start as a small build. For the same reason the version is queried only if something
depends on it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from action.buildx.local_state import state_folder
from action.errors import ProgramError
from action.lazy import hashlib
from action.process.docker import find_buildx
from action.process.program import ProgramGroup, capture_output
from action.process.search import docker_folder, find_program

DOCKER = "docker"
"""The driver that builds in the Docker Engine itself."""

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9._-]*")
DEFAULT_CONTEXT = "default"
"""The docker context that DOCKER_HOST or the machine's own engine is."""

_DEFAULT_HOST = "npipe:////./pipe/docker_engine" if os.name == "nt" else "unix:///var/run/docker.sock"
# The engine's port, without and with TLS.
_PORTS = {False: 2375, True: 2376}


def find_driver(environment: Mapping[str, str], builder: str = "") -> str | None:
    """Return the driver of the builder that buildx is going to use, or None if there is no such builder.

    Args:
        environment: the environment variables.
        builder: the value of `--builder`, or empty.

    Example:
        >>> find_driver({"DOCKER_CONFIG": "/nowhere"})
        'docker'
    """
    folder = state_folder(environment)
    config = docker_folder(environment)
    name = builder or environment.get("BUILDX_BUILDER", "")
    if name:
        if _is_builder(folder, name):
            return _driver(folder, name)
        return DOCKER if name == DEFAULT_CONTEXT or _is_context(config, name) else None
    context = _current_context(config, environment)
    current = _current_builder(folder, engine_address(environment) if context == DEFAULT_CONTEXT else context)
    if current and _driver(folder, current) is not None:
        return _driver(folder, current)
    if _is_builder(folder, context):
        return _driver(folder, context)
    # A docker context is a builder of the docker driver.
    return DOCKER


def _current_builder(folder: Path, key: str) -> str:
    """Return the builder that `docker buildx use` selected for an endpoint, or empty if none is selected.

    Args:
        folder: buildx's folder.
        key: the docker context, or the engine's address if the context is `default`.
    """
    current = read_json(folder / "current")
    name = str(current.get("Name") or "")
    # `use --global` selects a builder for all endpoints. One that was removed since then does not count.
    if name and current.get("Global") is True and _driver(folder, name) is not None:
        return name
    if name and current.get("Key") == key:
        return name
    # `use --default` selects a builder for one endpoint; the file's name is the start of a digest (toHash).
    defaults = folder / "defaults"
    if not _is_there(defaults):
        return ""
    try:
        return (defaults / _hash(key)[:20]).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _is_builder(folder: Path, name: str) -> bool:
    # buildx writes the name in lower case (store/util.go, ValidateName).
    return _NAME.fullmatch(name) is not None and _is_there(folder / "instances" / name.lower())


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, a folder that may not be searched
        return False


def _hash(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def _driver(folder: Path, name: str) -> str | None:
    """Return the driver in a builder's file, or None if there is no such file."""
    if not _NAME.fullmatch(name):
        return None
    driver = read_json(folder / "instances" / name.lower()).get("Driver")
    return driver if isinstance(driver, str) and driver else None


def _current_context(config: Path, environment: Mapping[str, str]) -> str:
    # DOCKER_HOST overrides every context.
    if environment.get("DOCKER_HOST"):
        return DEFAULT_CONTEXT
    named = environment.get("DOCKER_CONTEXT") or read_json(config / "config.json").get("currentContext")
    return named if isinstance(named, str) and named else DEFAULT_CONTEXT


def _is_context(config: Path, name: str) -> bool:
    return _is_there(config / "contexts" / "meta" / _hash(name))


def engine_address(environment: Mapping[str, str]) -> str:
    """Return the address of the context `default` with its scheme and port, as docker completes it.

    Args:
        environment: the environment variables; DOCKER_HOST and DOCKER_TLS_VERIFY are read.
    """
    host = environment.get("DOCKER_HOST", "").strip()
    if not host:
        return _DEFAULT_HOST
    scheme, separator, address = host.partition("://")
    if not separator:
        scheme, address = "tcp", host
    if scheme == "tcp" and not re.search(r":\d+(?:/|$)", address):
        server, slash, path = address.partition("/")
        port = _PORTS[bool(environment.get("DOCKER_TLS_VERIFY"))]
        address = f"{server or 'localhost'}:{port}{slash}{path}"
    return f"{scheme}://{address}"


def read_json(file: Path) -> dict[str, object]:
    """Return the JSON object in a file of docker or buildx, or an empty one if it is missing or damaged."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


GIT_QUERY = (0, 29)
"""The first buildx that accepts a Git URL with a query (`repo.git?ref=…`)."""

FILE_ENTITLEMENT = (0, 18)
"""The first buildx with the entitlement `fs` for a bake."""

BAKE_ENTITLEMENTS = (0, 17)
"""The first buildx with `bake --allow`."""

LAZY_OUTPUTS = (0, 30)
"""The first buildx that opens the files of outputs when it writes to them; `bake --print` then touches none."""

ATTESTATIONS = (0, 10)
"""The first buildx with attestations."""

Version = tuple[int, int]
"""Major and minor version."""

_NEWEST: Version = (sys.maxsize, 0)

_VERSION = re.compile(r"\bv?(\d+)\.(\d+)")
_COMMIT = re.compile(r"\s[0-9a-f]{7}")
# Long, because docker may have to wait for a remote engine.
_QUERY_SECONDS = 20.0


def is_at_least(buildx: tuple[str, ...], environment: Mapping[str, str], version: Version) -> bool:
    """Return whether this buildx has at least a given version; False if it does not print its version.

    Args:
        buildx: the command that runs buildx.
        environment: buildx's whole environment.
        version: major and minor version.
    """
    return satisfies(query_version(buildx, environment), version)


def satisfies(found: Version | None, version: Version) -> bool:
    """Return whether a version is at least another one; False if it is not known.

    Args:
        found: the version that buildx printed, or None.
        version: the lowest version that is enough.
    """
    return found is not None and found >= version


def query_version(buildx: tuple[str, ...], environment: Mapping[str, str]) -> Version | None:
    """Return the version of buildx, or None if it does not print it.

    Args:
        buildx: the command that runs buildx.
        environment: buildx's whole environment.
    """
    try:
        ended = capture_output((*buildx, "version"), environment, seconds=_QUERY_SECONDS)
    except ProgramError:
        return None
    if ended.code:
        return None
    if match := _VERSION.search(ended.stdout):
        return int(match[1]), int(match[2])
    # A buildx built from a commit without a tag prints the commit. It counts as the newest, as in
    # docker/actions-toolkit (src/buildx/buildx.ts, versionSatisfies).
    return _NEWEST if _COMMIT.search(ended.stdout) else None


class Diagnostics:
    """What docker and buildx print about themselves, queried while a build runs, so that no step waits for it.

    Args:
        builder: the builder of the run, or empty for the current one.
        driver: its driver, or None if it is not known.
        token: ACTIONS_RUNTIME_TOKEN, or empty.

    Attributes:
        driver: the builder's driver, or None if it is not known.
        token: ACTIONS_RUNTIME_TOKEN, or empty.
        texts: the arguments of a program, such as `docker version`, to what it printed, as far as that is known.
    """

    def __init__(self, builder: str, driver: str | None, token: str) -> None:
        """Keep what is known already; `query` starts the programs."""
        self.driver = driver
        self.token = token
        self.texts: dict[str, str] = {}
        self._builder = builder
        self._stopped = False

    def stop(self) -> None:
        """Start no more programs; one that runs already continues."""
        # Python's interpreter lock is held until a new program runs, which takes long on a busy machine.
        self._stopped = True

    def query(self, programs: ProgramGroup) -> None:
        """Start one program after the other, at the lowest priority; a failure is part of the text.

        Args:
            programs: the group that can kill the programs.
        """
        if self._stopped:
            return
        docker = find_program("docker")
        try:
            buildx = find_buildx(os.environ)
        except ProgramError:
            # The run has reported it.
            return
        inspect = (*buildx, "inspect", *((self._builder,) if self._builder else ()))
        self._query("docker version", (docker, "version") if docker else (), programs)
        self._query("buildx version", (*buildx, "version"), programs)
        self._query("buildx inspect", inspect, programs)
        # The last one: docker starts each of its plugins for it.
        self._query("docker info", (docker, "info") if docker else (), programs)

    def _query(self, name: str, command: tuple[str, ...], programs: ProgramGroup) -> None:
        if not command or self._stopped or programs.killed.is_set():
            return
        try:
            ended = capture_output(command, os.environ, seconds=_QUERY_SECONDS, programs=programs, idle=True)
        except ProgramError as error:
            self.texts[name] = str(error)
        else:
            if not programs.killed.is_set():
                self.texts[name] = ended.stdout + ended.stderr
