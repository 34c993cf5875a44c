"""The commands that start no build: `merge`, `promote`, `inspect`, `validate` and `schema`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from action.errors import BAD_INPUT
from action.inputs.merge import merge_request
from action.inputs.promote import promote_request
from action.process.log import Log
from action.report.outputs import check_variable_names
from action.report.terminal import ReportedError, finish, print_message
from action.usage import Choice, Command, NewFile, as_options

_Command = TypeVar("_Command", bound=Callable[..., object])

_MERGE_NAMES = {"results": "FOLDER", "tags": "--tag", "annotations": "--annotation", "keys": "--key"} | {
    name: f"--{name}" for name in ("target", "builder", "expect-platforms", "retries", "retry-delay")
}
"""The inputs of the merge action, and the options that stand for them."""

_SCHEMAS = Choice(["metadata", "bake", "results", "digests"])

FORMAT = click.option(
    "--format",
    "form",
    type=Choice(["table", "json", "dotenv", "github"]),
    default="table",
    metavar="FORM",
    help="Print results as table, json, dotenv or github (default: table).",
)
"""The option for the format of results."""

RESULTS = click.option(
    "--results",
    "results_file",
    type=NewFile(),
    metavar="FILE",
    help="Write the results document to FILE, as JSON.",
)
"""The option for the file of the results document."""

DRY_RUN = click.option("--dry-run", is_flag=True, help="Print buildx's arguments as JSON, and build nothing.")
"""The option to print what would run."""


def terminal_log() -> Log:
    """Return the log of a run. On a terminal buildx draws its own progress, and its output is not captured."""
    return Log(not sys.stderr.isatty(), sys.stderr.buffer, lambda message: click.echo(message, err=True))


def _check_keys(form: str, keys: Sequence[str]) -> None:
    """Check that the keys have different names in a dotenv file, if that is the format, before anything is pushed."""
    if form == "dotenv":
        check_variable_names({"": keys}, bake=False)


def _registry_options(command: _Command) -> _Command:
    """Add the options that merge and promote share."""
    options = (
        click.option("--builder", default="", metavar="NAME", help="The builder whose registry settings are used."),
        click.option(
            "--retries", default="", metavar="COUNT", help="Retry a registry at most COUNT times (default: 4)."
        ),
        click.option(
            "--retry-delay", default="", metavar="SECONDS", help="Wait SECONDS before the first retry (default: 2)."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(cls=Command, short_help="Merge images of several jobs into one image per exporter.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--tag",
    "-t",
    "tags",
    multiple=True,
    required=True,
    metavar="NAME",
    help="A name under which to push the merged image.",
)
@click.option(
    "--annotation", "annotations", multiple=True, metavar="KEY=VALUE", help="An annotation of the merged index."
)
@click.option(
    "--expect-platforms",
    multiple=True,
    metavar="PLATFORMS",
    help="The exact platforms that the image must have.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="The key of an output to merge (default: all that make an image).",
)
@click.option("--target", default="", metavar="NAME", help="The bake target to merge.")
@_registry_options
@RESULTS
@FORMAT
@click.option("--dry-run", is_flag=True, help="Print buildx's arguments as JSON, and push nothing.")
def merge(
    *,
    folder: Path,
    expect_platforms: tuple[str, ...],
    results_file: Path | None,
    form: str,
    dry_run: bool,
    **options: Any,  # noqa: ANN401  # click passes texts and tuples of texts by name
) -> None:
    """Merge images that several jobs built and pushed into one image for each exporter.

    FOLDER contains the jobs' results files. Results with conflicting, missing or unexpected platforms are refused.
    """
    from action.merging.run import commands_of, run_merge

    platforms = [platform for each in expect_platforms for platform in each.split(",")]
    with as_options(_MERGE_NAMES):
        request = merge_request(results=str(folder), expect_platforms=platforms, **options)
        if dry_run:
            for arguments in commands_of(request):
                click.echo(json.dumps(arguments))
            return
        result = run_merge(request, terminal_log(), partial(_check_keys, form))
    finish(result, results_file, form, sys.stdout)


@click.command(cls=Command, short_help="Give an image another tag, or copy it to another registry.")
@click.argument("source", metavar="SOURCE")
@click.option(
    "--tag",
    "-t",
    "tags",
    multiple=True,
    required=True,
    metavar="NAME",
    help="A name that the image gets; KEY=NAME for a key.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="The key of an output to promote (default: all that were pushed).",
)
@click.option("--target", default="", metavar="NAME", help="The bake target to promote.")
@click.option("--referrers", is_flag=True, help="Also copy signatures and artifacts that refer to the image by a tag.")
@_registry_options
@RESULTS
@FORMAT
@click.option("--dry-run", is_flag=True, help="Check everything, print buildx's arguments as JSON, and push nothing.")
def promote(*, results_file: Path | None, form: str, **options: Any) -> None:  # noqa: ANN401  # the same
    """Give an image another tag, or copy it to another registry. The digest stays the same.

    SOURCE is NAME@DIGEST, or the path of a results file.
    """
    from action.merging.promote import run_promote

    with as_options(_MERGE_NAMES | {"source": "SOURCE"}):
        request = promote_request(**options)
        result = run_promote(
            request, terminal_log(), lambda arguments: click.echo(json.dumps(arguments)), partial(_check_keys, form)
        )
    finish(result, results_file, form, None if request.dry_run else sys.stdout)


@click.command(
    cls=Command,
    short_help="Print the digests of an earlier build, from its files.",
)
@click.argument("metadata", type=click.Path(path_type=Path), metavar="METADATA|RECORD")
@click.option(
    "--record",
    "record_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The build's record (.dockerbuild).",
)
@click.option("--output", "-o", "outputs", multiple=True, metavar="SPEC", help="An output, as given to the build.")
@click.option("--tag", "-t", "tags", multiple=True, help="A tag of the build.")
@click.option("--cache-to", "cache_to", multiple=True, metavar="SPEC", help="A cache that the build wrote.")
@click.option("--push", is_flag=True, help="The build had --push.")
@click.option("--load", is_flag=True, help="The build had --load.")
@FORMAT
def inspect(metadata: Path, record_file: Path | None, form: str, **options: Any) -> None:  # noqa: ANN401  # texts, lists and booleans, as click passes options
    """Print the digest of each output of an earlier build, from its files.

    METADATA is the file that --metadata-file wrote. Give the outputs of the build in their order. Their tars
    are read if they still exist.

    RECORD is a file of build records (.dockerbuild). Each build in it is shown.
    """
    from action.report.records import print_inspected

    print_inspected(metadata, record_file, form, sys.stdout, **options)


@click.command(
    cls=Command,
    short_help="Check files against the JSON Schemas.",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE...|-")
@click.option(
    "--schema",
    type=_SCHEMAS,
    metavar="NAME",
    help="The schema: metadata, bake, results or digests; detected automatically if not given.",
)
@click.option(
    "--format",
    "form",
    type=Choice(["text", "json"]),
    default="text",
    metavar="FORM",
    help="Report faults as text or json (default: text).",
)
def validate(files: tuple[Path, ...], schema: str | None, form: str) -> None:
    """Check files against the JSON Schemas. Print file, JSON pointer and expected value of each fault.

    FILE can be - for standard input. The exit code is 1 if a file is invalid, and 2 if one cannot be read. On a runner
    of GitHub Actions each fault is also annotated at its file and line.
    """
    from action.report import validation as report

    checked = report.check(files, schema)
    if form == "json":
        click.echo(report.report_text(checked), nl=False)
    else:
        for line in report.fault_lines(checked):
            click.echo(line)
    for line in report.unreadable_lines(checked):
        print_message("error", line)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        report.annotate_on_standard_error(checked)
    if not all(each.is_readable for each in checked):
        raise ReportedError(BAD_INPUT)
    if report.error_count(checked):
        raise ReportedError


@click.command(cls=Command)
@click.argument("name", type=_SCHEMAS, metavar="NAME")
def schema(name: str) -> None:
    """Print a JSON Schema: metadata, bake, results or digests."""
    from action.documents.schema import schema_text

    click.echo(schema_text(name), nl=False)
