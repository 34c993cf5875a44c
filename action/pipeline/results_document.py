"""Converts between what exporters were found to have made and the models of the results document."""

from __future__ import annotations

from collections.abc import Mapping

from action.exporters.attributed import AttributedBuild, AttributedCache, AttributedExporter
from action.oci.image import ManifestDescriptor, PlatformImage
from action.results import BakeResults, BuildResults, CacheResult, ExporterResult


def results_of(builds: Mapping[str, AttributedBuild], *, bake: bool) -> BuildResults | BakeResults:
    """Return the results document's model.

    Args:
        builds: target name to what its build made; a build that is not of a bake has an empty name.
        bake: whether the builds are those of a bake.
    """
    return bake_results(builds) if bake else build_results(builds[""])


def build_results(build: AttributedBuild) -> BuildResults:
    """Return the results of a build."""
    return BuildResults.model_validate(build.document())


def bake_results(builds: Mapping[str, AttributedBuild]) -> BakeResults:
    """Return the results of a bake: target name to the results of its build."""
    targets = {name: build.document() for name, build in builds.items()}
    return BakeResults.model_validate({"version": 1, "targets": targets})


def attributed_build(results: BuildResults) -> AttributedBuild:
    """Return what the exporters of a results document made."""
    exporters = tuple(map(_attributed_exporter, results.exporters))
    return AttributedBuild(results.ref, exporters, tuple(map(_attributed_cache, results.caches)))


def _attributed_cache(cache: CacheResult) -> AttributedCache:
    return AttributedCache(
        key=cache.key,
        index=cache.index,
        id=cache.id,
        type=cache.type,
        ref=cache.ref,
        dest=cache.dest,
        digest=cache.digest,
        evidence=cache.evidence,
    )


def _attributed_exporter(exporter: ExporterResult) -> AttributedExporter:
    descriptor = exporter.descriptor
    return AttributedExporter(
        key=exporter.key,
        index=exporter.index,
        id=exporter.id,
        type=exporter.type,
        names=exporter.names,
        push=exporter.push,
        dest=exporter.dest,
        digest=exporter.digest,
        imageid=exporter.imageid,
        descriptor=None
        if descriptor is None
        else ManifestDescriptor(media_type=descriptor.media_type, digest=descriptor.digest, size=descriptor.size),
        platforms=tuple(
            PlatformImage(platform=each.platform, digest=each.digest, imageid=each.imageid, size=each.size)
            for each in exporter.platforms
        ),
        evidence=exporter.evidence,
        size=exporter.size,
    )
