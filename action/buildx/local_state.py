"""What buildx keeps of its builds on this machine: a small file for each, named by the build's reference.

`refs/BUILDER/NODE/ID` in buildx's folder holds the paths of a build (docker/buildx 0.36, localstate/localstate.go).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from action.process.search import docker_folder

_GROUPS = "__group__"

_TWIN_SECONDS = 5.0
"""How far apart two files of one build may be written: buildx writes them one after the other, before it builds."""


@dataclass(frozen=True)
class LocalState:
    """The paths of a build.

    Attributes:
        context: the folder of the context, or its URL.
        dockerfile: the path of the Dockerfile; `-` for standard input, empty for the default one.
        target: the bake target, or `default`.
    """

    context: str
    dockerfile: str
    target: str = "default"


def state_folder(environment: Mapping[str, str]) -> Path:
    """Where buildx keeps its files."""
    if folder := environment.get("BUILDX_CONFIG"):
        return Path(folder)
    return docker_folder(environment) / "buildx"


def read_local_state(folder: Path, ref: str) -> LocalState | None:
    """The paths of a build; None where nothing is known of it.

    Args:
        folder: buildx's folder.
        ref: `builder/node/ref`.
    """
    parts = _parts(ref)
    if parts is None:
        return None
    try:
        state = json.loads((folder / "refs" / Path(*parts)).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(state, dict):
        return None
    context, dockerfile = state.get("LocalPath", ""), state.get("DockerfilePath", "")
    return LocalState(str(context), str(dockerfile), str(state.get("Target", "default")))


def is_built_from(state: LocalState, context: str, folder: Path) -> bool:
    """Whether a build may be one of a context: false where it surely is another's.

    Args:
        state: the build's paths.
        context: the context, as written: a folder, a URL, or `-`.
        folder: the folder that it starts from.
    """
    here = folder / context
    if here.is_dir():
        return Path(state.context).resolve() == here.resolve()
    return not Path(state.context).is_dir()


def node_count(folder: Path, ref: str) -> int:
    """How many nodes of its builder a build ran on; 0 where nothing is known of it.

    Each node has a file of the build. They have one name; those of buildx 0.13 have names of their own, but they hold
    the same and are written at the same time.

    Args:
        folder: buildx's folder.
        ref: `builder/node/ref`, the node being any of them.
    """
    parts = _parts(ref)
    if parts is None:
        return 0
    builder, _, name = parts
    own = folder / "refs" / Path(*parts)
    if not own.is_file():
        return 0
    nodes = [folder / "refs" / builder / node for node in _names(folder / "refs" / builder)]
    return sum(
        1 for node in nodes if (node / name).is_file() or any(_is_twin(node / each, own) for each in _names(node))
    )


def is_of_docker_engine(folder: Path, ref: str) -> bool | None:
    """Tell whether a Docker Engine itself ran a build, by the driver `docker`; None if nothing is known of the build.

    buildx keeps a file for each builder that somebody made, and none for an engine (store/store.go).

    Args:
        folder: buildx's folder.
        ref: `builder/node/ref`.
    """
    parts = _parts(ref)
    if parts is None or not (folder / "refs" / Path(*parts)).is_file():
        return None
    return not (folder / "instances" / parts[0]).is_file()


def _is_twin(file: Path, own: Path) -> bool:
    try:
        apart = abs(file.stat().st_mtime - own.stat().st_mtime)
        return apart < _TWIN_SECONDS and file.read_bytes() == own.read_bytes()
    except OSError:
        return False


def _parts(ref: str) -> list[str] | None:
    parts = ref.split("/")
    if len(parts) != 3 or any(part in {"", ".", ".."} for part in parts):  # noqa: PLR2004  # builder, node, ref
        return None
    return parts


def known_refs(folder: Path) -> frozenset[str]:
    """The references, `builder/node/ref`, of all builds that buildx knows.

    What is new among them after a build is its own. One that failed writes no metadata, and is found by this alone.

    Args:
        folder: buildx's folder.
    """
    return frozenset(
        f"{builder}/{node}/{ref}"
        for builder in _names(folder / "refs")
        for node in _names(folder / "refs" / builder)
        for ref in _names(folder / "refs" / builder / node)
    )


def _names(folder: Path) -> list[str]:
    """What is in a folder, but for groups of builds (`__group__`)."""
    try:
        return [name for name in os.listdir(folder) if not name.startswith("_")]  # noqa: PTH208  # there are thousands
    except OSError:
        return []


def known_groups(folder: Path) -> frozenset[str]:
    """Return the names of all groups of builds that buildx knows; each bake is one.

    Args:
        folder: buildx's folder.
    """
    return frozenset(_names(folder / "refs" / _GROUPS))


def read_group(folder: Path, group: str) -> frozenset[str] | None:
    """Return the last parts of the references of a group's builds, or None if the file cannot be read.

    Args:
        folder: buildx's folder.
        group: the group's name.
    """
    try:
        read = json.loads((folder / "refs" / _GROUPS / group).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    refs = read.get("Refs") if isinstance(read, dict) else None
    return frozenset(map(str, refs)) if isinstance(refs, list) else None
