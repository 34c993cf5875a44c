"""The step of the matrix action: lists the targets of a bake definition for the matrix of a job."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from action.buildx.builder import query_version
from action.buildx.definition import print_definition, targets_of
from action.buildx.request import repeated
from action.errors import InputError
from action.github import workflow_commands
from action.github.workflow_commands import set_outputs
from action.process.docker import find_buildx
from action.process.launcher import Launch, launch_from_environment
from action.steps.common import exit_code_of, mask_all, print_arguments, step_inputs

MATRIX_NAMES = frozenset(("fields", "files", "target", "workdir"))
"""The names of all inputs."""

_SEPARATORS = re.compile(r"[\r\n,]+")


def run_matrix_step(launch: Launch | None = None, *, dry_run: bool = False) -> int:
    """Run the matrix action's step.

    Args:
        launch: the inputs, and what else the step is started with; None takes them out of the environment.
        dry_run: print buildx's arguments as a JSON array and run nothing.

    Returns:
        The exit code.
    """
    return exit_code_of(lambda: _run(launch or launch_from_environment(os.environ), dry_run=dry_run))


def matrix_of(targets: Mapping[str, Mapping[str, object]], fields: Sequence[str]) -> list[dict[str, object]]:
    """Return the entries of a matrix, as docker/bake-action/subaction/matrix 7 returns them.

    `matrix_of({"web": {"platforms": ["a", "b"]}}, ["platforms"])` is
    `[{"target": "web", "platforms": "a"}, {"target": "web", "platforms": "b"}]`.

    Args:
        targets: target name to its definition, as `docker buildx bake --print` prints it.
        fields: the members of a target's definition that an entry contains too.

    Returns:
        One entry for each target, or for each value of its fields. With several fields, an entry also has the last
        value of each earlier field. This is not the product of the fields, but what docker/bake-action returns.
    """
    entries: list[dict[str, object]] = []
    for name, target in targets.items():
        entry: dict[str, object] = {"target": name}
        found = [field for field in target if field in fields]
        for field in found:
            value = target[field]
            for each in value if isinstance(value, list) else [value]:
                entry[field] = each
                entries.append(dict(entry))
        if not found:
            entries.append(entry)
    return entries


def _run(launch: Launch, *, dry_run: bool) -> int:
    raw = step_inputs(launch, MATRIX_NAMES, dry_run=dry_run)
    workdir = raw.get("workdir", "").strip() or "."
    if not Path(workdir).is_dir():
        raise InputError("workdir", f"there is no folder {workdir!r}", "name a folder with bake files")
    target = raw.get("target", "").strip()
    files = repeated("--file", _items(raw.get("files", "")))
    arguments = ("bake", *files, *((target,) if target else ()), "--print")
    if dry_run:
        return print_arguments(arguments)
    mask_all(launch.secrets)
    buildx = find_buildx(os.environ)
    version = query_version(buildx, os.environ)
    # As in a dry run, no build follows that would write the files which an old buildx empties when it prints.
    text = print_definition(buildx, os.environ, arguments, workdir, version=version, dry_run=True)
    targets = targets_of(text)
    matrix = matrix_of(targets, _items(raw.get("fields", "")))
    _show("Bake definition", text.strip())
    _show("Matrix", json.dumps(matrix, indent=2, ensure_ascii=False))
    set_outputs({"matrix": json.dumps(matrix, separators=(",", ":"), ensure_ascii=False)})
    return 0


def _items(text: str) -> tuple[str, ...]:
    # docker/bake-action/subaction/matrix 7 gives quotes no meaning in these inputs, unlike in its other lists.
    return tuple(item.strip() for item in _SEPARATORS.split(text) if item.strip())


def _show(title: str, text: str) -> None:
    with workflow_commands.group(title), workflow_commands.stopped():
        sys.stdout.write(text)
        sys.stdout.flush()
