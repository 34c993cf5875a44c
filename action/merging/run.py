"""One merge, from a folder of results to joined images that their registries serve: the whole way on one screen."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from action.buildx.imagetools import Registries, create_arguments
from action.errors import BuildDigestsError, MergeError, ProgramError, RegistryError
from action.exporters.attributed import AttributedBuild, AttributedExporter, AttributedPlatform
from action.inputs.merge import MergeRequest
from action.inputs.policy import RetryPolicy
from action.merging.check import Joined, check_joined, image_id
from action.merging.job_results import JobResults, read_folder
from action.merging.merged_results import exporter_result, metadata_text
from action.merging.plan import Join, in_brackets, plan, platform_digests
from action.merging.platforms import platforms_in, source_reference, with_platforms
from action.oci.integrity import check_digest
from action.pipeline.run_result import RunResult
from action.process.docker import find_buildx
from action.process.log import Log

_HASTE_SECONDS = 10.0


@dataclass(frozen=True)
class Seen:
    """What registries serve for the jobs' images.

    Attributes:
        data: digest to bytes, checked against it.
        platforms: digest to the platforms of the image.
        errors: why something is not served.
    """

    data: Mapping[str, bytes]
    platforms: Mapping[str, tuple[AttributedPlatform, ...]]
    errors: tuple[BuildDigestsError, ...]


def commands_of(request: MergeRequest) -> list[tuple[str, ...]]:
    """What buildx would be told: its arguments, once for each image and repository. Asks no registry.

    Raises:
        BuildDigestsError: the results do not make up one image for each key.
    """
    jobs, errors = read_folder(request.folder, request.target)
    joins, more = plan(jobs, request) if not errors else ((), ())
    for error in (*errors, *more):
        raise error
    return [_arguments(join, repository, request) for join in joins for repository in join.tags]


def run_merge(request: MergeRequest, log: Log) -> RunResult:
    """Join the images of many jobs, by exporter key, and see that each registry serves just that.

    Nothing is pushed before everything has been checked.

    Args:
        request: the merge.
        log: where the log goes: of registries that failed and are asked again, and of the push.

    Raises:
        InputError: there are no results files.
        ProgramError: there is no buildx, or it cannot be started.
    """
    jobs, errors = read_folder(request.folder, request.target)
    if errors:
        return _refused(errors)
    _, errors = plan(jobs, request)
    if errors:
        return _refused(_naming_platforms(jobs, request, log) or errors)
    registries = Registries(find_buildx(), os.environ, request.builder, request.retry_policy, log)
    seen = _look_up(jobs, registries, request.keys)
    joins, errors = plan(with_platforms(jobs, seen.platforms), request)
    errors = (*seen.errors, *errors)
    joined: dict[str, Joined] = {}
    for join in joins if not errors else ():
        checked = _check(join, request, registries, seen)
        if isinstance(checked, Joined):
            joined[join.key] = checked
        else:
            errors = (*errors, *checked)
    if errors:
        return _refused(errors)
    pushed = [_push(join, joined[join.key], request, registries) for join in joins]
    build = AttributedBuild(None, tuple(exporter for exporter, _ in pushed))
    return RunResult({"": build}, metadata_text(build), tuple(error for _, more in pushed for error in more))


def _naming_platforms(jobs: Sequence[JobResults], request: MergeRequest, log: Log) -> tuple[BuildDigestsError, ...]:
    """The errors once more, with platforms that the results do not say, as far as they can be had at once."""
    try:
        buildx = find_buildx()
    except ProgramError:
        return ()
    hasty = Registries(buildx, os.environ, request.builder, RetryPolicy(0, 0), log, seconds=_HASTE_SECONDS)
    seen = _look_up(jobs, hasty, (), only_unknown=True)
    return plan(with_platforms(jobs, seen.platforms), request)[1]


def _look_up(
    jobs: Sequence[JobResults], registries: Registries, keys: Sequence[str], *, only_unknown: bool = False
) -> Seen:
    """Ask the registries for the jobs' images, for those of some keys where there are such."""
    wanted = {
        reference: (job.file, exporter)
        for job in jobs
        for exporter in job.results.exporters
        if (reference := source_reference(exporter))
        and (not keys or exporter.key in keys)
        and not (only_unknown and platform_digests(exporter))
    }

    def read_image(
        registries: Registries, reference: str
    ) -> tuple[bytes, tuple[AttributedPlatform, ...]] | BuildDigestsError:
        digest = reference.partition("@")[2]
        file, exporter = wanted[reference]
        try:
            data = registries.manifest(reference)
            check_digest(data, digest, reference)
            platforms = platforms_in(data, reference)
            if not platforms and not platform_digests(exporter):
                # A manifest does not say its platform; the index that buildx makes of it does.
                platforms = platforms_in(
                    registries.preview(create_arguments(registries.builder, (), (), (reference,))), reference
                )
        except RegistryError as error:
            return RegistryError(f"{file}: exporter {exporter.key}{in_brackets(exporter)}: {error}")
        except BuildDigestsError as error:
            return error
        return data, platforms

    found = dict(zip(wanted, registries.call_concurrently(read_image, wanted), strict=True))
    answers = {reference.partition("@")[2]: each for reference, each in found.items() if isinstance(each, tuple)}
    return Seen(
        {digest: data for digest, (data, _) in answers.items()},
        {digest: platforms for digest, (_, platforms) in answers.items() if platforms},
        tuple(each for each in found.values() if isinstance(each, BuildDigestsError)),
    )


def _check(join: Join, request: MergeRequest, registries: Registries, seen: Seen) -> Joined | list[BuildDigestsError]:
    """Have buildx make the index without pushing it, for each repository, and check what it makes."""
    made: dict[str, Joined] = {}
    errors: list[BuildDigestsError] = []

    def make(repository: str) -> None:
        data = registries.preview(_arguments(join, repository, request))
        joined, more = check_joined(join, seen.data, data, request.expect_platforms, request.annotations)
        made[joined.descriptor.digest] = joined
        errors.extend(more)

    for repository in join.tags:
        errors += _errors_of(join, make, repository)
    if len(made) > 1:
        errors.append(MergeError(f"exporter {join.key}: its repositories make different indexes: please report this"))
    return errors or next(iter(made.values()))


def _push(
    join: Join, joined: Joined, request: MergeRequest, registries: Registries
) -> tuple[AttributedExporter, list[BuildDigestsError]]:
    """Push an index to each of its repositories, and see that each serves it; the digest is given where all do."""
    platforms: list[AttributedPlatform] = []

    def push(repository: str) -> None:
        registries.create(_arguments(join, repository, request), join.references(repository))
        platforms[:] = _served_platforms(join, repository, joined, registries)

    errors: list[BuildDigestsError] = []
    for repository in join.tags:
        errors += _errors_of(join, push, repository)
    return exporter_result(join, None if errors else joined, tuple(platforms)), errors


def _errors_of(join: Join, function: Callable[[str], None], repository: str) -> list[BuildDigestsError]:
    try:
        function(repository)
    except BuildDigestsError as error:
        return [RegistryError(f"exporter {join.key}: {error}")]
    return []


def _served_platforms(
    join: Join, repository: str, joined: Joined, registries: Registries
) -> tuple[AttributedPlatform, ...]:
    """See that a registry serves the index by each name, and the manifest of each of its platforms."""

    def check(registries: Registries, item: tuple[str, str]) -> bytes:
        reference, digest = item
        data = registries.manifest(reference)
        check_digest(data, digest, reference)
        return data

    named = [(name, joined.descriptor.digest) for name in join.tags[repository]]
    images = [(f"{repository}@{entry.digest}", entry.digest) for _, entry in joined.platforms]
    answers = registries.call_concurrently(check, [*named, *images])[len(named) :]
    return tuple(
        AttributedPlatform(platform=platform, digest=entry.digest, imageid=image_id(data, entry.digest))
        for (platform, entry), data in zip(joined.platforms, answers, strict=True)
    )


def _arguments(join: Join, repository: str, request: MergeRequest) -> tuple[str, ...]:
    return create_arguments(request.builder, join.tags[repository], request.annotations, join.references(repository))


def _refused(errors: Sequence[BuildDigestsError]) -> RunResult:
    # What keeps one image from being asked for mostly keeps all from it.
    return RunResult(None, None, tuple({str(error): error for error in errors}.values()))
