"""The platforms of pushed images, for `platform-subjects`: each platform's image is attested and signed too."""

from __future__ import annotations

import os

from action.buildx.imagetools import Registries
from action.buildx.request import Request
from action.dataclass import replace
from action.errors import BuildDigestsError, EvidenceError
from action.exporters.attributed import AttributedBuild, AttributedExporter, references
from action.inputs.merge import RETRY_POLICY
from action.oci.image import PlatformImage, normal_platform
from action.oci.layout import MAX_JSON_BYTES
from action.oci.models import Descriptor, Document, parse
from action.oci.reference import check_digest
from action.pipeline.compared_images import builder_of
from action.pipeline.run_result import RunResult
from action.process.log import Log


def with_platforms(result: RunResult, request: Request, buildx: tuple[str, ...], log: Log) -> RunResult:
    """Return the result with the platforms of each image that was pushed, read from its registry if they are missing.

    An image whose platforms cannot be read has a warning.

    Args:
        result: the result of the run.
        request: what was run; its builder's settings of registries apply.
        buildx: the command that runs buildx.
        log: the destination of the log, for retries of registries.

    Raises:
        Interrupted: a signal ended it.
    """
    builds = result.builds or {}
    exporters = [each for build in builds.values() for each in build.exporters if not each.platforms]
    # Several outputs can push one image, and one output to several repositories.
    asked = {pushed[0].partition("@")[2]: pushed[0] for each in exporters if (pushed := references((each,)))}
    registries = Registries(buildx, os.environ, builder_of(request), RETRY_POLICY, log)
    answers = dict(zip(asked, registries.call_concurrently(_platforms, asked.values()), strict=True))

    def filled(exporter: AttributedExporter) -> AttributedExporter:
        answer = answers.get(exporter.digest or "", ())
        if exporter.platforms or not exporter.push or isinstance(answer, BuildDigestsError):
            return exporter
        return replace(exporter, platforms=answer)

    found: dict[str, AttributedBuild] = {
        name: replace(build, exporters=tuple(map(filled, build.exporters))) for name, build in builds.items()
    }
    warnings = tuple(
        f"platform-subjects: refs and checksums lack the platforms of {asked[digest]}: {answer}"
        for digest, answer in answers.items()
        if isinstance(answer, BuildDigestsError)
    )
    return replace(result, builds=found, warnings=(*result.warnings, *warnings))


def _platforms(registries: Registries, reference: str) -> tuple[PlatformImage, ...] | BuildDigestsError:
    """Return what an index names besides attestations; nothing for a manifest; or why it is not known."""
    try:
        data = registries.manifest(reference)
        check_digest(data, reference.partition("@")[2], reference)
        if len(data) > MAX_JSON_BYTES:
            return EvidenceError(f"it has {len(data)} bytes, more than the {MAX_JSON_BYTES} that are read")
        entries = parse(Document, data, reference).manifests or ()
    except BuildDigestsError as error:
        return error
    return tuple(_platform(entry) for entry in entries if not entry.is_attestation)


def _platform(entry: Descriptor) -> PlatformImage:
    name = None if entry.platform is None else normal_platform(str(entry.platform))
    return PlatformImage(name, entry.digest, None)
