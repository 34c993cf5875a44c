"""The step of the validate action: compares files with the JSON Schemas."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from action.errors import FAILED, InputError
from action.github.workflow_commands import set_outputs
from action.inputs.values import input_text, split_list
from action.packages.sets import MODELS, SCHEMAS, provide
from action.process.launcher import Launch, launch_from_environment
from action.steps.common import exit_code_of, mask_all, step_inputs

VALIDATE_NAMES = frozenset(("files", "schema"))
"""The names of all inputs."""

_SCHEMAS = ("metadata", "bake", "results", "digests")
_MAGIC = frozenset("*?[")
_MAX_FILES = 10_000


def run_validate_step(launch: Launch | None = None, *, dry_run: bool = False) -> int:
    """Run the validate action's step.

    Args:
        launch: the inputs, and what else the step is started with; None takes them out of the environment.
        dry_run: print the paths of the files as a JSON array and read none of them.

    Returns:
        The exit code.
    """
    return exit_code_of(lambda: _run(launch or launch_from_environment(os.environ), dry_run=dry_run))


def find_files(patterns: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the files that patterns match, in the order of the patterns, and of one pattern by name.

    `*`, `?` and `[…]` match within a folder, `**` matches any number of folders. A pattern that is the path of a file
    means that file. A pattern after `!` leaves out what it matches.

    Args:
        patterns: paths and patterns, relative to the current folder or absolute.

    Raises:
        InputError: a pattern matches no file, or there are more than 10,000 files.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        matching = _matching(pattern.removeprefix("!"))
        if pattern.startswith("!"):
            left_out = set(matching)
            found = dict.fromkeys(each for each in found if each not in left_out)
            continue
        if not matching:
            raise InputError(
                "files",
                f"{pattern!r} matches no file in {Path.cwd()}",
                "name a file that an earlier step wrote, or leave the pattern out",
            )
        found |= dict.fromkeys(matching)
        if len(found) > _MAX_FILES:
            raise InputError("files", f"{pattern!r} matches more than {_MAX_FILES} files", "name fewer")
    return tuple(found)


def _matching(pattern: str) -> list[Path]:
    path = Path(pattern)
    # A file may have `*` or `[` in its name, and then means itself.
    if not _MAGIC & set(pattern) or path.exists():
        return [path] if path.is_file() else []
    # Path.glob refuses an absolute pattern.
    parts = path.relative_to(path.anchor)
    try:
        return sorted(each for each in Path(path.anchor).glob(str(parts)) if each.is_file())
    except (ValueError, OSError) as error:
        raise InputError(
            "files", f"{pattern!r} is not a pattern ({error})", "write for example results/**/*.json"
        ) from None


def _run(launch: Launch, *, dry_run: bool) -> int:
    raw = step_inputs(launch, VALIDATE_NAMES, dry_run=dry_run)
    schema = input_text(raw, "schema") or None
    if schema not in {None, *_SCHEMAS}:
        raise InputError("schema", f"{schema!r} is not a schema", f"write {', '.join(_SCHEMAS)}, or leave it empty")
    patterns = split_list("files", raw.get("files", ""))
    if not patterns or all(each.startswith("!") for each in patterns):
        raise InputError("files", "no file is named", "write paths or patterns such as results/**/*.json")
    files = find_files(patterns)
    if dry_run:
        sys.stdout.write(json.dumps([str(each) for each in files]) + "\n")
        return 0
    mask_all(launch.secrets)
    for packages in (MODELS, SCHEMAS):
        provide(packages)
    return _validate(files, schema)


def _validate(files: tuple[Path, ...], schema: str | None) -> int:
    from action.report.validation import validate_and_report  # noqa: PLC0415  # its packages are provided only now

    count = validate_and_report(files, schema)
    set_outputs({"errors": str(count)})
    return FAILED if count else 0
