"""The comparison of a run's images with other images in registries: which config and layers changed.

A comparison never fails a run: an image that cannot be compared has no `changed`, and a warning says why.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from action.buildx.imagetools import Registries, answered
from action.buildx.request import Request
from action.dataclass import dataclass, replace
from action.errors import BuildDigestsError, EvidenceError, RegistryError, SlowProgramError, TransientError
from action.evidence.record import ARTIFACT_TYPES, is_pipe_or_device
from action.exporters.attributed import FILE_TYPES, AttributedBuild, AttributedExporter, references
from action.exporters.output import STDOUT
from action.inputs.policy import RetryPolicy
from action.oci.comparison import Comparison, PlatformContent, compare_platforms
from action.oci.content import read_contents
from action.oci.layout import open_layout, read_blob
from action.oci.models import Document, parse
from action.oci.reference import check_digest
from action.pipeline.compared_images import Answer, ComparedImage, builder_of, compared_images, digest_of
from action.pipeline.live_source import LiveSource
from action.pipeline.run_result import RunResult
from action.process.log import Log
from action.process.program import CompletedProgram

# Fewer and shorter than those of `verify`: the build has ended, and each image was requested once while buildx ran.
_RETRIES = RetryPolicy(retries=2, delay=1.0)

_ENGINE_SECONDS = 5.0
_REGISTRY_SECONDS = 20.0
_NOWHERE = "BuildKit does not give its config, and it is in no registry and no file; add push, or an output with dest"
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
    live: LiveSource | None,
    log: Log,
) -> RunResult:
    """Compare the images of a run with other images.

    Args:
        result: the result of the run.
        request: what was run; its builder's settings of registries apply.
        compare: the images to compare with, as `compared_images` takes them.
        answers: the answers of registries while buildx ran: reference to answer.
        buildx: the command that runs buildx.
        live: reads from BuildKit's API, or None.
        log: the destination of the log, for retries of registries.

    Returns:
        The result with a comparison for each exporter that makes an image, and with notices and warnings.

    Raises:
        Interrupted: a signal ended it.
    """
    images, folder = compared_images(compare, request), Path(request.folder)
    registries = Registries(buildx, os.environ, builder_of(request), _RETRIES, log, seconds=_REGISTRY_SECONDS)
    builds = result.builds or {}
    baselines: dict[str, _Baseline] = {}
    notices, warnings = list(result.notices), list(result.warnings)
    used = list({image.reference: image for name, image in images.items() if name in builds}.values())
    for image, found in zip(used, registries.call_concurrently(partial(_baseline, answers), used), strict=True):
        if isinstance(found, BuildDigestsError):
            warnings.append(f"compare: {found}; {_NOT_AFFECTED}")
            continue
        baselines[image.reference] = found
        if found.digest is None:
            notices.append(f"compare: {image.name} does not exist yet, so that every image counts as changed")
    engine = _EngineBlobs(live)

    def compare_exporter(
        registries: Registries, item: tuple[str, AttributedExporter]
    ) -> tuple[AttributedExporter, str | None]:
        name, exporter = item
        image = images.get(name)
        if image is None or exporter.type in FILE_TYPES:
            return exporter, None
        baseline = baselines.get(image.reference)
        comparison, problem = Comparison(image.name, baseline.digest if baseline else None, None), None
        if baseline is not None and baseline.digest is None:
            comparison = Comparison(image.name, None, changed=True)
        elif baseline is not None:
            try:
                contents = _BuiltImages(folder, engine, registries).contents(exporter, builds[name].ref)
                platforms = compare_platforms(contents, baseline.platforms)
                changed = any(each.changed for each in platforms)
                comparison = Comparison(image.name, baseline.digest, changed, platforms)
            except BuildDigestsError as error:
                target = f"target {name}: " if name else ""
                problem = f"{target}exporter {exporter.key} ({exporter.type}) is not compared: {error}; {_NOT_AFFECTED}"
        return replace(exporter, comparison=comparison), problem

    items = [(name, exporter) for name, build in builds.items() for exporter in build.exporters]
    done = registries.call_concurrently(compare_exporter, items)
    exporters: dict[str, list[AttributedExporter]] = {}
    for (name, _), (exporter, problem) in zip(items, done, strict=True):
        exporters.setdefault(name, []).append(exporter)
        warnings += [problem] if problem else []
    with_comparisons: dict[str, AttributedBuild] = {
        name: replace(build, exporters=tuple(exporters.get(name, ()))) for name, build in builds.items()
    }
    return replace(result, builds=with_comparisons, notices=tuple(notices), warnings=tuple(warnings))


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
    digest = digest_of(top.decode()) if "@" not in image.reference else image.reference.partition("@")[2]
    known = {digest: top}
    for reference, answer in answers.items():
        if isinstance(answer, CompletedProgram) and answer.code == 0 and "@" in reference:
            data = answer.stdout.encode()
            with contextlib.suppress(RegistryError):
                check_digest(data, named := reference.partition("@")[2], reference)
                known[named] = data
    return _Baseline(
        digest, read_contents(digest, _RegistryBlobs(registries, image.repository, known).blob, image.reference)
    )


def _top(image: ComparedImage, answers: Mapping[str, Answer], registries: Registries) -> bytes | None:
    answer = answers.get(image.reference)
    if isinstance(answer, CompletedProgram):
        # After a transient failure the registry is asked again below, with retries.
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


class _EngineBlobs:
    """The blobs that BuildKit keeps of a run's builds.

    Only one thread at a time asks for them: `LiveSource` is not made for several.

    Args:
        live: reads from BuildKit's API, or None.
    """

    def __init__(self, live: LiveSource | None) -> None:
        self._live = live
        self._lock = threading.Lock()

    def blob(self, ref: str | None, digest: str) -> bytes | None:
        """Return a blob, or None if BuildKit does not have it or does not answer."""
        with self._lock:
            if self._live is None or ref is None:
                return None
            try:
                return self._live.blobs(ref, (digest,), seconds=_ENGINE_SECONDS).get(digest)
            except EvidenceError:
                # Not asked again: it could take as long for each blob.
                self._live = None
                return None


@dataclass(frozen=True)
class _BuiltImages:
    """The images that a run built, read from files, from BuildKit or from registries.

    Attributes:
        folder: the folder that paths in outputs are relative to.
        engine: the blobs that BuildKit keeps.
        registries: the registries that images were pushed to.
    """

    folder: Path
    engine: _EngineBlobs
    registries: Registries

    def contents(self, exporter: AttributedExporter, ref: str | None) -> Mapping[str | None, PlatformContent]:
        """Return the platforms of the image that an exporter made.

        Args:
            exporter: the exporter.
            ref: `builder/node/ref` of its build, or None.

        Raises:
            BuildDigestsError: the image cannot be read anywhere, or is not a container image.
        """
        if exporter.digest is None:
            raise EvidenceError("it has no digest by which its config and layers could be found")
        if exporter.type in ARTIFACT_TYPES and exporter.dest not in {None, STDOUT}:
            file = self.folder / str(exporter.dest)
            if not is_pipe_or_device(file):
                with open_layout(file) as layout:
                    return read_contents(exporter.digest, partial(read_blob, layout), str(exporter.dest))
        pushed = references((exporter,))
        served = _RegistryBlobs(self.registries, pushed[0].partition("@")[0], {}) if pushed else None

        def blob(digest: str) -> bytes | None:
            # BuildKit first: a registry limits the number of requests, and each request starts buildx.
            data = self.engine.blob(ref, digest)
            if data is None and served:
                return served.blob(digest)
            if data is None:
                raise EvidenceError(_NOWHERE)
            return data

        return read_contents(exporter.digest, blob, pushed[0] if pushed else "BuildKit's store")


class _RegistryBlobs:
    """The manifests and configs of a repository.

    Args:
        registries: reads from registries.
        repository: the full name of the repository.
        known: digest to the bytes of what is known already.
    """

    def __init__(self, registries: Registries, repository: str, known: Mapping[str, bytes]) -> None:
        self._registries = registries
        self._repository = repository
        self._known = known
        self._manifests = {config: digest for digest, data in known.items() for config in _config_of(data)}

    def blob(self, digest: str) -> bytes:
        """Return a manifest, an index, or the config of a manifest that was returned before.

        Raises:
            BuildDigestsError: the registry does not serve it, or serves other bytes.
        """
        if digest in self._known:
            return self._known[digest]
        if digest in self._manifests:
            # Not with `imagetools inspect --raw`: some registries answer 500 if a config is requested as a manifest,
            # and buildx 0.38 then does not request it as a blob.
            return self._registries.config(f"{self._repository}@{self._manifests[digest]}")
        reference = f"{self._repository}@{digest}"
        data = self._registries.manifest(reference)
        check_digest(data, digest, reference)
        self._manifests |= dict.fromkeys(_config_of(data), digest)
        return data


def _config_of(data: bytes) -> tuple[str, ...]:
    """Return the digest of the config that a manifest names; nothing for other documents."""
    try:
        config = parse(Document, data, "").config
    except EvidenceError:
        return ()
    return (config.digest,) if config else ()
