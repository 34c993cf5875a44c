"""Runs for the Python API, which install no package, change no signal handler and print nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import BinaryIO, TextIO, TypeAlias

from action.buildx import live_records, retry
from action.buildx.request import Request
from action.documents import schema
from action.errors import InputError
from action.exporters.attributed import AttributedBuild
from action.inputs.policy import Policy
from action.packages.preload import Preloader
from action.packages.sets import PackageSet
from action.pipeline import compare, evaluate, verify
from action.pipeline.execute import execute, live_connections
from action.pipeline.run_result import RunResult
from action.pipeline.workspace import temporary_folder
from action.process.log import CallersStream, Log
from action.results import BakeResults, BuildResults

_NEEDED_LATER = (live_records, retry, schema, compare, evaluate, verify)
"""The modules that the command imports after buildx has started, and with them h2, jsonschema, protobuf, pydantic and
tenacity. They are imported before the run here, because a library must not install what is missing."""

LogStream: TypeAlias = "BinaryIO | TextIO | None"
"""Gets buildx's log as it comes; None drops it. A build that fails gives the end of its log in its error."""

OnMessage: TypeAlias = "Callable[[str], object] | None"
"""Is called with each warning and each notice of a run; None drops them."""


class _NoPreloader(Preloader):
    """Preloader that neither installs nor imports anything, since this module has imported everything."""

    def start(self) -> None:
        """Do nothing."""

    def wait(self, *sets: PackageSet) -> None:
        """Return at once."""

    wait_for_report = wait


def run_for_caller(request: Request, policy: Policy, log: Log) -> RunResult:
    """Run a build or a bake.

    Args:
        request: what to run.
        policy: what the run checks, and when it is retried.
        log: the log, from `callers_log`.

    Raises:
        InputError: the request writes to standard output, which belongs to the caller, or builds nothing.
        ProgramError: buildx is not installed, or it cannot be started.
    """
    _check(request)
    with (
        temporary_folder() as workspace,
        live_connections(request, wanted=policy.reads_builder) as connections,
        _NoPreloader() as preloader,
    ):
        executed = execute(request, workspace, policy, log, preloader=preloader, connections=connections)
        return evaluate.result_of(request, executed, workspace, policy, log=log, preloader=preloader)


def callers_log(log: LogStream, on_message: OnMessage, *, passes_stdin: bool = False) -> Log:
    """Return the log of a run for a caller of the library.

    Args:
        log: the stream of the caller.
        on_message: gets a line for each retry.
        passes_stdin: whether buildx reads the caller's standard input.
    """
    return Log(
        captured=True,
        stream=CallersStream(log),
        write_line=lambda line: tell(on_message, [line]),
        # buildx prints the image ID there with `--quiet`.
        output=CallersStream(None),
        forwards_signals=False,
        passes_stdin=passes_stdin,
    )


def builds_of(result: RunResult, on_message: OnMessage) -> Mapping[str, AttributedBuild]:
    """Return the builds of a run, by target, or raise its first error; the others are messages.

    Args:
        result: the run.
        on_message: gets the messages.

    Raises:
        BuildDigestsError: the first error of the run, with the log and with the results that are known.
    """
    tell(on_message, (*result.notices, *result.warnings, *map(str, result.errors[1:])))
    for error in result.errors:
        error.log = result.trace.log if result.trace is not None else ""
        error.results = _results_of(result.builds, bake=result.bake) if result.builds else None
        raise error
    return result.builds or {}


def build_results(build: AttributedBuild) -> BuildResults:
    """Return the results of a build."""
    return BuildResults.model_validate(build.document())


def bake_results(builds: Mapping[str, AttributedBuild]) -> BakeResults:
    """Return the results of a bake: target name to the results of its build."""
    targets = {name: build.document() for name, build in builds.items()}
    return BakeResults.model_validate({"version": 1, "targets": targets})


def tell(on_message: OnMessage, messages: Iterable[str]) -> None:
    """Pass messages to the caller.

    Args:
        on_message: is called with each message, or None to drop them.
        messages: warnings, notices, and errors that are not raised.
    """
    if on_message is not None:
        for message in messages:
            on_message(message)


def _check(request: Request) -> None:
    if not request.builds:
        rule = "run docker buildx itself"
        raise InputError("--call", "with it nothing is built, so there are no digests", rule)
    for target, requested in request.targets.items():
        if requested.writes_stdout:
            name = f"outputs of target {target}" if target else "outputs"
            problem = "one of them writes to standard output, which belongs to the program that uses this library"
            raise InputError(name, problem, "name a file: dest=app.tar")


def _results_of(builds: Mapping[str, AttributedBuild], *, bake: bool) -> BuildResults | BakeResults:
    """Return the results document's model.

    Args:
        builds: target name to what its build made; a build that is not of a bake has an empty name.
        bake: whether the builds are those of a bake.
    """
    return bake_results(builds) if bake else build_results(builds[""])
