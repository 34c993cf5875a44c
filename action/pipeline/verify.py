"""The verification of digests: against the registry if the image was pushed, else against its file or folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from action.buildx.imagetools import Registries
from action.buildx.local_state import BuildRef
from action.dataclass import replace
from action.errors import BuildDigestsError, VerificationError
from action.evidence.artifact_file import check_artifact
from action.evidence.record import is_pipe_or_device
from action.exporters.attributed import AttributedBuild, AttributedCache, AttributedExporter, references
from action.exporters.output import ARTIFACT_TYPES, STDOUT
from action.inputs.merge import RETRY_POLICY
from action.oci.reference import Reference, check_digest, digest_like, parse_reference
from action.pipeline.run_result import RunResult
from action.process.log import Log

_SOURCES = {"response": "the metadata file", "record": "the build record", "artifact": "its own index.json"}


def verified(result: RunResult, folder: Path, buildx: tuple[str, ...], log: Log) -> RunResult:
    """Check each digest of a run against the registry or the file; remove each wrong one and add an error.

    Args:
        result: the result of the run.
        folder: the folder that paths in outputs are relative to.
        buildx: the command that runs buildx.
        log: the destination of the log, for retries of registries.

    Raises:
        Interrupted: a signal ended it.
    """
    builds: dict[str, AttributedBuild] = {}
    errors: list[BuildDigestsError] = []
    for name, build in (result.builds or {}).items():
        # The settings of the builder that pushed the image apply, such as a registry's certificate.
        ref = BuildRef.parse(build.ref or "")
        builder = ref.builder if ref else ""
        builds[name], found = verify(build, folder, Registries(buildx, os.environ, builder, RETRY_POLICY, log))
        errors += [VerificationError(f"target {name}: {error}") if name else error for error in found]
    return replace(result, builds=builds, errors=(*result.errors, *errors))


def verify(
    build: AttributedBuild, folder: Path, registries: Registries
) -> tuple[AttributedBuild, tuple[BuildDigestsError, ...]]:
    """Check the digest of each exporter that pushed an image or wrote one to a file, and that of each cache.

    Images that only an engine keeps, and files that are not images, are not checked.

    Args:
        build: a build with its exporters and caches.
        folder: the folder that paths in outputs are relative to.
        registries: reads from registries.

    Returns:
        The build, without the digest of each exporter or cache that fails the check; and an error for each of these.

    Raises:
        Interrupted: a signal ended it.
    """
    pushed = [(place, each) for place, exporter in enumerate(build.exporters) for each in references((exporter,))]

    failures = registries.call_concurrently(_failure, [reference for _, reference in pushed])
    faults: dict[int, list[str]] = {}
    for (place, _), failure in zip(pushed, failures, strict=True):
        if failure is not None:
            faults.setdefault(place, []).append(str(failure))
    for place, exporter in enumerate(build.exporters):
        faults.setdefault(place, []).extend(_local_faults(exporter, folder))
    errors = tuple(_error(build.exporters[place], fault) for place in sorted(faults) for fault in faults[place])
    exporters = tuple(
        _without_digest(exporter) if faults.get(place) else exporter for place, exporter in enumerate(build.exporters)
    )
    caches, cache_errors = _verified_caches(build.caches, folder, registries)
    return replace(build, exporters=exporters, caches=caches), (*errors, *cache_errors)


def _failure(registries: Registries, reference: str) -> BuildDigestsError | None:
    """Return why a registry does not serve what `name@digest` names, or None."""
    try:
        check_digest(registries.manifest(reference), reference.rpartition("@")[2], reference)
    except BuildDigestsError as error:
        return error
    return None


def _verified_caches(
    caches: tuple[AttributedCache, ...], folder: Path, registries: Registries
) -> tuple[tuple[AttributedCache, ...], list[BuildDigestsError]]:
    """Return the caches, without each digest that fails its check; and an error for each of these."""
    remote = [(place, cache, reference) for place, cache, reference in _in_registries(caches)]
    served = registries.call_concurrently(_moved, [(reference, cache.digest or "") for _, cache, reference in remote])
    found: dict[int, BuildDigestsError | None] = dict(zip((place for place, _, _ in remote), served, strict=True))
    # Of all other caches, those in folders can be checked.
    found |= {place: _cache_fault(cache, folder) for place, cache in enumerate(caches) if place not in found}
    errors: list[BuildDigestsError] = [
        VerificationError(
            f"cache {caches[place].key} ({caches[place].type}) is not verified: "
            f"{_SOURCES[caches[place].evidence or 'response']} says {caches[place].digest}, but {found[place]}; its "
            "digest is not reported"
        )
        for place in sorted(found)
        if found[place] is not None
    ]
    verified_caches = tuple(
        cache if found[place] is None else replace(cache, digest=None, evidence=None)
        for place, cache in enumerate(caches)
    )
    return verified_caches, errors


def _moved(registries: Registries, cache: tuple[Reference, str]) -> BuildDigestsError | None:
    """Return why the tag of a cache does not name its digest, or None if it does.

    Builds read a cache by its tag, so it is not enough that the registry still has the digest.
    """
    reference, digest = cache
    tagged = f"{reference.repository}:{reference.tag or 'latest'}"
    try:
        data = registries.manifest(tagged)
    except BuildDigestsError as error:
        return error
    found = digest_like(digest, data)
    if found == digest:
        return None
    return VerificationError(
        f"the tag {tagged} names {found}: another build wrote its cache to that tag meanwhile; give each build a tag "
        "of its own in cache-to, or let one run at a time"
    )


def _in_registries(caches: tuple[AttributedCache, ...]) -> Iterator[tuple[int, AttributedCache, Reference]]:
    for place, cache in enumerate(caches):
        if cache.digest and cache.type == "registry" and (reference := parse_reference(cache.ref or "")):
            yield place, cache, reference


def _cache_fault(cache: AttributedCache, folder: Path) -> BuildDigestsError | None:
    """Return why a cache is not in its folder, or None if it is, or is not in a folder."""
    if not cache.digest or cache.type != "local" or not cache.dest:
        return None
    try:
        check_artifact(folder / cache.dest, cache.digest)
    except BuildDigestsError as error:
        return error
    return None


def _local_faults(exporter: AttributedExporter, folder: Path) -> Iterator[str]:
    written = exporter.type in ARTIFACT_TYPES and exporter.dest not in {None, STDOUT}
    if exporter.digest is None:
        if written or exporter.push:
            yield "it has no digest that could be verified; the warnings say why"
        return
    if exporter.push and not references((exporter,)):
        yield f"none of its names ({', '.join(exporter.names)}) is a name that a registry can have"
    if not written or is_pipe_or_device(folder / str(exporter.dest)):
        return
    try:
        check_artifact(folder / str(exporter.dest), exporter.digest)
    except BuildDigestsError as error:
        yield str(error)


def _error(exporter: AttributedExporter, fault: str) -> VerificationError:
    source = _SOURCES[exporter.evidence] if exporter.evidence else ""
    claim = f"{source} says {exporter.digest}, but " if exporter.digest else ""
    return VerificationError(
        f"exporter {exporter.key} ({exporter.type}) is not verified: {claim}{fault}; its digest is not reported"
    )


def _without_digest(exporter: AttributedExporter) -> AttributedExporter:
    return replace(exporter, digest=None, imageid=None, descriptor=None, platforms=(), evidence=None)
