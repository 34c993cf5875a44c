"""References of builds (`builder/node/ref`), and the files in which buildx keeps the paths of this machine's builds.

`refs/BUILDER/NODE/ID` in buildx's folder holds the paths of one build, and `refs/__group__/ID` the builds of one bake
(docker/buildx 0.36, localstate/localstate.go).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from action.dataclass import dataclass
from action.process.search import docker_folder

_PARTS = 3


@dataclass(frozen=True)
class BuildRef:
    """The reference of one build on one node of a builder.

    Attributes:
        builder: the builder's name.
        node: the name of the builder's node that ran the build.
        id: the build's ID, by which BuildKit knows it.
    """

    builder: str
    node: str
    id: str

    def __str__(self) -> str:
        return f"{self.builder}/{self.node}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> BuildRef | None:
        """Return the reference that a text is, or None if it has another form.

        Example:
            >>> BuildRef.parse("default/default/kjudabc123")
            BuildRef(builder='default', node='default', id='kjudabc123')
        """
        parts = text.split("/")
        # Not by a regular expression, which would have to be compiled before each build starts.
        return cls(*parts) if len(parts) == _PARTS and _is_id(parts[2]) and all(map(_is_name, parts[:2])) else None


def _is_name(part: str) -> bool:
    # `.` and `..` would lead out of buildx's folder, in which a reference is a path. A space cannot be in a name.
    return part not in {".", ".."} and part.split() == [part]


def _is_id(part: str) -> bool:
    # BuildKit makes IDs of lower-case letters and digits (identity.NewID), so that none can be taken for an option.
    return part.isascii() and part.isalnum() and part == part.lower()


def build_id(ref: str) -> str:
    """Return the last part of a `builder/node/ref`: the ID that the build's record and its log have."""
    return ref.rpartition("/")[2]


_REFS = "refs"
_GROUPS = "__group__"

# buildx writes the files of all nodes before it builds, one after the other (docker/buildx 0.36, build/build.go).
_TWIN_SECONDS = 5.0


@dataclass(frozen=True)
class LocalState:
    """The paths of a build.

    Attributes:
        context: the absolute path of the context's folder, or its URL.
        dockerfile: the path of the Dockerfile; `-` for standard input, empty for the default one.
        target: the bake target, or `default`.
    """

    context: str
    dockerfile: str
    target: str = "default"


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder in which buildx keeps its files.

    Args:
        environment: the environment variables; BUILDX_CONFIG and DOCKER_CONFIG are read.
    """
    if folder := environment.get("BUILDX_CONFIG"):
        return Path(folder)
    return docker_folder(environment) / "buildx"


def read_local_state(folder: Path, ref: str) -> LocalState | None:
    """Return the paths of a build, or None if its file is missing or damaged.

    Args:
        folder: buildx's folder.
        ref: `builder/node/ref`.
    """
    parsed = BuildRef.parse(ref)
    state = _read_json(_file(folder, parsed)) if parsed else None
    if not isinstance(state, dict):
        return None
    context, dockerfile = state.get("LocalPath", ""), state.get("DockerfilePath", "")
    return LocalState(str(context), str(dockerfile), str(state.get("Target", "default")))


def is_built_from(state: LocalState, context: str, folder: Path) -> bool:
    """Return whether a build may have a given context; False if it certainly has another one.

    Args:
        state: the build's paths.
        context: the context as the user wrote it: a folder, a URL, or `-`.
        folder: the folder that a relative context starts from.
    """
    here = folder / context
    if here.is_dir():
        return Path(state.context).resolve() == here.resolve()
    # URLs are not compared: two spellings can name one repository, and only what is certain may exclude a build.
    return not Path(state.context).is_dir()


def node_count(folder: Path, ref: str) -> int:
    """Return how many nodes of its builder a build ran on, or 0 if its file is missing.

    Args:
        folder: buildx's folder.
        ref: `builder/node/ref` of any of the nodes.
    """
    parsed = BuildRef.parse(ref)
    if parsed is None:
        return 0
    own = _file(folder, parsed)
    if not own.is_file():
        return 0
    builder = folder / _REFS / parsed.builder
    nodes = [builder / node for node in _names(builder)]
    # Each node has a file of the build. All have one name, except with buildx 0.13, which gave each node an ID of its
    # own (build/build.go): those files have the same content and are written at the same time.
    return sum(
        1 for node in nodes if (node / parsed.id).is_file() or any(_is_twin(node / name, own) for name in _names(node))
    )


def uses_docker_driver(folder: Path, ref: str) -> bool | None:
    """Return whether a Docker Engine ran a build itself, by the `docker` driver, or None if its file is missing.

    Args:
        folder: buildx's folder.
        ref: `builder/node/ref`.
    """
    parsed = BuildRef.parse(ref)
    if parsed is None or not _file(folder, parsed).is_file():
        return None
    # A builder that a user created has a file, and a Docker Engine has none (docker/buildx 0.36, store/store.go).
    return not (folder / "instances" / parsed.builder).is_file()


def changes_of_nodes(folder: Path) -> dict[tuple[str, str], int]:
    """Return each node, `(builder, node)`, that has files of builds, to the time of their last change in nanoseconds.

    Args:
        folder: buildx's folder.
    """
    times = {}
    for builder in _names(folder / _REFS):
        for node in _names(folder / _REFS / builder):
            with contextlib.suppress(OSError):
                times[builder, node] = (folder / _REFS / builder / node).stat().st_mtime_ns
    return times


def refs_of_node(folder: Path, builder: str, node: str) -> list[str]:
    """Return the reference, `builder/node/ref`, of each build of a node that has a file."""
    return [f"{builder}/{node}/{ref}" for ref in _names(folder / _REFS / builder / node)]


def known_refs(folder: Path) -> frozenset[str]:
    """Return the references, `builder/node/ref`, of all builds that have a file.

    The difference between two calls, before and after a build, contains the build. It is the only way to find a build
    that failed, because that one writes no metadata file.

    Args:
        folder: buildx's folder.
    """
    # As texts: there can be thousands, and this runs before the build starts.
    return frozenset(
        ref
        for builder in _names(folder / _REFS)
        for node in _names(folder / _REFS / builder)
        for ref in refs_of_node(folder, builder, node)
    )


def known_groups(folder: Path) -> frozenset[str]:
    """Return the names of all groups of builds that have a file; each bake is a group.

    Args:
        folder: buildx's folder.
    """
    return frozenset(_names(folder / _REFS / _GROUPS))


def read_group(folder: Path, group: str) -> frozenset[str] | None:
    """Return the IDs of a group's builds, or None if the file cannot be read.

    Args:
        folder: buildx's folder.
        group: the group's name.
    """
    state = _read_json(folder / _REFS / _GROUPS / group)
    ids = state.get("Refs") if isinstance(state, dict) else None
    return frozenset(map(str, ids)) if isinstance(ids, list) else None


def _file(folder: Path, ref: BuildRef) -> Path:
    return folder / _REFS / ref.builder / ref.node / ref.id


def _read_json(file: Path) -> object:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _is_twin(file: Path, own: Path) -> bool:
    """Return whether two files have the same content and were written at the same time."""
    try:
        apart = abs(file.stat().st_mtime - own.stat().st_mtime)
        return apart < _TWIN_SECONDS and file.read_bytes() == own.read_bytes()
    except OSError:
        return False


def _names(folder: Path) -> list[str]:
    """Return the names in a folder, without `__group__`, which is not a builder."""
    try:
        return [name for name in os.listdir(folder) if not name.startswith("_")]  # noqa: PTH208  # there are thousands
    except OSError:
        return []
