"""From the results of many jobs to what has to be joined: by exporter key, nothing left out, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from action.errors import BuildDigestsError, InputError, MergeError
from action.exporters.attributed import FILE_TYPES, AttributedExporter
from action.inputs.merge import MergeRequest, Tag
from action.merging.job_results import JobResults
from action.oci.platforms import normal_platform
from action.oci.reference import parse_reference


@dataclass(frozen=True)
class Source:
    """One job's image, that goes into a joined one.

    Attributes:
        file: the results file that it comes from.
        digest: its digest.
        repositories: where it was pushed, in full.
        platforms: normal form of each platform to the digest of its manifest, as far as the results say them.
    """

    file: str
    digest: str
    repositories: tuple[str, ...]
    platforms: Mapping[str, str]

    def reference(self, repository: str) -> str:
        """The image by digest, in a repository where it is there, else in the first that it was pushed to."""
        return f"{repository if repository in self.repositories else self.repositories[0]}@{self.digest}"


@dataclass(frozen=True)
class Join:
    """One image that is to be made.

    Attributes:
        exporter: the exporter as the first job has it.
        sources: the jobs' images, in the order of their digests.
        tags: repository in full to the names there that the image is pushed by, as the user wrote them.
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
        """All names that the image is pushed by."""
        return tuple(name for names in self.tags.values() for name in names)

    def references(self, repository: str) -> tuple[str, ...]:
        """The sources by digest, from a repository where they are there."""
        return tuple(source.reference(repository) for source in self.sources)


def plan(jobs: Sequence[JobResults], request: MergeRequest) -> tuple[tuple[Join, ...], tuple[BuildDigestsError, ...]]:
    """Say what has to be joined.

    Args:
        jobs: the jobs' results, at least one.
        request: the merge.

    Returns:
        An image for each key, and everything that speaks against making them.
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
    joins = []
    for key in keys:
        of_key = _of_key(chosen, key)
        errors += _mixed(key, of_key)
        join = Join(next(iter(of_key.values())), _sources(of_key), tags.get(key, {}))
        errors += _conflicts(join)
        errors += _unexpected(join, request.expect_platforms)
        joins.append(join)
    return tuple(joins), tuple(errors)


def platform_digests(exporter: AttributedExporter) -> dict[str, str]:
    """The normal form of each platform of an exporter to the digest of its manifest, as far as its result says them."""
    return {
        normal_platform(each.platform) or each.platform: each.digest for each in exporter.platforms if each.platform
    }


def in_brackets(exporter: AttributedExporter) -> str:
    """An exporter's platforms for messages; empty where its result does not say them."""
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
            yield MergeError(f"{where} is there twice: no job of this project writes that")
        elif not exporter.push:
            rule = "push it (push=true), or set keys to those that are to be joined"
            yield MergeError(f"{where} ({exporter.type}) was not pushed, so that no registry has it: {rule}")
        elif exporter.digest is None:
            rule = "its job's warnings say why; require-digests: true makes that job fail instead"
            yield MergeError(f"{where} has no digest: {rule}")
        elif not exporter.names or not all(map(parse_reference, exporter.names)):
            names = ", ".join(map(repr, exporter.names)) or "no name"
            yield MergeError(f"{where} has {names}, where the name of an image was expected")


def _missing_keys(
    jobs: Sequence[JobResults], chosen: Mapping[str, Sequence[AttributedExporter]], keys: Sequence[str]
) -> Iterator[MergeError]:
    for key in keys:
        owners = [file for file, exporters in chosen.items() if any(each.key == key for each in exporters)]
        for job in jobs:
            if job.file in owners:
                continue
            platforms = next((text for each in chosen[job.file] if (text := in_brackets(each))), "")
            has = f"{_some(owners)} has it" if owners else "no job has it"
            there = ", ".join(each.key for each in job.results.exporters) or "none"
            yield MergeError(
                f"{job.file}{platforms}: there is no exporter {key}, its keys are: {there}; {has}. Give the outputs "
                "of all jobs the same ids, or set keys to those that are to be joined"
            )


def _mixed(key: str, exporters: Mapping[str, AttributedExporter]) -> Iterator[MergeError]:
    """Outputs without an ID that only share their place in the list, and not where they went."""
    if not key.isdecimal():
        return
    (first_file, first), *others = exporters.items()
    for file, exporter in others:
        if not set(_repositories(first)) & set(_repositories(exporter)):
            yield MergeError(
                f"exporter {key} went to {', '.join(_repositories(first))} in {first_file}, and to "
                f"{', '.join(_repositories(exporter))} in {file}{in_brackets(exporter)}: give the outputs an id "
                "(id=release), by which they are joined"
            )


def _conflicts(join: Join) -> Iterator[MergeError]:
    first: dict[str, tuple[Source, str]] = {}
    for source in sorted(join.sources, key=lambda source: source.file):
        for platform, digest in source.platforms.items():
            other, other_digest = first.setdefault(platform, (source, digest))
            # Windows has several images for one platform, told apart by a version that results do not hold.
            if other_digest != digest and not platform.startswith("windows/"):
                yield conflict(join.key, platform, (other.file, other_digest), (source.file, digest))


def conflict(key: str, platform: str, one: tuple[str, str], other: tuple[str, str]) -> MergeError:
    """The error of two images of one platform, each given by its file and digest."""
    return MergeError(
        f"exporter {key}: {one[0]} has {one[1]} for {platform}, and {other[0]} has {other[1]}: a platform must be "
        "built by one job, and no results file of an earlier run may be left in the folder"
    )


def _unexpected(join: Join, expected: Sequence[str]) -> Iterator[MergeError]:
    """What is known without asking a registry; only where it is known of every source."""
    if expected and all(source.platforms for source in join.sources):
        owners = {platform: source.file for source in join.sources for platform in source.platforms}
        yield from unexpected(join, owners, expected)


def unexpected(join: Join, owners: Mapping[str, str], expected: Sequence[str]) -> Iterator[MergeError]:
    """The errors of platforms that are missing, and of those that nobody expects.

    Args:
        join: the image.
        owners: each of its platforms to the file that it comes from.
        expected: the platforms that it must have.
    """
    files = ", ".join(source.file for source in join.sources)
    for platform in expected:
        if platform not in owners:
            yield MergeError(f"exporter {join.key}: {platform} is expected, and no results file has it ({files})")
    for platform, file in owners.items():
        if platform not in expected:
            yield MergeError(f"exporter {join.key}: {file} has {platform}, which is not in expect-platforms")


def _sources(exporters: Mapping[str, AttributedExporter]) -> tuple[Source, ...]:
    """The jobs' images, each once. Their order is that of their digests: the names of files may be chance."""
    sources: dict[str, Source] = {}
    for file, exporter in exporters.items():
        assert exporter.digest is not None  # noqa: S101  # checked before
        source = Source(file, exporter.digest, _repositories(exporter), platform_digests(exporter))
        sources.setdefault(exporter.digest, source)
    return tuple(sorted(sources.values(), key=lambda source: source.digest))


def _assign(
    tags: Sequence[Tag], exporters: Mapping[str, Mapping[str, AttributedExporter]]
) -> tuple[dict[str, dict[str, tuple[str, ...]]], list[BuildDigestsError]]:
    """Which key each tag belongs to: the one it names, the only one, or the one that went to its repository."""
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
            rule = f"the keys are: {', '.join(exporters)}; write KEY={tag.name} with the key whose image it shall name"
            what = f"there is no key {tag.key!r}" if tag.key else "no exporter went to its repository"
            if fitting:
                what = f"the exporters {', '.join(fitting)} all went to its repository"
            errors.append(InputError("tags", f"{tag.name}: {what}", rule))
            continue
        names = assigned[fitting[0]].get(tag.repository, ())
        assigned[fitting[0]][tag.repository] = (*names, tag.name)
    for key, names_of in assigned.items():
        if not names_of and not errors:
            where = ", ".join(sorted(repositories[key]))
            rule = f"add a tag such as {min(repositories[key])}:1, or set keys to those that are to be joined"
            errors.append(InputError("tags", f"none is for exporter {key}, which went to {where}", rule))
    return assigned, errors


def _of_key(chosen: Mapping[str, Sequence[AttributedExporter]], key: str) -> dict[str, AttributedExporter]:
    return {file: each for file, exporters in chosen.items() for each in exporters if each.key == key}


def _repositories(exporter: AttributedExporter) -> tuple[str, ...]:
    references = [reference for name in exporter.names if (reference := parse_reference(name))]
    return tuple(dict.fromkeys(reference.repository for reference in references))


def _some(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{files[0]} (and {len(files) - 1} more)"
