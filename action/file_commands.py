"""The commands that work on files: `inspect`, `validate` and `schema`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from action.errors import BAD_INPUT
from action.report.terminal import ReportedError, print_message
from action.usage import Choice, Command

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


@click.command(
    cls=Command,
    short_help="Print the digests of a build that has ended, from its files.",
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
def inspect(metadata: Path, record_file: Path | None, form: str, **options: Any) -> None:  # noqa: ANN401  # the same, and booleans
    """Print the digest of each output of a build, from files that exist already.

    METADATA is the file that --metadata-file wrote. Give the outputs of the build in their order; the tars that they
    wrote are read if they are still there.

    RECORD is a build's record alone (.dockerbuild), or a file with several: each build is shown.
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
    """Validate files against the JSON Schemas; print file, JSON pointer and expectation of each fault.

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
