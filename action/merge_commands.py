"""The commands that push images that exist already: `merge` and `promote`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from action.file_commands import FORMAT
from action.inputs.merge import merge_request
from action.inputs.promote import promote_request
from action.process.log import Log
from action.report.terminal import finish
from action.usage import Command, NewFile, as_options

_Command = TypeVar("_Command", bound=Callable[..., object])

_MERGE_NAMES = {"results": "FOLDER", "tags": "--tag", "annotations": "--annotation", "keys": "--key"} | {
    name: f"--{name}" for name in ("target", "builder", "expect-platforms", "retries", "retry-delay")
}
"""The inputs of the merge action, and the options that stand for them."""

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
    """Return the log of a run; on a terminal buildx draws its own progress, and nothing is between."""
    return Log(not sys.stderr.isatty(), sys.stderr.buffer, lambda message: click.echo(message, err=True))


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
    "--key", "keys", multiple=True, metavar="KEY", help="An exporter to merge; without it, each that makes an image."
)
@click.option("--target", default="", metavar="NAME", help="The bake target to merge.")
@_registry_options
@RESULTS
@FORMAT
@DRY_RUN
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
        result = run_merge(request, terminal_log())
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
    "--key", "keys", multiple=True, metavar="KEY", help="An exporter to promote; without it, each that was pushed."
)
@click.option("--target", default="", metavar="NAME", help="The bake target to promote.")
@click.option("--referrers", is_flag=True, help="Copy signatures and artifacts that refer to the image by a tag, too.")
@_registry_options
@RESULTS
@FORMAT
@click.option("--dry-run", is_flag=True, help="Check everything, print buildx's arguments as JSON, and push nothing.")
def promote(*, results_file: Path | None, form: str, **options: Any) -> None:  # noqa: ANN401  # the same
    """Give an image another tag, or copy it to another registry, with a digest that does not change.

    SOURCE is NAME@DIGEST, or the path of a results file.
    """
    from action.merging.promote import run_promote

    with as_options(_MERGE_NAMES | {"source": "SOURCE"}):
        request = promote_request(**options)
        result = run_promote(request, terminal_log(), lambda arguments: click.echo(json.dumps(arguments)))
    finish(result, results_file, form, None if request.dry_run else sys.stdout)
