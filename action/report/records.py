"""The digests of a build that has ended, from its files: metadata file and record, or records alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from action.documents.strict_json import read_document
from action.errors import DocumentError, InputError
from action.evidence.validation import check_file
from action.pipeline.inspect import inspect_files
from action.pipeline.inspect_records import InspectedRecord, inspect_records, is_record
from action.report.safe_text import log_line
from action.report.terminal import print_message, print_results


def print_inspected(
    file: Path,
    record_file: Path | None,
    form: str,
    target: TextIO,
    *,
    outputs: Sequence[str],
    tags: Sequence[str],
    push: bool,
    load: bool,
    cache_to: Sequence[str] = (),
) -> None:
    """Print the digest of each exporter of a build, or of each build of a file with records; and warnings.

    Args:
        file: a metadata file, or a file with build records.
        record_file: the build's record beside its metadata file, or None.
        form: `table`, `json`, `dotenv` or `github`.
        target: the stream to print to.
        outputs: the build's outputs, in their order.
        tags: the build's tags.
        push: whether the build had `--push`.
        load: whether the build had `--load`.
        cache_to: the build's entries of `--cache-to`, in their order.

    Raises:
        InputError: the files or the outputs cannot be used.
        DocumentError: the metadata file is invalid.
        DisagreementError: two sources claim different images for one exporter.
    """
    _check_presence(file)
    if not is_record(file):
        try:
            build, warnings = inspect_files(file, record_file, outputs, tags, push=push, load=load, cache_to=cache_to)
        except DocumentError:
            # A file that is not JSON may be something that `validate` recognizes, such as a gzip file.
            for fault in check_file(file, "metadata").faults if read_document(file).fault else ():
                raise fault from None
            raise
        if not build.exporters and build.ref is None:
            rule = "name its outputs with --output, --push or --load, as in the build"
            warnings.append(f"{file} names no output of the build: {rule}")
        _print_warnings(warnings)
        print_results({"": build}, form, target)
        return
    if record_file is not None:
        rule = "name the metadata file there, or leave out --record"
        raise InputError("inspect", f"{file} is a record itself", rule)
    if cache_to:
        rule = "name the build's metadata file, with the record as --record FILE"
        raise InputError("--cache-to", "a record alone does not say what a cache wrote", rule)
    records, warnings = inspect_records(file, outputs, tags, push=push, load=load)
    _print_warnings(warnings)
    _print_records(records, form, target)


def _check_presence(file: Path) -> None:
    """Check that there is a file, before a reader finds it no valid document."""
    kind = "expected a metadata file or a build record"
    if file.is_dir():
        raise InputError(str(file), f"{kind}, but this is a folder", "name a file in it")
    if not file.exists():
        rule = "check the path, and whether the program that writes the file has succeeded"
        raise InputError(str(file), f"{kind}, but there is no such file", rule)


def _print_warnings(warnings: Iterable[str]) -> None:
    for warning in warnings:
        print_message("warning", warning)


def _print_records(records: Sequence[InspectedRecord], form: str, target: TextIO) -> None:
    several = len(records) > 1
    if form in {"dotenv", "github"}:
        named = {each.name if several else "": each.build for each in records}
        print_results(named, form, target, bake=several)
        return
    if form == "json":
        builds = {each.name: {**each.build.document(), "record": _about(each)} for each in records}
        # As in the results of a bake, with the record's name in place of the target's, which records do not contain.
        document = {"version": 1, "targets": builds} if several else builds[records[0].name]
        target.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return
    for each in records:
        about = (each.state, each.created, each.run.target and f"target {each.run.target}")
        target.write(log_line(f"{each.name}: {', '.join(part for part in about if part)}") + "\n")
        if each.build.exporters:
            print_results({"": each.build}, form, target)
        else:
            target.write("no exporters\n")


def _about(record: InspectedRecord) -> dict[str, str | None]:
    run = record.run
    return {
        "name": record.name,
        "state": record.state,
        "created": record.created,
        "target": run.target or None,
        "error": run.error or None,
    }
