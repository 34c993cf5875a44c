"""Give built images other tags, or copy them to other registries, with digests that do not change."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from action.buildx.builder import is_at_least
from action.buildx.imagetools import Registries
from action.dataclass import dataclass, replace
from action.errors import BuildDigestsError, InputError, RegistryError
from action.exporters.attributed import AttributedBuild, AttributedExporter
from action.inputs.merge import MergeRequest
from action.inputs.promote import PromoteRequest
from action.merging.check import MergedImage, exporter_result, platform_image
from action.merging.copies import ABSENT, Copy, Manifests, copy_referrers, find_referrers, read_manifests
from action.merging.job_results import JobResults, read_results
from action.merging.plan import PlannedImage, plan
from action.oci.image import PlatformImage
from action.oci.models import Descriptor, Document, parse
from action.pipeline.run_result import RunResult
from action.process.docker import find_buildx
from action.process.log import Log

_PREFER_INDEX = (0, 15)
"""The first buildx with `imagetools create --prefer-index`; those before it put each manifest into an index."""


@dataclass(frozen=True)
class _Image:
    """An image that was checked at its source.

    Attributes:
        planned: the image and its tags.
        manifests: what the source serves for it.
        copies: the copies to make, in this order: the image comes after what refers to it.
    """

    planned: PlannedImage
    manifests: Manifests
    copies: tuple[Copy, ...]


def run_promote(
    request: PromoteRequest,
    log: Log,
    show: Callable[[tuple[str, ...]], object],
    check_keys: Callable[[Sequence[str]], object] | None = None,
) -> RunResult:
    """Copy images to their tags, and check that each registry serves them with the digest that they had.

    Everything is read, checked and previewed before the first push, so that a promotion that cannot succeed changes no
    tag.

    Args:
        request: the inputs of the promotion.
        log: the log for retries and for the progress of the push.
        show: in a dry run, called with buildx's arguments for each push that would be made.
        check_keys: is called with the images' keys before the first request to a registry; its errors are passed on.

    Returns:
        The result; the digest of an image is in it only if every repository serves the image, or in a dry run, if
        nothing prevents the push.

    Raises:
        InputError: a key does not exist, or no image was pushed.
        DocumentError: the source is not a results file.
        ProgramError: buildx is not installed, or it cannot be started.
    """
    images, errors = _plan(request)
    if errors:
        return _failed(errors)
    if check_keys is not None:
        check_keys([planned.key for planned in images])
    registries = Registries(find_buildx(os.environ), os.environ, request.builder, request.retry_policy, log)
    unwrapped = is_at_least(registries.buildx, os.environ, _PREFER_INDEX)
    answers = [_check(planned, registries, referrers=request.referrers, unwrapped=unwrapped) for planned in images]
    checked = [each for each in answers if isinstance(each, _Image)]
    if len(checked) < len(answers):
        return _failed(each for each in answers if isinstance(each, BuildDigestsError))
    if request.dry_run:
        for copy in (copy for image in checked for copy in image.copies):
            show(copy.arguments(request.builder))
        exporters = [replace(_result(image), push=False) for image in checked]
        return RunResult({"": AttributedBuild(None, tuple(exporters))}, None)
    pushed = [_push(image, registries) for image in checked]
    build = AttributedBuild(None, tuple(exporter for exporter, _ in pushed))
    notices = tuple(_notice(image) for image in checked if any(copy.is_referrer for copy in image.copies))
    return RunResult({"": build}, None, tuple(error for _, more in pushed for error in more), notices=notices)


def _plan(request: PromoteRequest) -> tuple[tuple[PlannedImage, ...], Sequence[BuildDigestsError]]:
    """Plan a promotion like the merge of a single job, whose images stay as they are."""
    job = _read_source(request)
    known = [exporter.key for exporter in job.results.exporters]
    for key in request.keys:
        if key not in known:
            rule = f"its keys are: {', '.join(known) or 'none'}"
            raise InputError("keys", f"{job.file} has no exporter {key!r}", rule)
    keys = request.keys or tuple(exporter.key for exporter in job.results.exporters if exporter.push)
    if not keys:
        rule = "push it in the build (push: true), or name the results file of a build that pushed one"
        raise InputError("source", f"{job.file} has no image that was pushed, so no registry has it", rule)
    merge = MergeRequest(Path(), request.tags, (), (), keys, "", request.builder, request.retry_policy)
    return plan((job,), merge)


def _read_source(request: PromoteRequest) -> JobResults:
    source = request.source
    if isinstance(source, Path):
        return JobResults(str(source), read_results(source, str(source), request.target))
    exporter = AttributedExporter(
        key="0",
        index=0,
        id=None,
        type="image",
        names=(source.repository,),
        push=True,
        dest=None,
        digest=source.digest,
        imageid=None,
        descriptor=None,
        platforms=(),
        evidence=None,
    )
    return JobResults(f"{source.repository}@{source.digest}", AttributedBuild(None, (exporter,)))


def _check(
    planned: PlannedImage, registries: Registries, *, referrers: bool, unwrapped: bool
) -> _Image | BuildDigestsError:
    """Check an image at its source, and the copies that buildx is going to make of it.

    Returns:
        The image, or the reason why it must not be copied.
    """
    try:
        return _prepare(planned, registries, referrers=referrers, unwrapped=unwrapped)
    except BuildDigestsError as error:
        return _named(error, planned)


def _prepare(planned: PlannedImage, registries: Registries, *, referrers: bool, unwrapped: bool) -> _Image:
    source = planned.sources[0]
    manifests = read_manifests(registries, source.repositories[0], source.digest)
    copies: list[Copy] = []
    found: dict[str, dict[str, str]] = {}
    for target, tags in planned.tags.items():
        repository = source.reference(target).partition("@")[0]
        copy = Copy(f"exporter {planned.key}", repository, source.digest, manifests, target, tags, unwrapped)
        # Within one repository artifacts refer to the digest, so that they need no copy for another tag.
        if referrers and repository != target:
            if repository not in found:
                found[repository] = find_referrers(registries, repository, manifests)
            if not found[repository]:
                raise RegistryError(f"referrers: {copy.source}: {ABSENT}")
            copies += copy_referrers(registries, copy, found[repository])
        copies.append(copy)
    for copy in copies:
        copy.check_preview(registries)
    return _Image(planned, manifests, tuple(copies))


def _push(image: _Image, registries: Registries) -> tuple[AttributedExporter, list[BuildDigestsError]]:
    """Make the copies of an image; if one fails, the copies to other repositories are still made."""

    def push(target: str) -> BuildDigestsError | None:
        try:
            for copy in image.copies:
                if copy.target == target:
                    copy.push(registries)
        except BuildDigestsError as error:
            return _named(error, image.planned)
        return None

    errors = [error for target in image.planned.tags if (error := push(target))]
    return _result(image, failed=bool(errors)), errors


def _result(image: _Image, *, failed: bool = False) -> AttributedExporter:
    digest = image.planned.sources[0].digest
    data = image.manifests[digest]
    document = parse(Document, data, digest)
    kind = "image.index" if document.manifests is not None else "image.manifest"
    media_type = document.media_type or f"application/vnd.oci.{kind}.v1+json"
    descriptor = Descriptor(mediaType=media_type, digest=digest, size=len(data))
    if failed:
        return exporter_result(image.planned, None, ())
    return exporter_result(image.planned, MergedImage(descriptor, ()), tuple(_platforms(image, document)))


def _platforms(image: _Image, document: Document) -> Iterator[PlatformImage]:
    digest = image.planned.sources[0].digest
    if document.manifests is None:
        # A manifest does not name its platform; the results may.
        known = [each.platform for each in image.planned.exporter.platforms if each.digest == digest]
        yield platform_image(known[0] if known else None, digest, image.manifests[digest])
        return
    for entry in document.manifests:
        if entry.is_attestation or entry.digest not in image.manifests:
            continue
        platform = str(entry.platform) if entry.platform is not None else None
        yield platform_image(platform or None, entry.digest, image.manifests[entry.digest])


def _notice(image: _Image) -> str:
    tags = dict.fromkeys(copy.tags[0].rpartition(":")[2] for copy in image.copies if copy.is_referrer)
    return (
        f"exporter {image.planned.key}: artifacts that refer to the image by a tag are copied with it: "
        f"{', '.join(tags)}; buildx cannot read artifacts that only the registry's referrers API lists"
    )


def _named(error: BuildDigestsError, planned: PlannedImage) -> BuildDigestsError:
    text = f"exporter {planned.key}: "
    return error if str(error).startswith(text) else RegistryError(f"{text}{error}")


def _failed(errors: Iterable[BuildDigestsError]) -> RunResult:
    return RunResult(None, None, tuple({str(error): error for error in errors}.values()))
