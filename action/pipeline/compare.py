"""The comparison of a run's images with other images in registries: which config and layers changed.

A comparison never fails a run: an image that cannot be compared has no `changed`, and a warning says why.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from action.buildx.imagetools import Registries, answered
from action.buildx.request import Request
from action.dataclass import dataclass, replace
from action.errors import BuildDigestsError, EvidenceError, RegistryError, SlowProgramError, TransientError
from action.exporters.attributed import AttributedBuild, AttributedExporter
from action.exporters.output import FILE_TYPES
from action.inputs.policy import RetryPolicy
from action.oci.comparison import Comparison, PlatformContent, compare_platforms
from action.oci.content import read_contents
from action.oci.reference import check_digest, digest_like
from action.pipeline.compared_images import Answer, ComparedImage, builder_of, compared_images
from action.pipeline.image_contents import BuiltImages, EngineBlobs, RegistryBlobs
from action.pipeline.live_source import LiveSource
from action.pipeline.run_result import RunResult
from action.process.log import Log
from action.process.program import CompletedProgram

# Fewer and shorter than those of `verify`: the build has ended, and each image was requested once while buildx ran.
_RETRIES = RetryPolicy(retries=2, delay=1.0)

_REGISTRY_SECONDS = 20.0
_NOT_AFFECTED = "it is not known whether the image changed, and the build is not affected"


@dataclass(frozen=True)
class _Baseline:
    """An image that exporters are compared with.

    Attributes:
        digest: its digest; None if it does not exist.
        platforms: the content of each platform, by its name; empty if the image does not exist.
    """

    digest: str | None
    platforms: Mapping[str | None, PlatformContent]


def compared(
    result: RunResult,
    request: Request,
    compare: Sequence[str],
    answers: Mapping[str, Answer],
    *,
    buildx: tuple[str, ...],
    live: LiveSource,
    log: Log,
) -> RunResult:
    """Compare the images of a run with other images.

    Args:
        result: the result of the run.
        request: what was run; its builder's settings of registries apply.
        compare: the images to compare with, as `compared_images` takes them.
        answers: the answers of registries while buildx ran: reference to answer.
        buildx: the command that runs buildx.
        live: reads from BuildKit's API.
        log: the destination of the log, for retries of registries.

    Returns:
        The result with a comparison for each exporter that makes an image, and with notices and warnings.

    Raises:
        Interrupted: a signal ended it.
    """
    images = compared_images(compare, request)
    registries = Registries(buildx, os.environ, builder_of(request), _RETRIES, log, seconds=_REGISTRY_SECONDS)
    builds = result.builds or {}
    used = {image.reference: image for name, image in images.items() if name in builds}
    found = registries.call_concurrently(partial(_baseline, answers), used.values())
    baselines = {image.reference: each for image, each in zip(used.values(), found, strict=True)}
    notices = tuple(
        f"compare: {used[reference].name} does not exist yet, so that every image counts as changed"
        for reference, each in baselines.items()
        if isinstance(each, _Baseline) and each.digest is None
    )
    unknown = tuple(f"compare: {each}; {_NOT_AFFECTED}" for each in found if isinstance(each, BuildDigestsError))
    refs = {name: build.ref for name, build in builds.items()}
    comparer = _Comparer(images, baselines, refs, Path(request.folder), EngineBlobs(live))
    items = [(name, exporter) for name, build in builds.items() for exporter in build.exporters]
    done = registries.call_concurrently(comparer.compare, items)
    exporters = (exporter for exporter, _ in done)
    with_comparisons: dict[str, AttributedBuild] = {
        name: replace(build, exporters=tuple(islice(exporters, len(build.exporters)))) for name, build in builds.items()
    }
    problems = tuple(problem for _, problem in done if problem)
    return replace(
        result,
        builds=with_comparisons,
        notices=(*result.notices, *notices),
        warnings=(*result.warnings, *unknown, *problems),
    )


@dataclass(frozen=True)
class _Comparer:
    """The comparison of each exporter's image with the baseline of its target.

    Attributes:
        images: target name, empty for a build, to the image that it is compared with.
        baselines: reference of such an image to the image, or to the error that explains why it is not known.
        refs: target name to the `builder/node/ref` of its build, or None.
        folder: the folder that paths in outputs are relative to.
        engine: the blobs that BuildKit keeps.
    """

    images: Mapping[str, ComparedImage]
    baselines: Mapping[str, _Baseline | BuildDigestsError]
    refs: Mapping[str, str | None]
    folder: Path
    engine: EngineBlobs

    def compare(
        self, registries: Registries, item: tuple[str, AttributedExporter]
    ) -> tuple[AttributedExporter, str | None]:
        """Return the exporter with its comparison, and a warning or None.

        Args:
            registries: reads from registries.
            item: the name of the target, empty for a build, and the exporter.
        """
        name, exporter = item
        image = self.images.get(name)
        if image is None or exporter.type in FILE_TYPES:
            return exporter, None
        baseline = self.baselines[image.reference]
        if isinstance(baseline, BuildDigestsError):
            return replace(exporter, comparison=Comparison(image.name, None, None)), None
        if baseline.digest is None:
            return replace(exporter, comparison=Comparison(image.name, None, changed=True)), None
        try:
            contents = BuiltImages(self.folder, self.engine, registries).contents(exporter, self.refs[name])
            platforms = compare_platforms(contents, baseline.platforms)
        except BuildDigestsError as error:
            target = f"target {name}: " if name else ""
            problem = f"{target}exporter {exporter.key} ({exporter.type}) is not compared: {error}; {_NOT_AFFECTED}"
            return replace(exporter, comparison=Comparison(image.name, baseline.digest, None)), problem
        changed = any(each.changed for each in platforms)
        return replace(exporter, comparison=Comparison(image.name, baseline.digest, changed, platforms)), None


def _baseline(
    answers: Mapping[str, Answer], registries: Registries, image: ComparedImage
) -> _Baseline | BuildDigestsError:
    """Return the image as the registry had it before the run could replace it, or why it is not known."""
    try:
        return _read_baseline(image, answers, registries)
    except BuildDigestsError as error:
        # Returned: an error that is raised would end the requests for the other images.
        return error


def _read_baseline(image: ComparedImage, answers: Mapping[str, Answer], registries: Registries) -> _Baseline:
    top = _top(image, answers, registries)
    if top is None:
        return _Baseline(None, {})
    digest = digest_like("sha256", top) if "@" not in image.reference else image.reference.partition("@")[2]
    known = {digest: top}
    for reference, answer in answers.items():
        if isinstance(answer, CompletedProgram) and answer.code == 0 and "@" in reference:
            data = answer.stdout.encode()
            with contextlib.suppress(RegistryError):
                check_digest(data, named := reference.partition("@")[2], reference)
                known[named] = data
    return _Baseline(
        digest, read_contents(digest, RegistryBlobs(registries, image.repository, known).blob, image.reference)
    )


def _top(image: ComparedImage, answers: Mapping[str, Answer], registries: Registries) -> bytes | None:
    answer = answers.get(image.reference)
    if isinstance(answer, CompletedProgram):
        # After a transient failure the request is repeated below, with retries.
        with contextlib.suppress(TransientError):
            return _checked(image, answered(answer, image.reference))
    # A registry that did not answer for 20 s is not asked again: the build has ended, and the step would wait. Nor is a
    # tag that the run replaces: it names the new image by now.
    if image.replaced or isinstance(answer, SlowProgramError):
        if isinstance(answer, CompletedProgram):
            return _checked(image, answered(answer, image.reference))
        raise answer or EvidenceError(f"{image.reference}: it was not read before the build")
    return _checked(image, registries.find(image.reference))


def _checked(image: ComparedImage, data: bytes | None) -> bytes | None:
    if data is not None and "@" in image.reference:
        check_digest(data, image.reference.partition("@")[2], image.reference)
    return data
