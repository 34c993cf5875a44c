"""A merge: reads the results, plans the images, checks them, pushes them, and checks what the registries serve."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from action.buildx.imagetools import Registries, create_arguments
from action.dataclass import dataclass
from action.errors import BuildDigestsError, MergeError, ProgramError, RegistryError
from action.exporters.attributed import AttributedBuild, AttributedExporter
from action.inputs.merge import MergeRequest
from action.inputs.policy import RetryPolicy
from action.merging.check import MergedImage, check_merged, exporter_result, metadata_text, platform_image
from action.merging.job_results import JobResults, platforms_in, read_folder, source_reference, with_platforms
from action.merging.plan import PlannedImage, in_brackets, plan, platform_digests
from action.oci.image import PlatformImage
from action.oci.reference import check_digest
from action.pipeline.run_result import RunResult
from action.process.docker import find_buildx
from action.process.log import Log

_LOOKUP_SECONDS = 10.0
"""Time limit of a request that only makes an error message better."""


@dataclass(frozen=True)
class ServedImages:
    """The jobs' images as registries serve them.

    Attributes:
        data: digest to the manifest or index, checked against the digest.
        platforms: digest to the platforms of the image.
        errors: an error for each image that could not be read.
    """

    data: Mapping[str, bytes]
    platforms: Mapping[str, tuple[PlatformImage, ...]]
    errors: tuple[BuildDigestsError, ...]


def commands_of(request: MergeRequest) -> list[tuple[str, ...]]:
    """Return the arguments of buildx for each image and repository. Sends no request to a registry.

    Raises:
        BuildDigestsError: the results cannot be read, or cannot be merged.
    """
    jobs, errors = read_folder(request.folder, request.target)
    images, more = plan(jobs, request) if not errors else ((), ())
    for error in (*errors, *more):
        raise error
    return [_arguments(planned, repository, request) for planned in images for repository in planned.tags]


def run_merge(
    request: MergeRequest, log: Log, check_keys: Callable[[Sequence[str]], object] | None = None
) -> RunResult:
    """Merge the images of several jobs, by exporter key, and check that each registry serves the result.

    Every image is checked before the first one is pushed, so that a merge that cannot succeed changes no tag.

    Args:
        request: the inputs of the merge.
        log: the log for retries and for the progress of the push.
        check_keys: is called with the images' keys before the first request to a registry; its errors are passed on.

    Raises:
        InputError: there are no results files.
        ProgramError: buildx is not installed, or it cannot be started.
    """
    jobs, errors = read_folder(request.folder, request.target)
    if errors:
        return _failed(errors)
    images, errors = plan(jobs, request)
    if errors:
        return _failed(_errors_with_platforms(jobs, request, log) or errors)
    if check_keys is not None:
        check_keys([planned.key for planned in images])
    registries = Registries(find_buildx(os.environ), os.environ, request.builder, request.retry_policy, log)
    served = _look_up(jobs, registries, request.keys)
    # Planned again: results often lack the platforms, and conflicts between platforms can be found only now.
    images, errors = plan(with_platforms(jobs, served.platforms), request)
    errors = (*served.errors, *errors)
    merged: dict[str, MergedImage] = {}
    for planned in images if not errors else ():
        checked = _check(planned, request, registries, served)
        if isinstance(checked, MergedImage):
            merged[planned.key] = checked
        else:
            errors = (*errors, *checked)
    if errors:
        return _failed(errors)
    pushed = [_push(planned, merged[planned.key], request, registries) for planned in images]
    build = AttributedBuild(None, tuple(exporter for exporter, _ in pushed))
    return RunResult({"": build}, metadata_text(build), tuple(error for _, more in pushed for error in more))


def _errors_with_platforms(
    jobs: Sequence[JobResults], request: MergeRequest, log: Log
) -> tuple[BuildDigestsError, ...]:
    """Return the errors again, with platforms from the registries; empty if buildx is not installed.

    Results often do not contain the platforms, which make a message about a missing key much clearer. There are no
    retries, because the merge fails anyway.
    """
    try:
        buildx = find_buildx(os.environ)
    except ProgramError:
        return ()
    registries = Registries(buildx, os.environ, request.builder, RetryPolicy(0, 0), log, seconds=_LOOKUP_SECONDS)
    served = _look_up(jobs, registries, (), only_unknown=True)
    return plan(with_platforms(jobs, served.platforms), request)[1]


def _look_up(
    jobs: Sequence[JobResults], registries: Registries, keys: Sequence[str], *, only_unknown: bool = False
) -> ServedImages:
    """Read the jobs' images from their registries.

    Args:
        jobs: the jobs' results.
        registries: the registries.
        keys: the keys of the exporters to read; empty for all.
        only_unknown: whether to read only images whose platforms the results do not contain.
    """
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
    ) -> tuple[bytes, tuple[PlatformImage, ...]] | BuildDigestsError:
        digest = reference.partition("@")[2]
        file, exporter = wanted[reference]
        try:
            data = registries.manifest(reference)
            check_digest(data, digest, reference)
            platforms = platforms_in(data, reference)
            if not platforms and not platform_digests(exporter):
                # A manifest does not name its platform. buildx reads the config and writes the platform into the index.
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
    return ServedImages(
        {digest: data for digest, (data, _) in answers.items()},
        {digest: platforms for digest, (_, platforms) in answers.items() if platforms},
        tuple(each for each in found.values() if isinstance(each, BuildDigestsError)),
    )


def _check(
    planned: PlannedImage, request: MergeRequest, registries: Registries, served: ServedImages
) -> MergedImage | list[BuildDigestsError]:
    """Let buildx make the index without pushing it, for each repository, and check it.

    Returns:
        The merged image, or the errors.
    """
    made: dict[str, MergedImage] = {}
    errors: list[BuildDigestsError] = []

    def make(repository: str) -> None:
        data = registries.preview(_arguments(planned, repository, request))
        merged, more = check_merged(planned, served.data, data, request.expect_platforms, request.annotations)
        made[merged.descriptor.digest] = merged
        errors.extend(more)

    # One call for each repository, so that the sources come from that repository if they are in it.
    for repository in planned.tags:
        errors += _errors_of(planned, make, repository)
    if len(made) > 1:
        message = "buildx makes a different index for each repository: please report this"
        errors.append(MergeError(f"exporter {planned.key}: {message}"))
    return errors or next(iter(made.values()))


def _push(
    planned: PlannedImage, merged: MergedImage, request: MergeRequest, registries: Registries
) -> tuple[AttributedExporter, list[BuildDigestsError]]:
    """Push an index to each of its repositories, and check that each serves it.

    Returns:
        The result, with a digest only if every repository serves the index, and the errors.
    """
    platforms: list[PlatformImage] = []

    def push(repository: str) -> None:
        registries.create(_arguments(planned, repository, request), planned.references(repository))
        platforms[:] = _served_platforms(planned, repository, merged, registries)

    errors: list[BuildDigestsError] = []
    for repository in planned.tags:
        errors += _errors_of(planned, push, repository)
    return exporter_result(planned, None if errors else merged, tuple(platforms)), errors


def _errors_of(planned: PlannedImage, function: Callable[[str], None], repository: str) -> list[BuildDigestsError]:
    try:
        function(repository)
    except BuildDigestsError as error:
        return [RegistryError(f"exporter {planned.key}: {error}")]
    return []


def _served_platforms(
    planned: PlannedImage, repository: str, merged: MergedImage, registries: Registries
) -> tuple[PlatformImage, ...]:
    """Check that a registry serves the index by each name and the manifest of each platform; return the platforms."""

    def check(registries: Registries, item: tuple[str, str]) -> bytes:
        reference, digest = item
        data = registries.manifest(reference)
        check_digest(data, digest, reference)
        return data

    named = [(name, merged.descriptor.digest) for name in planned.tags[repository]]
    images = [(f"{repository}@{entry.digest}", entry.digest) for _, entry in merged.platforms]
    answers = registries.call_concurrently(check, [*named, *images])[len(named) :]
    return tuple(
        platform_image(platform, entry.digest, data)
        for (platform, entry), data in zip(merged.platforms, answers, strict=True)
    )


def _arguments(planned: PlannedImage, repository: str, request: MergeRequest) -> tuple[str, ...]:
    return create_arguments(
        request.builder, planned.tags[repository], request.annotations, planned.references(repository)
    )


def _failed(errors: Sequence[BuildDigestsError]) -> RunResult:
    # The same error, such as a refused login, can occur for each image: it is printed once.
    return RunResult(None, None, tuple({str(error): error for error in errors}.values()))
