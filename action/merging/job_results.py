"""The results files of several jobs, completed with the platforms that registries name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from action.dataclass import dataclass, replace
from action.documents.schema import faults
from action.documents.strict_json import read_document
from action.errors import BuildDigestsError, DocumentError, InputError, MergeError
from action.exporters.attributed import AttributedBuild, AttributedCache, AttributedExporter
from action.oci.image import ManifestDescriptor, PlatformImage
from action.oci.models import Document, first_problem, parse
from action.oci.reference import parse_reference
from action.results import BakeResults, BuildResults, CacheResult, ExporterResult

_MAX_FILES = 10_000


@dataclass(frozen=True)
class JobResults:
    """The results of one job.

    Attributes:
        file: the path of the results file, relative to the folder.
        results: the results in it; if they are of a bake, those of the chosen target.
    """

    file: str
    results: AttributedBuild


def read_folder(folder: Path, target: str) -> tuple[tuple[JobResults, ...], tuple[BuildDigestsError, ...]]:
    """Read every results file in a folder and its subfolders; each `*.json` there must be a results file.

    Args:
        folder: the folder.
        target: the bake target to use if a file has several, or empty.

    Returns:
        The results, in the order of the files' paths, and an error for each file that cannot be used.

    Raises:
        InputError: the folder does not exist, or contains no results file or too many.
    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise InputError("results", f"{folder} {what}", "name the folder with the jobs' results files")
    # In subfolders too: actions/download-artifact makes one for each artifact, unless it merges them.
    files = sorted(path for path in folder.rglob("*.json") if path.is_file())
    if not files:
        rule = "upload each job's results file (steps.….outputs.results), and download all of them into one folder"
        raise InputError("results", f"there is no results file (*.json) in {folder}", rule)
    if len(files) > _MAX_FILES:
        raise InputError("results", f"there are {len(files)} files in {folder}", f"at most {_MAX_FILES} are allowed")
    found, errors = [], []
    for path in files:
        name = path.relative_to(folder).as_posix()
        try:
            found.append(JobResults(name, read_results(path, name, target)))
        except BuildDigestsError as error:
            errors.append(error)
    return tuple(found), tuple(errors)


def source_reference(exporter: AttributedExporter) -> str | None:
    """Return an exporter's image as `repository@digest`, or None if it was not pushed."""
    reference = parse_reference(exporter.names[0]) if exporter.names else None
    if reference is None or not exporter.push or exporter.digest is None:
        return None
    return f"{reference.repository}@{exporter.digest}"


def platforms_in(data: bytes, source: str) -> tuple[PlatformImage, ...]:
    """Return the platforms that an index names, without attestation manifests; empty for a manifest.

    Args:
        data: the index or manifest that a registry serves.
        source: its name in error messages.

    Raises:
        EvidenceError: the data is not an index or manifest.
    """
    return tuple(
        PlatformImage(platform=str(entry.platform), digest=entry.digest, imageid=None)
        for entry in parse(Document, data, source).manifests or ()
        if entry.platform is not None and str(entry.platform) and not entry.is_attestation
    )


def with_platforms(
    jobs: Sequence[JobResults], known: Mapping[str, tuple[PlatformImage, ...]]
) -> tuple[JobResults, ...]:
    """Return the jobs' results, with platforms filled in if they contain none.

    Args:
        jobs: the jobs' results.
        known: an image's digest to its platforms.
    """

    def filled(exporter: AttributedExporter) -> AttributedExporter:
        if exporter.digest is None or exporter.digest not in known or any(each.platform for each in exporter.platforms):
            return exporter
        return replace(exporter, platforms=known[exporter.digest])

    return tuple(
        JobResults(
            job.file,
            replace(job.results, exporters=tuple(filled(each) for each in job.results.exporters)),
        )
        for job in jobs
    )


def read_results(path: Path, name: str, target: str) -> AttributedBuild:
    """Read one results file.

    Args:
        path: the file.
        name: its name in error messages.
        target: the bake target to use if the file has several, or empty.

    Raises:
        DocumentError: the file is not a results file.
        MergeError: the target does not exist, or none is named where there are several.
    """
    document = read_document(path)
    if document.fault is not None:
        raise DocumentError(name, document.fault.pointer, document.fault.problem)
    fault = next(faults(document.value, "results", name), None)
    if fault is not None:
        raise fault
    try:
        results = _model(document.value).model_validate(document.value)
    except ValidationError as error:
        # The schema counts 1.0 as an integer.
        raise DocumentError(name, *first_problem(error)) from None
    if isinstance(results, BakeResults):
        return _target(results, name, target)
    if target:
        raise MergeError(f"{name}: these are the results of a build, which has no target {target}: leave target empty")
    return _attributed_build(results)


def _model(value: object) -> type[BuildResults | BakeResults]:
    return BakeResults if isinstance(value, dict) and "targets" in value else BuildResults


def _target(results: BakeResults, name: str, target: str) -> AttributedBuild:
    names = ", ".join(results.targets) or "none"
    if target:
        if target not in results.targets:
            raise MergeError(f"{name}: there is no target {target}; it has: {names}")
        return _attributed_build(results.targets[target])
    if len(results.targets) != 1:
        raise MergeError(f"{name}: these are the results of a bake with the targets {names}: set target to one of them")
    return _attributed_build(next(iter(results.targets.values())))


def _attributed_build(results: BuildResults) -> AttributedBuild:
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
