"""The functions of the Python API that work on the files of builds: merge, inspect and validate."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from action.api.run import LogStream, OnMessage, build_results, builds_of, callers_log, tell
from action.buildx import keyword_arguments as keyword
from action.buildx.keyword_arguments import Entries, StrPath, Texts
from action.errors import DocumentError, InputError
from action.evidence.validation import validate_file
from action.inputs.merge import merge_request
from action.merging.run import run_merge
from action.pipeline.inspect import inspect_files
from action.pipeline.inspect_records import inspect_records, is_record
from action.pipeline.workspace import temporary_folder
from action.results import BakeResults, BuildResults


def merge(
    results: StrPath | Iterable[BuildResults | BakeResults],
    *,
    tags: Texts,
    annotations: Mapping[str, str] | None = None,
    expect_platforms: Texts = (),
    keys: Texts = (),
    target: str | None = None,
    builder: str | None = None,
    log: LogStream = None,
    on_message: OnMessage = None,
    retries: int | None = None,
) -> BuildResults:
    """Merge the images that several jobs pushed into one image for each key, and push it.

    Example:
        merged = merge("results", tags="ghcr.io/octo/app:1", expect_platforms=["linux/amd64", "linux/arm64"])

    Args:
        results: the folder with the jobs' results files, or the results themselves.
        tags: the names under which the merged images are pushed; `KEY=NAME` for the image of one key.
        annotations: annotation of the index to its value.
        expect_platforms: the platforms that each merged image must have; none to accept any.
        keys: the keys of the exporters to merge; if empty, all that make an image.
        target: the bake target to merge; None if the results are those of builds.
        builder: the builder whose registry settings are used; None for the current one.
        log: a binary or text stream for buildx's log, as for `build`.
        on_message: is called with each warning and each notice.
        retries: the maximum number of retries after a transient failure of a registry; None for the default, 4.

    Returns:
        The results of the merged images.

    Raises:
        InputError: there are no results, or an argument is invalid.
        MergeError: the results do not form one image.
        RegistryError: a registry refuses a request, or fails in every attempt.
        ProgramError: there is no buildx.
    """
    with temporary_folder() as own:
        if isinstance(results, (str, os.PathLike)):
            jobs = os.fspath(results)
        else:
            jobs = str(own)
            for number, each in enumerate(results):
                (own / f"results-{number}.json").write_text(each.model_dump_json(), encoding="utf-8")
            if not any(own.iterdir()):
                raise InputError("results", "the list is empty", "give the results of at least one build")
        request = merge_request(
            results=jobs,
            tags=keyword.texts("tags", tags),
            annotations=keyword.assignments("annotations", annotations or {}),
            expect_platforms=keyword.texts("expect_platforms", expect_platforms),
            keys=keyword.texts("keys", keys),
            target=target or "",
            builder=builder or "",
            retries="" if retries is None else str(retries),
        )
        return build_results(builds_of(run_merge(request, callers_log(log, on_message)), on_message)[""])


def inspect(
    metadata: StrPath,
    *,
    record: StrPath | None = None,
    outputs: Entries = (),
    tags: Texts = (),
    push: bool = False,
    load: bool = False,
    cache_to: Entries = (),
    on_message: OnMessage = None,
) -> BuildResults:
    """Return the digests of an earlier build, from its files.

    Example:
        results = inspect("metadata.json", record="build.dockerbuild", outputs=["type=image,push=true", "type=local"])

    Args:
        metadata: the file that `--metadata-file` wrote, or the build's record if there is no such file.
        record: the build's record (`docker buildx history export`) in addition to its metadata file, or None.
        outputs: the outputs of the build, in their order.
        tags: the tags of the build.
        push: whether the build had `--push`.
        load: whether the build had `--load`.
        cache_to: the caches that the build wrote, in their order. Their digests need the metadata file.
        on_message: is called with each warning, for example with the reason for a missing digest.

    Raises:
        DocumentError: the metadata file is invalid.
        InputError: a file is missing or of another kind, or the outputs of the build are not known.
        DisagreementError: two sources contradict each other about a digest.
    """
    given = {"outputs": keyword.records("outputs", outputs), "tags": keyword.texts("tags", tags)}
    caches = keyword.records("cache_to", cache_to)
    if is_record(Path(metadata)) and record is None:
        if caches:
            rule = "give the build's metadata file, and the record as `record`"
            raise InputError("cache_to", "a record alone does not say what a cache wrote", rule)
        records, warnings = inspect_records(Path(metadata), **given, push=push, load=load)
        if len(records) > 1:
            rule = "give a file with one, or call `build-digests inspect`"
            raise InputError("metadata", f"{os.fspath(metadata)} has {len(records)} records", rule)
        found = records[0].build
    else:
        record_file = Path(record) if record is not None else None
        found, warnings = inspect_files(Path(metadata), record_file, **given, push=push, load=load, cache_to=caches)
    tell(on_message, warnings)
    return build_results(found)


def validate(
    file: StrPath, *, schema: Literal["metadata", "bake", "results", "digests"] | None = None
) -> list[DocumentError]:
    """Return the faults of a JSON file, each with its JSON pointer; empty if the file is valid.

    Example:
        for fault in validate("metadata.json"):
            print(fault.pointer, fault.problem)

    Args:
        file: a metadata, bake, results or digests file.
        schema: the schema; None detects it.
    """
    if schema not in {None, "metadata", "bake", "results", "digests"}:
        raise InputError("schema", f"{schema!r} is not valid", "name metadata, bake, results or digests")
    return list(validate_file(Path(file), schema))
