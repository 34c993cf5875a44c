"""Reads the results files of many jobs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from action.documents.schema import faults
from action.documents.strict_json import read_document
from action.errors import BuildDigestsError, DocumentError, InputError, MergeError
from action.exporters.attributed import AttributedBuild
from action.pipeline.results_document import attributed_build
from action.results import BakeResults, BuildResults

_MOST_FILES = 10_000


@dataclass(frozen=True)
class JobResults:
    """What one job made.

    Attributes:
        file: the results file, by its place in the folder.
        results: the results in it; of a bake those of the target asked for.
    """

    file: str
    results: AttributedBuild


def read_folder(folder: Path, target: str) -> tuple[tuple[JobResults, ...], tuple[BuildDigestsError, ...]]:
    """Read every results file of a folder and of the folders in it: each `*.json` there must be one.

    Args:
        folder: the folder.
        target: the bake target that is meant where a file has several, or empty.

    Returns:
        The results, in the order of the files' names, and what is wrong with files that cannot be used.

    Raises:
        InputError: there is no such folder, or no results file in it.
    """
    if not folder.is_dir():
        what = "no folder" if folder.exists() else "not there"
        raise InputError("results", f"{folder} is {what}", "name the folder that the jobs' results files are in")
    files = sorted(path for path in folder.rglob("*.json") if path.is_file())
    if not files:
        rule = "upload each job's results file (steps.….outputs.results), and download them all into one folder"
        raise InputError("results", f"there is no results file (*.json) in {folder}", rule)
    if len(files) > _MOST_FILES:
        raise InputError("results", f"there are {len(files)} files in {folder}", f"at most {_MOST_FILES} are read")
    found, errors = [], []
    for path in files:
        name = path.relative_to(folder).as_posix()
        try:
            found.append(JobResults(name, _read(path, name, target)))
        except BuildDigestsError as error:
            errors.append(error)
    return tuple(found), tuple(errors)


def _read(path: Path, name: str, target: str) -> AttributedBuild:
    document = read_document(path)
    if document.fault is not None:
        raise DocumentError(name, document.fault.pointer, document.fault.problem)
    fault = next(faults(document.value, "results", name), None)
    if fault is not None:
        raise fault
    try:
        results = msgspec.convert(document.value, _kind(document.value))
    except msgspec.ValidationError as error:
        raise DocumentError(name, "", str(error)) from None
    if isinstance(results, BakeResults):
        return _target(results, name, target)
    if target:
        raise MergeError(f"{name}: these are the results of a build, which has no target {target}: leave target out")
    return attributed_build(results)


def _kind(value: object) -> type[BuildResults | BakeResults]:
    return BakeResults if isinstance(value, dict) and "targets" in value else BuildResults


def _target(results: BakeResults, name: str, target: str) -> AttributedBuild:
    names = ", ".join(results.targets) or "none"
    if target:
        if target not in results.targets:
            raise MergeError(f"{name}: there is no target {target}; it has: {names}")
        return attributed_build(results.targets[target])
    if len(results.targets) != 1:
        raise MergeError(f"{name}: these are the results of a bake with the targets {names}: set target to one of them")
    return attributed_build(next(iter(results.targets.values())))
