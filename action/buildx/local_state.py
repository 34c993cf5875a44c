"""What buildx keeps of its builds on this machine: a small file for each, named by the build's reference.

`refs/BUILDER/NODE/ID` in buildx's folder holds the paths of a build (docker/buildx 0.36, localstate/localstate.go).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_CLOCK_SECONDS = 0.05
"""By how much a file may seem older than it is: file systems take the time of the last tick."""


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
    config = environment.get("DOCKER_CONFIG")
    return (Path(config) if config else Path.home() / ".docker") / "buildx"


def read_local_state(folder: Path, ref: str) -> LocalState | None:
    """The paths of a build; None where nothing is known of it.

    Args:
        folder: buildx's folder.
        ref: `builder/node/ref`.
    """
    parts = ref.split("/")
    if len(parts) != 3 or any(part in {"", ".", ".."} for part in parts):  # noqa: PLR2004  # builder, node, ref
        return None
    try:
        state = json.loads((folder / "refs" / Path(*parts)).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(state, dict):
        return None
    context, dockerfile = state.get("LocalPath", ""), state.get("DockerfilePath", "")
    return LocalState(str(context), str(dockerfile), str(state.get("Target", "default")))


def refs_since(folder: Path, since: float) -> list[str]:
    """The references of builds that began after a time: what a failed build, which writes no metadata, is found by.

    Args:
        folder: buildx's folder.
        since: seconds since 1970.
    """
    found = [
        (changed, f"{builder.name}/{node.name}/{file.name}")
        for builder in _entries(folder / "refs")
        for node in _entries(builder)
        for file in _entries(node)
        if (changed := _changed(file)) >= since - _CLOCK_SECONDS
    ]
    return [ref for _, ref in sorted(found)]


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, but for groups of builds (`__group__`)."""
    try:
        return [entry for entry in folder.iterdir() if not entry.name.startswith("_")]
    except OSError:
        return []


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
