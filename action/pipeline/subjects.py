"""The platforms of pushed images, for `platform-subjects`, so that each platform's image can be attested and signed."""

from __future__ import annotations

import contextlib

from action.buildx.imagetools import Registries
from action.dataclass import replace
from action.errors import BuildDigestsError, EvidenceError
from action.exporters.attributed import AttributedBuild, AttributedExporter, references
from action.oci.image import PlatformImage, normal_platform
from action.oci.layout import MAX_JSON_BYTES
from action.oci.models import Descriptor, Document, parse
from action.oci.reference import check_digest
from action.pipeline.live_source import LiveSource
from action.pipeline.run_result import RunResult


def with_platforms(result: RunResult, live: LiveSource, registries: Registries) -> RunResult:
    """Return the result with the platforms of each image that was pushed, which `refs` and `checksums` then list.

    If they are missing, they are read from the builder, or else from the registry. Without them there is a warning.

    Args:
        result: the result of the run.
        live: reads from BuildKit's content store.
        registries: reads indexes that BuildKit no longer has.

    Raises:
        Interrupted: a signal ended it.
    """
    builds = result.builds or {}
    # Several outputs can push one image, and one output to several repositories.
    asked = {
        pushed[0].partition("@")[2]: (pushed[0], build.ref)
        for build in builds.values()
        for each in build.exporters
        if not each.platforms and (pushed := references((each,)))
    }
    answers: dict[str, tuple[PlatformImage, ...] | BuildDigestsError] = {}
    with contextlib.suppress(EvidenceError):
        for digest, (reference, ref) in asked.items():
            # BuildKit first, which takes no process. It keeps the index, because the build's record refers to it.
            if ref is not None and (data := live.blob(ref, digest)) is not None:
                answers[digest] = _platforms_in(data, reference)
    left = {digest: reference for digest, (reference, _) in asked.items() if digest not in answers}
    answers |= zip(left, registries.call_concurrently(_served, left.values()), strict=True)

    def filled(exporter: AttributedExporter) -> AttributedExporter:
        answer = answers.get(exporter.digest or "", ())
        if exporter.platforms or not exporter.push or isinstance(answer, BuildDigestsError):
            return exporter
        return replace(exporter, platforms=answer)

    found: dict[str, AttributedBuild] = {
        name: replace(build, exporters=tuple(map(filled, build.exporters))) for name, build in builds.items()
    }
    warnings = tuple(
        f"platform-subjects: refs and checksums lack the platforms of {asked[digest][0]}: {answer}"
        for digest, answer in answers.items()
        if isinstance(answer, BuildDigestsError)
    )
    return replace(result, builds=found, warnings=(*result.warnings, *warnings), platform_subjects=True)


def _served(registries: Registries, reference: str) -> tuple[PlatformImage, ...] | BuildDigestsError:
    """Return the platforms of an image in a registry, or the reason why they are not known."""
    try:
        data = registries.manifest(reference)
        check_digest(data, reference.partition("@")[2], reference)
        return _platforms_in(data, reference)
    except BuildDigestsError as error:
        return error


def _platforms_in(data: bytes, source: str) -> tuple[PlatformImage, ...]:
    """Return the image of each platform that an index names; empty for a manifest."""
    if len(data) > MAX_JSON_BYTES:
        raise EvidenceError(f"{source}: it has {len(data)} bytes, more than the limit of {MAX_JSON_BYTES}")
    entries = parse(Document, data, source).manifests or ()
    return tuple(_platform(entry) for entry in entries if not entry.is_attestation)


def _platform(entry: Descriptor) -> PlatformImage:
    name = None if entry.platform is None else normal_platform(str(entry.platform))
    return PlatformImage(name, entry.digest, None)
