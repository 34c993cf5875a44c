"""The functions of the Python API that run builds: build and bake.

    from action import build

    results = build(context=".", outputs={"type": "image", "name": "ghcr.io/octo/app:1", "push": True, "id": "release"})
    print(results.digests["release"])

The functions install nothing, change no signal handler and no other state of the process, and print nothing. They can
be called from any thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from action.api.run import (
    LogStream,
    OnMessage,
    bake_results,
    build_results,
    builds_of,
    callers_log,
    run_for_caller,
    tell,
)
from action.buildx import keyword_arguments as keyword
from action.buildx.command_line import read_bake_command_line, read_build_command_line
from action.buildx.keyword_arguments import Entries, StrPath, Texts, options
from action.buildx.options import read_options
from action.dataclass import replace
from action.errors import InputError
from action.inputs.policy import NO_RETRIES, Policy, read_retry_policy
from action.pipeline.run_result import rewrite_image_id_file
from action.results import BakeResults, BuildResults


def build(
    arguments: Sequence[StrPath] = (),
    *,
    context: StrPath | None = None,
    file: StrPath | None = None,
    tags: Texts = (),
    outputs: Entries = (),
    platforms: Texts = (),
    build_args: Mapping[str, str | None] | None = None,
    build_contexts: Mapping[str, StrPath] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    secrets: Mapping[str, StrPath] | None = None,
    cache_from: Entries = (),
    cache_to: Entries = (),
    no_cache: bool = False,
    pull: bool = False,
    target: str | None = None,
    push: bool = False,
    load: bool = False,
    builder: str | None = None,
    folder: StrPath = ".",
    log: LogStream = None,
    on_message: OnMessage = None,
    require_digests: bool = False,
    verify: bool = False,
    compare: Texts = (),
    retries: int = 0,
) -> BuildResults:
    """Run `docker buildx build` and return the digest of each exporter.

    Example:
        results = build(["--output", "type=oci,dest=app.tar,id=archive", "."])
        results = build(context=".", tags="ghcr.io/octo/app:1", platforms=["linux/amd64", "linux/arm64"], push=True)

    Args:
        arguments: arguments of `docker buildx build`; they include the context, unless `context` is given.
        context: the build context: a folder, a URL, or `-` for standard input.
        file: the Dockerfile.
        tags: names of the image, as for `--tag`.
        outputs: the outputs, each as for `--output`, or its attributes. Their order determines the index.
        platforms: the platforms to build for.
        build_args: build argument to its value; None takes the value from the environment.
        build_contexts: name of an additional context to its folder, URL or image.
        labels: label of the image to its value.
        annotations: annotation to its value, as for `--annotation`; the name may begin with a level (`index:`).
        secrets: ID of a secret to its text, or to the `Path` of its file. No argument and no file contains a text.
        cache_from: the caches to read, each as for `--cache-from`, or its attributes.
        cache_to: the caches to write, in the same form.
        no_cache: whether to run every step, without the cache.
        pull: whether to look for newer base images in their registries.
        target: the stage to build.
        push: whether to push the image.
        load: whether to load the image into Docker.
        builder: the builder; None for the current one.
        folder: the folder that buildx runs in, and that relative paths start from.
        log: a binary or text stream, such as `sys.stderr`, to which buildx's log is written; None shows nothing.
        on_message: is called with each warning and each notice, for example with the reason for a missing digest.
        require_digests: whether it is an error if an exporter that makes an image has no digest.
        verify: whether to check each digest against the registry or the file.
        compare: the image in a registry that each image is compared with; the results say whether it changed.
        retries: the maximum number of retries after a transient failure.

    Returns:
        The results, as `schemas/results.schema.json` describes them.

    Raises:
        InputError: buildx cannot use an argument, or a library cannot support it.
        ProgramError: there is no buildx, or no engine.
        BuildFailedError: the build failed. Its message is buildx's last error, and its `log` is the end of the log.
        DisagreementError: two sources contradict each other about a digest.
        MissingDigestError: a digest is missing, with `require_digests`.
        VerificationError: a digest is wrong, with `verify`.
    """
    contexts = {name: os.fspath(value) for name, value in (build_contexts or {}).items()}
    secret_values, environment = keyword.secret_options(secrets or {})
    command = [
        *options("--tag", keyword.texts("tags", tags)),
        *options("--output", keyword.records("outputs", outputs)),
        *options("--platform", [",".join(found)] if (found := keyword.texts("platforms", platforms)) else ()),
        *options("--build-arg", keyword.assignments("build_args", build_args or {})),
        *options("--build-context", keyword.assignments("build_contexts", contexts)),
        *options("--label", keyword.assignments("labels", labels or {})),
        *options("--annotation", keyword.assignments("annotations", annotations or {})),
        *options("--secret", secret_values),
        *options("--cache-from", keyword.records("cache_from", cache_from)),
        *options("--cache-to", keyword.records("cache_to", cache_to)),
        *options("--file", [os.fspath(file)] if file is not None else ()),
        *options("--target", [target] if target is not None else ()),
        *_common(builder, push=push, load=load, no_cache=no_cache, pull=pull),
        *keyword.plain_arguments(arguments),
        *keyword.positional("context", [os.fspath(context)] if context is not None else ()),
    ]
    if not arguments and context is None:
        raise InputError("context", "no build context is given", 'name a folder or a URL: context="."')
    request = replace(read_build_command_line(command), folder=keyword.existing_folder(folder), environment=environment)
    policy = _policy(require_digests=require_digests, verify=verify, compare=compare, retries=retries)
    passes_stdin = "-" in command or read_options(command).last("file") == "-"
    result = run_for_caller(request, policy, callers_log(log, on_message, passes_stdin=passes_stdin))
    found_builds = builds_of(result, on_message)
    if warning := rewrite_image_id_file(request, result):
        tell(on_message, [warning])
    return build_results(found_builds[""])


def bake(
    arguments: Sequence[StrPath] = (),
    *,
    targets: Texts = (),
    files: StrPath | Iterable[StrPath] = (),
    overrides: Texts = (),
    variables: Mapping[str, str] | None = None,
    no_cache: bool = False,
    pull: bool = False,
    push: bool = False,
    load: bool = False,
    builder: str | None = None,
    folder: StrPath = ".",
    log: LogStream = None,
    on_message: OnMessage = None,
    require_digests: bool = False,
    verify: bool = False,
    compare: Texts = (),
    retries: int = 0,
) -> BakeResults:
    """Run `docker buildx bake` and return the digest of each exporter of each target.

    Example:
        results = bake(targets=["web", "api"], files="docker-bake.hcl", push=True)
        print(results.targets["web"].digest)

    Args:
        arguments: arguments of `docker buildx bake`.
        targets: the targets or groups to build; if empty, the default group.
        files: the definition files.
        overrides: overrides of target attributes, as for `--set`: `web.platform=linux/arm64`.
        variables: variable of the definition to its value.
        no_cache: whether to run every step, without the cache.
        pull: whether to look for newer base images in their registries.
        push: whether to push the images.
        load: whether to load the images into Docker.
        builder: the builder; None for the current one.
        folder: the folder that buildx runs in, and that relative paths start from.
        log: a binary or text stream for buildx's log, as for `build`.
        on_message: is called with each warning and each notice.
        require_digests: whether it is an error if an exporter that makes an image has no digest.
        verify: whether to check each digest against the registry or the file.
        compare: the images in registries that images are compared with: for all targets, or `TARGET=IMAGE`.
        retries: the maximum number of retries after a transient failure.

    Returns:
        The results of each target.

    Raises:
        BuildDigestsError: as for `build`; if the bake failed, the error's `results` has the targets that were exported.
    """
    command = [
        *options("--file", keyword.paths(files)),
        *options("--set", keyword.texts("overrides", overrides)),
        *_common(builder, push=push, load=load, no_cache=no_cache, pull=pull),
        *keyword.plain_arguments(arguments),
        *keyword.positional("targets", keyword.texts("targets", targets)),
    ]
    request = read_bake_command_line(command, keyword.existing_folder(folder), dict(variables or {}))
    policy = _policy(require_digests=require_digests, verify=verify, compare=compare, retries=retries)
    result = run_for_caller(request, policy, callers_log(log, on_message))
    return bake_results(builds_of(result, on_message))


def _common(builder: str | None, **flags: bool) -> list[str]:
    given = [f"--{name.replace('_', '-')}" for name, value in flags.items() if value]
    return [*options("--builder", [builder] if builder is not None else ()), *given]


def _policy(*, require_digests: bool, verify: bool, compare: Texts, retries: int) -> Policy:
    retry_policy = read_retry_policy(str(retries), "", default=NO_RETRIES)
    return Policy(require_digests, verify, retry_policy, tuple(keyword.texts("compare", compare)))
