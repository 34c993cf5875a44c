"""The run of buildx: what is prepared for it, retries, and options that this buildx or builder does not support."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from action.buildx.live_connection import LiveConnections
from action.buildx.local_state import known_groups, known_refs, state_folder
from action.buildx.request import Request, with_metadata_file, without_option
from action.dataclass import dataclass
from action.errors import BuildDigestsError, PackagesError, ProgramError
from action.inputs.policy import Policy
from action.packages.preload import Preloader, PreloadItem
from action.packages.sets import MODELS, RETRIES
from action.process.docker import find_buildx
from action.process.log import Log
from action.process.program import CompletedProgram, run_program
from action.process.search import cache_service_variables

_NO_PROVENANCE = (
    "this builder does not support attestations, so the image was built again without the default provenance; set "
    "provenance to false to avoid the first attempt"
)


EVALUATION = PreloadItem(None, ("action.pipeline.evaluate", "action.buildx.failures"))
"""The modules that every run needs after buildx has ended; they are loaded while it runs."""

Answers = Callable[[], Mapping[str, "CompletedProgram | ProgramError"]]
"""Returns the answers of registries about the images of `compare`: reference to answer."""


@dataclass(frozen=True)
class Executed:
    """A run of buildx that has ended.

    Attributes:
        buildx: the command that runs buildx.
        failed: why it failed, or None.
        signal: the signal that ended it, or None.
        metadata_file: the path of its metadata file.
        written: whether this run wrote that file. A file of an earlier run describes other images.
        notices: what may surprise the user.
        warnings: the options that were left out because buildx is too old for them.
        log: the end of buildx's standard error; empty if that was not captured.
        known_refs: the builds, `builder/node/ref`, that buildx knew before the run.
        known_groups: the bakes that buildx knew before the run.
        connections: the connections to BuildKit's API.
        answers: returns the answers of registries about the images of `compare`.
    """

    buildx: tuple[str, ...]
    failed: BuildDigestsError | None
    signal: int | None
    metadata_file: Path
    written: bool
    notices: tuple[str, ...]
    warnings: tuple[str, ...]
    log: str
    known_refs: frozenset[str]
    known_groups: frozenset[str]
    connections: LiveConnections
    answers: Answers = dict


def live_connections(request: Request, *, wanted: bool = False) -> LiveConnections:
    """Return the connections to BuildKit's API for a run, for a `with` block.

    Args:
        request: what to run.
        wanted: whether a summary or the attestations need them, besides digests.
    """
    return LiveConnections(os.environ, wanted=request.builds and (wanted or _may_need_record(request)))


def _may_need_record(request: Request) -> bool:
    return any(requested.may_need_record for requested in request.targets.values())


_READERS = ("action.evidence.artifact_file", "action.evidence.record_file", "action.evidence.status_log")
_FEW = ("action.pipeline.subjects", "action.pipeline.attestations")


def evidence_items(request: Request, policy: Policy) -> tuple[PreloadItem, ...]:
    """Return the packages and modules that a run may need to find and verify its digests.

    Most runs with one image need none of them: the metadata file is read without packages.

    Args:
        request: what to run.
        policy: the rules for the run, such as `verify`.
    """
    asks_registry = policy.reads_images
    record = _may_need_record(request) or policy.reads_builder
    reads = record or any(requested.may_write_artifact for requested in request.targets.values())
    return (
        *((PreloadItem(MODELS, _READERS),) if reads or asks_registry else ()),
        *((PreloadItem(MODELS, ("action.buildx.live_records",)),) if record else ()),
        *(
            (PreloadItem(RETRIES, ("action.pipeline.verify", "action.pipeline.compare", *_FEW)),)
            if asks_registry
            else ()
        ),
    )


def execute(
    request: Request,
    workspace: Path,
    policy: Policy,
    log: Log,
    *,
    preloader: Preloader,
    connections: LiveConnections,
) -> Executed:
    """Run buildx, and run it again if an attempt fails for a transient reason or because of an unsupported option.

    Args:
        request: what to run.
        workspace: an empty folder for temporary files.
        policy: the rules for the run. Transient failures are recognized only if the output is captured.
        log: the destination of the log.
        preloader: loads what is needed after buildx has ended, while buildx runs.
        connections: connects to BuildKit's API while buildx runs.

    Raises:
        InputError: an item of `compare` is not the name of an image, or `attestations` cannot be a folder.
        ProgramError: buildx is not installed, or cannot be started.
        Interrupted: a signal arrived between two attempts.
    """
    # A step has the variables of the cache service in its request, a command in the terminal in its own environment.
    private = {**cache_service_variables(os.environ), **request.environment}
    buildx = find_buildx({**os.environ, **private})
    own = workspace / "metadata.json"
    metadata_file = Path(request.folder, request.metadata_file) if request.metadata_file else own
    before = _version(metadata_file)
    policy.check_folder(request.folder)
    start_lookup, answers = _lookup(request, policy, buildx, preloader)
    known: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def build(arguments: tuple[str, ...]) -> CompletedProgram:
        if request.metadata_file is None:
            arguments = with_metadata_file(arguments, str(own))

        def once() -> CompletedProgram:
            nonlocal known, groups
            known, groups = known_refs(state_folder(os.environ)), known_groups(state_folder(os.environ))
            return run_program(
                (*buildx, *arguments),
                os.environ,
                folder=request.folder,
                private=private,
                log=log,
                # Imports that start earlier would delay the start of the build.
                on_start=partial(_start_beside, preloader, connections, buildx, known, start_lookup),
            )

        ended = once()
        if not policy.retry_policy.retries or not ended.code:
            return ended
        try:
            preloader.wait(RETRIES)
        except PackagesError as error:
            log.write_line(f"the build is not tried again: {error}")
            return ended
        from action.buildx.retry import run_with_retries  # noqa: PLC0415  # few ask for it

        return run_with_retries(once, ended, policy.retry_policy, log.write_line)

    ended = build(request.arguments)
    # Loaded while buildx ran: its regular expressions take 3 ms, which the build would wait for.
    from action.buildx.failures import failure, refuses_attestations, unknown_option  # noqa: PLC0415  # see above

    dropped: list[str] = []

    def without_dropped(arguments: tuple[str, ...]) -> tuple[str, ...]:
        for option in dropped:
            arguments = without_option(arguments, option)
        return arguments

    while (option := unknown_option(ended)) in request.droppable and option in without_dropped(request.arguments):
        dropped.append(option)
        ended = build(without_dropped(request.arguments))
    notices: tuple[str, ...] = ()
    if request.without_defaults is not None and "--attest" not in dropped and refuses_attestations(ended):
        notices = (_NO_PROVENANCE,)
        ended = build(without_dropped(request.without_defaults))
    warnings = tuple(request.droppable[option] for option in dropped)
    failed = failure(ended, call=request.call) if ended.code else None
    return Executed(
        buildx,
        failed,
        ended.signal,
        metadata_file,
        _version(metadata_file) != before,
        notices,
        warnings,
        ended.stderr,
        known,
        groups,
        connections,
        answers,
    )


def _lookup(
    request: Request, policy: Policy, buildx: tuple[str, ...], preloader: Preloader
) -> tuple[Callable[[], None] | None, Answers]:
    """Look up the images of `compare` that the run replaces; return what looks up the others, and all answers."""
    if not policy.compare or not request.builds:
        return None, dict
    from action.pipeline.compared_images import Lookup  # noqa: PLC0415  # few compare

    lookup = Lookup(policy.compare, request, buildx, preloader.programs)
    lookup.before()
    return lookup.start, lookup.answers


def _start_beside(
    preloader: Preloader,
    connections: LiveConnections,
    buildx: tuple[str, ...],
    known: frozenset[str],
    start_lookup: Callable[[], None] | None,
) -> None:
    """Start the threads that work while buildx runs."""
    preloader.start()
    connections.watch(buildx, known)
    if start_lookup is not None:
        start_lookup()


def _version(file: Path) -> tuple[int, int] | None:
    """Return what changes each time a file is written: its inode and its time in nanoseconds; None without a file."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
