"""The result of a build, a bake or a merge; the references of its builds; and the image ID for `--iidfile`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from action.buildx.history import Records
from action.buildx.local_state import (
    LocalState,
    is_built_from,
    known_refs,
    read_local_state,
    state_folder,
    uses_docker_driver,
)
from action.buildx.request import Request
from action.dataclass import dataclass
from action.errors import BuildDigestsError, BuildFailedError, InputError, ProgramError
from action.exporters.attributed import AttributedBuild, AttributedExporter, first_image_exporter
from action.exporters.requested import Requested
from action.pipeline.live_source import LiveSource


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The traces of a run of buildx besides its metadata file.

    Attributes:
        known_refs: the builds, `builder/node/ref`, that buildx knew before the run.
        contexts: target name, empty for a build, to its context as written; empty if the contexts are not known.
        folder: the folder that buildx ran in, which contexts are relative to.
        log: the end of buildx's standard error; empty if that was not captured.
        records: the records of the run's builds.
        live: reads from BuildKit's API, records first of all.
        builds: whether the run built anything; with `call` it has no builds of its own.
        known_groups: the bakes that buildx knew before the run.
    """

    known_refs: frozenset[str]
    contexts: Mapping[str, str]
    folder: Path
    log: str
    records: Records
    live: LiveSource
    builds: bool = True
    known_groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RunResult:
    """The result of a run.

    Attributes:
        builds: target name, empty for a build, to its exporters with their digests; None if nothing is known of them.
        metadata: the metadata file's text, or None if there is none.
        errors: why the step or command fails, the most important first; empty if it does not.
        warnings: for example why a digest is missing.
        notices: what may surprise the user.
        signal: the signal that ended the run, or None.
        trace: what the run left behind; None if buildx built nothing.
        bake: whether the run was a bake.
        lacks_packages: whether one of the warnings says that packages are missing, which a report needs too.
        platform_subjects: whether `refs` and `checksums` list each platform's image.
    """

    builds: Mapping[str, AttributedBuild] | None
    metadata: str | None
    errors: tuple[BuildDigestsError, ...] = ()
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    signal: int | None = None
    trace: Trace | None = None
    bake: bool = False
    lacks_packages: bool = False
    platform_subjects: bool = False


def refs_of(result: RunResult) -> dict[str, str]:
    """Return the reference of each build of a run: target name, empty for a build, to `builder/node/ref`.

    A failed build writes no metadata file. It is then found by the state that buildx keeps on this machine, which has
    its context and its target. If another build with the same context and target began meanwhile, neither is returned.
    A run with `call` has no builds.
    """
    known = {name: build.ref for name, build in (result.builds or {}).items() if build.ref}
    if result.builds is not None and not result.errors and result.bake:
        return known
    if known and not result.bake:
        return known
    # A failed run may have builds that only their state in buildx's folder names.
    if result.trace is None or not result.trace.builds:
        return known
    folder, trace = state_folder(os.environ), result.trace
    found: dict[str, list[str]] = {}
    for ref in sorted(known_refs(folder) - trace.known_refs):
        state = read_local_state(folder, ref)
        target = state.target if state and result.bake else ""
        if trace.contexts and not _is_from_run(state, target, trace):
            continue
        found.setdefault(target, []).append(ref)
    # In a failed bake, some targets have results and others only a state.
    return {target: refs[0] for target, refs in found.items() if len(refs) == 1} | known


def _is_from_run(state: LocalState | None, target: str, trace: Trace) -> bool:
    context = trace.contexts.get(target)
    return state is not None and context is not None and is_built_from(state, context, trace.folder)


def rewrite_image_id_file(request: Request, result: RunResult) -> str | None:
    """Write the image ID of the image in the engine to the file of `--iidfile`, or of the first image if none is there.

    With several outputs buildx writes the ID of the exporter that ended last. If the right ID is not known, the file is
    removed.

    Args:
        request: the build.
        result: its result.

    Returns:
        A warning if the file was removed, otherwise None.

    Raises:
        InputError: the file cannot be written or removed.
    """
    requested = request.targets[""]
    build = result.builds.get("") if result.builds is not None else None
    if request.image_id_file is None or not requested.exports:
        return None
    if result.signal is not None or any(isinstance(error, (BuildFailedError, ProgramError)) for error in result.errors):
        # buildx failed, and removed the file or did not write it.
        return None
    file = Path(request.folder, request.image_id_file)
    if file.is_symlink() or not file.is_file():
        return None
    exporter = _exporter(requested, build) if build is not None else None
    if build is not None and exporter is None:
        return None
    try:
        if exporter is not None and exporter.imageid is not None:
            if file.read_bytes() != exporter.imageid.encode():
                file.write_text(exporter.imageid, encoding="ascii")
            return None
        file.unlink()
    except OSError as error:
        problem = f"{request.image_id_file} cannot be written: {error.strerror}; it may name another output's image"
        raise InputError("--iidfile", problem, "name a file in a folder that can be written to") from None
    return f"--iidfile: {request.image_id_file} is removed, because the image ID that belongs in it is not known"


def _exporter(requested: Requested, build: AttributedBuild) -> AttributedExporter | None:
    """Return the exporter whose image ID belongs in the file, or None if no exporter makes an image."""
    added = requested.outputs + requested.adds_image
    loaded = [
        each
        for each in build.exporters
        if each.dest is None and (each.type == "docker" or (requested.load and each.index >= added))
    ]
    in_engine = bool(build.ref and uses_docker_driver(state_folder(os.environ), build.ref))
    kept = [
        each
        for each in build.exporters
        if in_engine and each.dest is None and each.type in {"image", "registry", "moby"}
    ]
    return next(iter((*loaded, *kept)), None) or first_image_exporter(build.exporters)
