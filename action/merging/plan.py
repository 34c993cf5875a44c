"""Plan which images of several jobs are merged, by exporter key: each image exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from action.dataclass import dataclass
from action.errors import BuildDigestsError, InputError, MergeError
from action.exporters.attributed import AttributedExporter
from action.exporters.output import FILE_TYPES
from action.inputs.merge import MergeRequest, Tag
from action.merging.job_results import JobResults
from action.oci.image import normal_platform
from action.oci.reference import full_name, parse_reference


@dataclass(frozen=True)
class Source:
    """One job's image, which becomes a part of a merged one.

    Attributes:
        file: the results file that names it.
        digest: its digest.
        repositories: the repositories that it was pushed to, with their registry.
        platforms: each platform in normal form to the digest of its manifest; empty if the results do not name them.
    """

    file: str
    digest: str
    repositories: tuple[str, ...]
    platforms: Mapping[str, str]

    def reference(self, repository: str) -> str:
        """Return `repository@digest`, with the first repository it was pushed to if it is not in the given one."""
        return f"{repository if repository in self.repositories else self.repositories[0]}@{self.digest}"


@dataclass(frozen=True)
class PlannedImage:
    """One merged image to make.

    Attributes:
        exporter: the exporter in the first job's results.
        sources: the jobs' images, ordered by digest.
        tags: repository, with its registry, to the names to push there, as the user wrote them.
    """

    exporter: AttributedExporter
    sources: tuple[Source, ...]
    tags: Mapping[str, tuple[str, ...]]

    @property
    def key(self) -> str:
        """The exporter's key."""
        return self.exporter.key

    @property
    def names(self) -> tuple[str, ...]:
        """All names to push."""
        return tuple(name for names in self.tags.values() for name in names)

    def references(self, repository: str) -> tuple[str, ...]:
        """Return each source as `repository@digest`, from the given repository if it is there."""
        return tuple(source.reference(repository) for source in self.sources)


def plan(
    jobs: Sequence[JobResults], request: MergeRequest
) -> tuple[tuple[PlannedImage, ...], tuple[BuildDigestsError, ...]]:
    """Plan the merged images.

    Args:
        jobs: the jobs' results, at least one.
        request: the inputs of the merge.

    Returns:
        An image for each exporter key; and the errors, because of which no image must be made.
    """
    chosen = {job.file: _chosen(job, request.keys) for job in jobs}
    errors: list[BuildDigestsError] = []
    for job in jobs:
        errors += _unusable(job.file, chosen[job.file])
    keys = request.keys or tuple(dict.fromkeys(each.key for exporters in chosen.values() for each in exporters))
    if not keys:
        errors.append(MergeError("the results files hold no exporter that makes an image"))
    errors += _missing_keys(jobs, chosen, keys)
    if errors:
        return (), tuple(errors)
    tags, tag_errors = _assign(request.tags, {key: _of_key(chosen, key) for key in keys})
    errors += tag_errors
    images = []
    for key in keys:
        of_key = _of_key(chosen, key)
        errors += _mixed(key, of_key)
        planned = PlannedImage(next(iter(of_key.values())), _sources(of_key), tags.get(key, {}))
        errors += _conflicts(planned)
        errors += _unexpected(planned, request.expect_platforms)
        images.append(planned)
    return tuple(images), (*errors, *_shared_tags(images))


def platform_digests(exporter: AttributedExporter) -> dict[str, str]:
    """Return each platform of an exporter, in normal form, to the digest of its manifest."""
    return {
        normal_platform(each.platform) or each.platform: each.digest for each in exporter.platforms if each.platform
    }


def in_brackets(exporter: AttributedExporter) -> str:
    """Return an exporter's platforms in brackets for a message; empty if they are not known."""
    found = platform_digests(exporter)
    return f" ({', '.join(found)})" if found else ""


def _chosen(job: JobResults, keys: Sequence[str]) -> tuple[AttributedExporter, ...]:
    exporters = job.results.exporters
    if keys:
        return tuple(each for each in exporters if each.key in keys)
    return tuple(each for each in exporters if each.type not in FILE_TYPES)


def _unusable(file: str, exporters: Sequence[AttributedExporter]) -> Iterator[MergeError]:
    for place, exporter in enumerate(exporters):
        where = f"{file}: exporter {exporter.key}{in_brackets(exporter)}"
        if any(other.key == exporter.key for other in exporters[:place]):
            yield MergeError(
                f"{where} is in the file twice, which no job of this action writes: use the file as its job wrote it"
            )
        elif not exporter.push:
            rule = "push it (push=true), or set keys to the exporters that were pushed"
            yield MergeError(f"{where} ({exporter.type}) was not pushed, so no registry has it: {rule}")
        elif exporter.digest is None:
            rule = "read the warnings of its job for the reason; with require-digests: true that job fails instead"
            yield MergeError(f"{where} has no digest: {rule}")
        elif not exporter.names or not all(map(parse_reference, exporter.names)):
            names = ", ".join(map(repr, exporter.names)) or "no name"
            yield MergeError(f"{where} has {names}, but needs the name of an image, such as ghcr.io/octo/app")


def _missing_keys(
    jobs: Sequence[JobResults], chosen: Mapping[str, Sequence[AttributedExporter]], keys: Sequence[str]
) -> Iterator[MergeError]:
    for key in keys:
        owners = [file for file, exporters in chosen.items() if any(each.key == key for each in exporters)]
        for job in jobs:
            if job.file in owners:
                continue
            platforms = next((text for each in chosen[job.file] if (text := in_brackets(each))), "")
            has = f"{_first_of(owners)} has it" if owners else "no job has it"
            present = ", ".join(each.key for each in job.results.exporters) or "none"
            yield MergeError(
                f"{job.file}{platforms}: there is no exporter {key}, its keys are: {present}; {has}. Give the outputs "
                "of all jobs the same ids, or set keys to the exporters to merge"
            )


def _mixed(key: str, exporters: Mapping[str, AttributedExporter]) -> Iterator[MergeError]:
    """Yield an error for each output without an ID that was pushed to other repositories than the first job's output.

    Outputs without an ID share only their position in the list of outputs, and may be different images.
    """
    if not key.isdecimal():
        return
    (first_file, first), *others = exporters.items()
    for file, exporter in others:
        if not set(_repositories(first)) & set(_repositories(exporter)):
            yield MergeError(
                f"exporter {key} was pushed to {', '.join(_repositories(first))} in {first_file}, but to "
                f"{', '.join(_repositories(exporter))} in {file}{in_brackets(exporter)}: give the outputs to merge the "
                "same id, such as id=release"
            )


def _conflicts(planned: PlannedImage) -> Iterator[MergeError]:
    first: dict[str, tuple[Source, str]] = {}
    for source in sorted(planned.sources, key=lambda source: source.file):
        for platform, digest in source.platforms.items():
            other, other_digest = first.setdefault(platform, (source, digest))
            # A Windows platform may have several images with different os.version, which results do not contain. The
            # merged index does, and is checked for duplicates (action.merging.check).
            if other_digest != digest and not platform.startswith("windows/"):
                yield conflict(planned.key, platform, (other.file, other_digest), (source.file, digest))


def conflict(key: str, platform: str, one: tuple[str, str], other: tuple[str, str]) -> MergeError:
    """Return the error for two images of one platform.

    Args:
        key: the exporter's key.
        platform: the platform.
        one: the results file and the digest of one image.
        other: the same of the other image.
    """
    return MergeError(
        f"exporter {key}: {one[0]} has {one[1]} for {platform}, and {other[0]} has {other[1]}: build each platform in "
        "one job only, and remove results files of earlier runs from the folder"
    )


def _shared_tags(images: Sequence[PlannedImage]) -> Iterator[InputError]:
    """Yield an error for each tag of two different images: the second push would take it from the first."""
    owners: dict[str, PlannedImage] = {}
    for planned in images:
        for name in planned.names:
            # `app` and `docker.io/library/app:latest` are one tag.
            other = owners.setdefault(full_name(name), planned)
            if [each.digest for each in other.sources] != [each.digest for each in planned.sources]:
                problem = f"{name} is for {other.key} and for {planned.key}, which are different images"
                yield InputError("tags", problem, "give each image its own tags")


def _unexpected(planned: PlannedImage, expected: Sequence[str]) -> Iterator[MergeError]:
    """Yield errors about platforms, if the results name the platforms of every source."""
    if expected and all(source.platforms for source in planned.sources):
        owners = {platform: source.file for source in planned.sources for platform in source.platforms}
        yield from unexpected(planned, owners, expected)


def unexpected(planned: PlannedImage, owners: Mapping[str, str], expected: Sequence[str]) -> Iterator[MergeError]:
    """Yield an error for each platform that is missing, and for each that is not expected.

    Args:
        planned: the image.
        owners: each of its platforms, in normal form, to the results file that it comes from.
        expected: the platforms that it must have, in normal form.
    """
    files = ", ".join(source.file for source in planned.sources)
    for platform in expected:
        if platform not in owners:
            yield MergeError(f"exporter {planned.key}: {platform} is expected, but no results file has it ({files})")
    for platform, file in owners.items():
        if platform not in expected:
            yield MergeError(f"exporter {planned.key}: {file} has {platform}, which is not in expect-platforms")


def _sources(exporters: Mapping[str, AttributedExporter]) -> tuple[Source, ...]:
    """Return each of the jobs' images once, ordered by digest.

    File names differ between runs, and buildx keeps the order of sources: with another order the same images would get
    an index with another digest.
    """
    sources: dict[str, Source] = {}
    for file, exporter in exporters.items():
        # `_unusable` has reported an exporter without a digest, so no image is left out silently.
        if exporter.digest is not None:
            source = Source(file, exporter.digest, _repositories(exporter), platform_digests(exporter))
            sources.setdefault(exporter.digest, source)
    return tuple(sorted(sources.values(), key=lambda source: source.digest))


def _assign(
    tags: Sequence[Tag], exporters: Mapping[str, Mapping[str, AttributedExporter]]
) -> tuple[dict[str, dict[str, tuple[str, ...]]], list[BuildDigestsError]]:
    """Assign each tag to a key: the one that it names, the only one, or the one that was pushed to its repository.

    Returns:
        Key to repository to tags, and an error for each tag and key that cannot be assigned.
    """
    assigned: dict[str, dict[str, tuple[str, ...]]] = {key: {} for key in exporters}
    errors: list[BuildDigestsError] = []
    repositories = {
        key: {repository for exporter in of_key.values() for repository in _repositories(exporter)}
        for key, of_key in exporters.items()
    }
    for tag in tags:
        fitting = [
            key for key in exporters if tag.key == key or (tag.key is None and tag.repository in repositories[key])
        ]
        if tag.key is None and len(exporters) == 1:
            fitting = list(exporters)
        if len(fitting) != 1:
            rule = f"the keys are: {', '.join(exporters)}; write KEY={tag.name} to choose the image for this tag"
            what = f"there is no key {tag.key!r}" if tag.key else "no exporter was pushed to its repository"
            if fitting:
                what = f"the exporters {', '.join(fitting)} were all pushed to its repository"
            errors.append(InputError("tags", f"{tag.name}: {what}", rule))
            continue
        names = assigned[fitting[0]].get(tag.repository, ())
        assigned[fitting[0]][tag.repository] = (*names, tag.name)
    for key, names_of in assigned.items():
        if not names_of and not errors:
            where = ", ".join(sorted(repositories[key]))
            rule = f"add a tag such as {min(repositories[key])}:1, or set keys to the exporters to merge"
            errors.append(InputError("tags", f"no tag is for exporter {key}, which was pushed to {where}", rule))
    return assigned, errors


def _of_key(chosen: Mapping[str, Sequence[AttributedExporter]], key: str) -> dict[str, AttributedExporter]:
    return {file: each for file, exporters in chosen.items() for each in exporters if each.key == key}


def _repositories(exporter: AttributedExporter) -> tuple[str, ...]:
    references = [reference for name in exporter.names if (reference := parse_reference(name))]
    return tuple(dict.fromkeys(reference.repository for reference in references))


def _first_of(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{files[0]} (and {len(files) - 1} more)"
