"""The run of buildx: what is prepared for it, retries, and options that this buildx or builder does not support."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from action.buildx.live_connection import LiveConnections
from action.buildx.local_state import known_groups, known_refs, state_folder
from action.buildx.request import Request, with_metadata_file, without_option
from action.dataclass import dataclass
from action.errors import BuildDigestsError, PackagesError, ProgramError
from action.inputs.policy import Policy, RetryPolicy
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


def evidence_items(request: Request, policy: Policy) -> tuple[PreloadItem, ...]:
    """Return the packages and modules that a run may need to find and verify its digests.

    Most runs with one image need none of them: the metadata file is read without packages.

    Args:
        request: what to run.
        policy: the rules for the run, such as `verify`.
    """
    needs_record = _may_need_record(request) or policy.reads_builder
    reads_tar = any(requested.may_write_artifact for requested in request.targets.values())
    items: list[PreloadItem] = []
    if needs_record or reads_tar or policy.reads_images:
        modules = ("action.evidence.artifact_file", "action.evidence.record_file", "action.evidence.status_log")
        items.append(PreloadItem(MODELS, modules))
    if needs_record:
        items.append(PreloadItem(MODELS, ("action.buildx.live_records",)))
    if policy.reads_images:
        names = ("verify", "compare", "subjects", "attestations")
        items.append(PreloadItem(RETRIES, tuple(f"action.pipeline.{name}" for name in names)))
    return tuple(items)


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
    attempts = _Attempts(
        request=request,
        buildx=buildx,
        private=private,
        metadata_file=metadata_file,
        retry_policy=policy.retry_policy,
        log=log,
        preloader=preloader,
    )

    def on_start() -> None:
        # Imports that start earlier would delay the start of the build.
        preloader.start()
        connections.watch(buildx, attempts.known_refs)
        if start_lookup is not None:
            start_lookup()

    ended = attempts.run(request.arguments, on_start)
    # Loaded while buildx ran: its regular expressions take 3 ms, which the build would wait for.
    from action.buildx.failures import failure, refuses_attestations, unknown_option  # noqa: PLC0415  # see above

    dropped: list[str] = []

    def without_dropped(arguments: tuple[str, ...]) -> tuple[str, ...]:
        for option in dropped:
            arguments = without_option(arguments, option)
        return arguments

    # An old buildx names only the first option that it does not know.
    while (option := unknown_option(ended)) in request.droppable and option in without_dropped(request.arguments):
        dropped.append(option)
        ended = attempts.run(without_dropped(request.arguments), on_start)
    notices: tuple[str, ...] = ()
    # Without `--attest` there is no default provenance that could be the reason.
    if request.without_defaults is not None and "--attest" not in dropped and refuses_attestations(ended):
        notices = (_NO_PROVENANCE,)
        ended = attempts.run(without_dropped(request.without_defaults), on_start)
    return Executed(
        buildx=buildx,
        failed=failure(ended, call=request.call) if ended.code else None,
        signal=ended.signal,
        metadata_file=metadata_file,
        written=_version(metadata_file) != before,
        notices=notices,
        warnings=tuple(request.droppable[option] for option in dropped),
        log=ended.stderr,
        known_refs=attempts.known_refs,
        known_groups=attempts.known_groups,
        connections=connections,
        answers=answers,
    )


@dataclass(kw_only=True)
class _Attempts:
    """The attempts to run buildx for a request.

    Attributes:
        request: what to run.
        buildx: the command that runs buildx.
        private: environment variables for buildx only.
        metadata_file: the path of the metadata file.
        retry_policy: how often an attempt that fails for a transient reason is retried.
        log: the destination of the log.
        preloader: provides the packages that retries need.
        known_refs: the builds, `builder/node/ref`, that buildx knew before the last attempt.
        known_groups: the bakes that buildx knew before the last attempt.
    """

    request: Request
    buildx: tuple[str, ...]
    private: Mapping[str, str]
    metadata_file: Path
    retry_policy: RetryPolicy
    log: Log
    preloader: Preloader
    known_refs: frozenset[str] = frozenset()
    known_groups: frozenset[str] = frozenset()

    def run(self, arguments: tuple[str, ...], on_start: Callable[[], None]) -> CompletedProgram:
        """Run buildx, and run it again after transient failures as the policy says; return how the last attempt ended.

        Args:
            arguments: everything after `docker buildx`.
            on_start: is called when buildx has started.
        """
        if self.request.metadata_file is None:
            arguments = with_metadata_file(arguments, str(self.metadata_file))

        def attempt() -> CompletedProgram:
            folder = state_folder(os.environ)
            self.known_refs, self.known_groups = known_refs(folder), known_groups(folder)
            return run_program(
                (*self.buildx, *arguments),
                os.environ,
                folder=self.request.folder,
                private=self.private,
                log=self.log,
                on_start=on_start,
            )

        ended = attempt()
        if not self.retry_policy.retries or not ended.code:
            return ended
        try:
            self.preloader.wait(RETRIES)
        except PackagesError as error:
            self.log.write_line(f"the build is not tried again: {error}")
            return ended
        from action.buildx.retry import run_with_retries  # noqa: PLC0415  # few ask for it

        return run_with_retries(attempt, ended, self.retry_policy, self.log.write_line)


def _lookup(
    request: Request, policy: Policy, buildx: tuple[str, ...], preloader: Preloader
) -> tuple[Callable[[], None] | None, Answers]:
    """Look up the images of `compare` that the run replaces.

    Returns:
        A function that looks up the others while buildx runs, or None; and one that returns all answers.
    """
    if not policy.compare or not request.builds:
        return None, dict
    from action.pipeline.compared_images import Lookup  # noqa: PLC0415  # few compare

    lookup = Lookup(policy.compare, request, buildx, preloader.programs)
    lookup.before()
    return lookup.start, lookup.answers


def _version(file: Path) -> tuple[int, int] | None:
    """Return what changes each time a file is written: its inode and its time in nanoseconds; None without a file."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
