"""The Python API: build, bake, merge, inspect and validate as functions with typed results.

    from action import build

    results = build(context=".", outputs=["type=image,name=ghcr.io/octo/app:1,push=true,id=release"])
    print(results.digests["release"])

The functions install nothing, change no signal handler and no other state of the process, and print nothing. They can
be called from any thread.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeAlias

# Everything that a run imports later is imported here, so that no function of this module ever installs a package.
from action.buildx import retry as _retry  # noqa: F401  # draws in tenacity
from action.buildx.command_line import read_bake_command_line, read_build_command_line
from action.buildx.request import Request
from action.documents import schema as _schema  # noqa: F401  # draws in jsonschema
from action.errors import DocumentError, InputError
from action.evidence.validation import validate_file
from action.exporters.attributed import AttributedBuild
from action.inputs.merge import RETRY_POLICY, merge_request
from action.inputs.policy import NO_RETRIES, Policy, RetryPolicy
from action.merging.run import run_merge
from action.packages.preload import Preloader
from action.pipeline.image_id_file import rewrite_image_id_file
from action.pipeline.inspect import inspect_files
from action.pipeline.results_document import bake_results, build_results, results_of
from action.pipeline.run import run_request
from action.pipeline.run_result import RunResult
from action.pipeline.workspace import temporary_folder
from action.process.log import Log
from action.results import BakeResults, BuildResults

Output: TypeAlias = "str | Mapping[str, str]"
"""An output as for `--output` (`"type=oci,dest=app.tar"`), or its attributes (`{"type": "oci", "dest": "app.tar"}`)."""

StrPath: TypeAlias = "str | os.PathLike[str]"

OnMessage: TypeAlias = "Callable[[str], None] | None"
"""Is called with each warning and each notice of a run; None drops them."""


def build(
    arguments: Sequence[str] = (),
    *,
    context: StrPath | None = None,
    file: StrPath | None = None,
    tags: Iterable[str] = (),
    outputs: Iterable[Output] = (),
    platforms: Iterable[str] = (),
    build_args: Mapping[str, str] | None = None,
    target: str | None = None,
    push: bool = False,
    load: bool = False,
    builder: str | None = None,
    folder: StrPath = ".",
    log: BinaryIO | None = None,
    on_message: OnMessage = None,
    require_digests: bool = False,
    verify: bool = False,
    retries: int = 0,
) -> BuildResults:
    """Run `docker buildx build` and return what each of its exporters made.

    Example:
        results = build(["--output", "type=oci,dest=app.tar,id=archive", "."])
        results = build(context=".", tags=["ghcr.io/octo/app:1"], platforms=["linux/amd64", "linux/arm64"], push=True)

    Args:
        arguments: arguments of `docker buildx build`, the context among them unless `context` is given.
        context: the build context: a folder, a URL, or `-` for standard input.
        file: the Dockerfile.
        tags: names of the image, as for `--tag`.
        outputs: the outputs, in the order that determines their index.
        platforms: the platforms to build for.
        build_args: build argument to its value.
        target: the stage to build.
        push: whether to push the image.
        load: whether to load the image into Docker.
        builder: the builder; None for the current one.
        folder: the folder that buildx runs in, and that relative paths start from.
        log: a binary stream for buildx's log as it comes, such as `sys.stderr.buffer`; None keeps only the end.
        on_message: is called with each warning and each notice, such as why a digest is missing.
        require_digests: whether an exporter that makes an image and has no digest is an error.
        verify: whether each digest is checked against the registry or the file.
        retries: the maximum number of retries after a transient failure.

    Returns:
        The results, as `schemas/results.schema.json` describes them.

    Raises:
        InputError: an argument that buildx cannot use.
        ProgramError: there is no buildx, or no engine.
        BuildFailedError: the build failed; its message is buildx's last error, its `log` the end of the log.
        DisagreementError: two sources contradict each other about a digest.
        MissingDigestError: a digest is missing, with `require_digests`.
        VerificationError: a digest is wrong, with `verify`.
    """
    options = [
        *_each("--tag", tags),
        *_each("--output", map(_output, outputs)),
        *_each("--platform", [",".join(platforms)] if (platforms := tuple(platforms)) else ()),
        *_each("--build-arg", (f"{name}={value}" for name, value in (build_args or {}).items())),
        *_each("--file", [os.fspath(file)] if file is not None else ()),
        *_each("--target", [target] if target is not None else ()),
        *_common(push=push, load=load, builder=builder),
        *arguments,
        *([os.fspath(context)] if context is not None else ()),
    ]
    if not arguments and context is None:
        raise InputError("context", "no build context is given", 'name a folder or a URL: context="."')
    request = replace(read_build_command_line(options), folder=os.fspath(folder))
    result = _run(request, Policy(require_digests, verify, _retry_policy(retries, NO_RETRIES)), log, on_message)
    if warning := rewrite_image_id_file(request, result):
        _tell(on_message, [warning])
    return build_results(_builds(result)[""])


def bake(
    arguments: Sequence[str] = (),
    *,
    targets: Iterable[str] = (),
    files: Iterable[StrPath] = (),
    overrides: Iterable[str] = (),
    push: bool = False,
    load: bool = False,
    builder: str | None = None,
    folder: StrPath = ".",
    log: BinaryIO | None = None,
    on_message: OnMessage = None,
    require_digests: bool = False,
    verify: bool = False,
    retries: int = 0,
) -> BakeResults:
    """Run `docker buildx bake` and return what each exporter of each target made.

    Example:
        results = bake(targets=["web", "api"], files=["docker-bake.hcl"], push=True)
        print(results.targets["web"].digest)

    Args:
        arguments: arguments of `docker buildx bake`.
        targets: the targets or groups to build; none for the default group.
        files: the definition files.
        overrides: overrides of target attributes, as for `--set`: `web.platform=linux/arm64`.
        push: whether to push the images.
        load: whether to load the images into Docker.
        builder: the builder; None for the current one.
        folder: the folder that buildx runs in, and that relative paths start from.
        log: a binary stream for buildx's log as it comes; None keeps only the end.
        on_message: is called with each warning and each notice.
        require_digests: whether an exporter that makes an image and has no digest is an error.
        verify: whether each digest is checked against the registry or the file.
        retries: the maximum number of retries after a transient failure.

    Returns:
        The results: target name to the results of its build.

    Raises:
        BuildDigestsError: as for `build`; if the bake failed, the error's `results` has the targets that were exported.
    """
    options = [
        *_each("--file", (os.fspath(file) for file in files)),
        *_each("--set", overrides),
        *_common(push=push, load=load, builder=builder),
        *arguments,
        *targets,
    ]
    request = read_bake_command_line(options, folder=os.fspath(folder))
    result = _run(request, Policy(require_digests, verify, _retry_policy(retries, NO_RETRIES)), log, on_message)
    return bake_results(_builds(result))


def merge(
    results: StrPath,
    *,
    tags: Iterable[str],
    annotations: Iterable[str] = (),
    expect_platforms: Iterable[str] = (),
    keys: Iterable[str] = (),
    target: str = "",
    builder: str = "",
    log: BinaryIO | None = None,
    on_message: OnMessage = None,
    retries: int | None = None,
) -> BuildResults:
    """Merge images that several jobs built and pushed into one image for each exporter, and push that.

    Example:
        merged = merge("results", tags=["ghcr.io/octo/app:1"], expect_platforms=["linux/amd64", "linux/arm64"])

    Args:
        results: the folder with the jobs' results files.
        tags: the names under which the merged images are pushed.
        annotations: annotations of the index: `KEY=VALUE`.
        expect_platforms: the platforms that each merged image must have; none to accept any.
        keys: the keys of the exporters to merge; none for all that make an image.
        target: the bake target to merge; empty if the results are those of builds.
        builder: the builder whose registry settings are used; empty for the current one.
        log: a binary stream for buildx's log; None drops it.
        on_message: is called with each warning and each notice.
        retries: the maximum number of retries after a transient failure of a registry; None for the default, 4.

    Returns:
        The results of the merged images, which their registries serve.

    Raises:
        InputError: there are no results files, or an argument is invalid.
        MergeError: the results do not form one image.
        RegistryError: a registry refuses a request, or fails in every attempt.
        ProgramError: there is no buildx.
    """
    request = merge_request(
        results=os.fspath(results),
        tags=tuple(tags),
        annotations=tuple(annotations),
        expect_platforms=tuple(expect_platforms),
        keys=tuple(keys),
        target=target,
        builder=builder,
        retries="" if retries is None else str(_retry_policy(retries, RETRY_POLICY).retries),
        retry_delay="",
    )
    return build_results(_builds(_reported(run_merge(request, _log(log, on_message)), on_message))[""])


def inspect(
    metadata: StrPath,
    *,
    record: StrPath | None = None,
    outputs: Iterable[Output] = (),
    tags: Iterable[str] = (),
    push: bool = False,
    load: bool = False,
    on_message: OnMessage = None,
) -> BuildResults:
    """Return what each exporter of a build made, from files that the build left behind.

    Example:
        results = inspect("metadata.json", record="build.dockerbuild", outputs=["type=image,push=true", "type=local"])

    Args:
        metadata: the file that `--metadata-file` wrote.
        record: the build's record (`docker buildx history export`), or None.
        outputs: the outputs of the build, in their order.
        tags: the tags of the build.
        push: whether the build had `--push`.
        load: whether the build had `--load`.
        on_message: is called with each warning, such as why a digest is missing.

    Raises:
        DocumentError: the metadata file is invalid.
        InputError: a file is missing or of another kind, or nothing tells which outputs the build had.
        DisagreementError: two sources contradict each other about a digest.
    """
    found, warnings = inspect_files(
        Path(metadata),
        Path(record) if record is not None else None,
        tuple(map(_output, outputs)),
        tuple(tags),
        push=push,
        load=load,
    )
    _tell(on_message, warnings)
    return build_results(found)


def validate(file: StrPath, *, schema: str | None = None) -> list[DocumentError]:
    """Return the faults of a JSON file, each with its JSON pointer; empty if the file is valid.

    Example:
        for fault in validate("metadata.json"):
            print(fault.pointer, fault.problem)

    Args:
        file: a metadata, bake, results or digests file.
        schema: the schema (`metadata`, `bake`, `results` or `digests`); None detects it.
    """
    return list(validate_file(Path(file), schema))


def _common(*, push: bool, load: bool, builder: str | None) -> list[str]:
    return [
        *(["--builder", builder] if builder is not None else ()),
        *(["--push"] if push else ()),
        *(["--load"] if load else ()),
    ]


def _each(option: str, values: Iterable[str]) -> list[str]:
    # One argument, since a value that begins with a hyphen would be taken for an option.
    return [f"{option}={value}" for value in values]


def _output(output: Output) -> str:
    """Return an output as buildx reads it: a CSV record of `name=value` fields."""
    if isinstance(output, str):
        return output
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([f"{name}={value}" for name, value in output.items()])
    return text.getvalue()


def _retry_policy(retries: int, default: RetryPolicy) -> RetryPolicy:
    if retries < 0:
        raise InputError("retries", f"{retries} is negative", "give the maximum number of retries, from 0")
    return RetryPolicy(retries, default.delay)


def _log(log: BinaryIO | None, on_message: OnMessage) -> Log:
    def write_line(line: str) -> None:
        _tell(on_message, [line])

    # buildx's own standard output, such as the image ID of `--quiet`, belongs to nobody here.
    return Log(
        captured=True, stream=log or _Discard(), write_line=write_line, output=_Discard(), forwards_signals=False
    )


class _Discard(io.BytesIO):
    """Stream that drops what is written."""

    def write(self, data: object, /) -> int:
        """Drop the data."""
        return len(data) if isinstance(data, (bytes, bytearray, memoryview)) else 0


def _run(request: Request, policy: Policy, log: BinaryIO | None, on_message: OnMessage) -> RunResult:
    with temporary_folder() as workspace, Preloader() as preloader:
        return _reported(run_request(request, workspace, policy, _log(log, on_message), preloader), on_message)


def _reported(result: RunResult, on_message: OnMessage) -> RunResult:
    _tell(on_message, (*result.notices, *result.warnings, *map(str, result.errors[1:])))
    return result


def _builds(result: RunResult) -> Mapping[str, AttributedBuild]:
    """Return the builds of a run, or raise its first error."""
    for error in result.errors:
        error.log = result.trace.log if result.trace is not None else ""
        error.results = results_of(result.builds, bake=result.bake) if result.builds is not None else None
        raise error
    return result.builds or {}


def _tell(on_message: OnMessage, messages: Iterable[str]) -> None:
    if on_message is not None:
        for message in messages:
            on_message(message)
