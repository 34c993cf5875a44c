"""The `build-digests` command. Data goes to standard output, everything else to standard error."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

import click

from action import __version__
from action.buildx.command_line import read_bake_command_line, read_bake_options, read_build_command_line
from action.buildx.request import Request
from action.errors import BAD_INPUT, FAILED, BuildDigestsError, InputError
from action.inputs.policy import Policy
from action.packages.preload import Preloader, PreloadItem
from action.pipeline.image_id_file import rewrite_image_id_file
from action.pipeline.run import EVALUATION, run
from action.pipeline.run_result import RunResult
from action.pipeline.workspace import temporary_folder
from action.process.log import Log
from action.process.signals import Interrupted, end_by_signal, interrupt_on_signals
from action.process.streams import discard_output, ignore_write_errors
from action.report.safe_text import log_line
from action.report.terminal import ReportedError, finish, print_message, print_results

_PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}
_FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="How the results are printed."
)
_RESULTS = click.option(
    "--results", "results_file", type=click.Path(dir_okay=False, path_type=Path), help="Write results to FILE."
)
_REQUIRE = click.option(
    "--require-digests", is_flag=True, help="Fail where an exporter that makes an image has no digest."
)
_VERIFY = click.option(
    "--verify", is_flag=True, help="Hold each digest against what the registry serves and the tar holds."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="build-digests")
def main() -> None:
    """One digest per exporter of a docker buildx build: right, or absent."""


@main.command(context_settings=_PASS_ON)
@_RESULTS
@_FORMAT
@_REQUIRE
@_VERIFY
@click.option("--dry-run", is_flag=True, help="Print buildx's arguments as a JSON array and run nothing.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- <docker buildx build arguments>")
def build(  # noqa: PLR0913  # one for each option
    results_file: Path | None,
    form: str,
    arguments: tuple[str, ...],
    *,
    require_digests: bool,
    verify: bool,
    dry_run: bool,
) -> None:
    """Run any docker buildx build, and say what each of its outputs is.

    \b
    build-digests build -- --output type=image,name=localhost:5000/app,push=true,id=release \\
                           --output type=oci,dest=app.tar .
    """  # noqa: D301  # click wants the character
    request = read_build_command_line(arguments)
    if not arguments:
        raise InputError("build", "no build is named", "write: build-digests build -- . (as for docker buildx build)")
    if dry_run:
        click.echo(json.dumps(request.arguments))
        return
    _run_buildx(request, Policy(require_digests, verify), results_file, form)


@main.command(context_settings=_PASS_ON)
@_RESULTS
@_FORMAT
@_REQUIRE
@_VERIFY
@click.option("--dry-run", is_flag=True, help="Print buildx's arguments as a JSON array and build nothing.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- <docker buildx bake arguments>")
def bake(  # noqa: PLR0913  # the same
    results_file: Path | None,
    form: str,
    arguments: tuple[str, ...],
    *,
    require_digests: bool,
    verify: bool,
    dry_run: bool,
) -> None:
    """Run any docker buildx bake, and say what each output of each target is."""
    if dry_run:
        read_bake_options(arguments)
        click.echo(json.dumps(["bake", *arguments]))
        return
    _run_buildx(read_bake_command_line(arguments), Policy(require_digests, verify), results_file, form)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--tag", "-t", "tags", multiple=True, required=True, help="A name to push the joined image by.")
@click.option(
    "--annotation", "annotations", multiple=True, help="An annotation of the joined image's index, KEY=VALUE."
)
@click.option(
    "--expect-platforms", multiple=True, metavar="PLATFORMS", help="The platforms that it must have: no more, no less."
)
@click.option("--key", "keys", multiple=True, help="Join this exporter; all that make an image if not given.")
@click.option("--target", default="", help="The bake target to join.")
@click.option("--builder", default="", help="The builder whose settings of registries hold.")
@click.option("--retries", default="", metavar="COUNT", help="How often a registry that fails is asked again (4).")
@click.option("--retry-delay", default="", metavar="SECONDS", help="How long to wait before that at first (2).")
@_RESULTS
@_FORMAT
@click.option("--dry-run", is_flag=True, help="Print buildx's arguments, a JSON array a line, and run nothing.")
def merge(  # noqa: PLR0913
    *,
    folder: Path,
    tags: tuple[str, ...],
    annotations: tuple[str, ...],
    expect_platforms: tuple[str, ...],
    keys: tuple[str, ...],
    target: str,
    builder: str,
    retries: str,
    retry_delay: str,
    results_file: Path | None,
    form: str,
    dry_run: bool,
) -> None:
    """Join images that several jobs built and pushed, one or more platforms each, to one image for each exporter.

    FOLDER has the jobs' results files. Whose platforms are in conflict, missing or unexpected is refused.

    \b
    build-digests merge results -t ghcr.io/octo/app:1 --expect-platforms linux/amd64,linux/arm64
    """  # noqa: D301  # the same
    from action.inputs.merge import merge_request  # noqa: PLC0415  # draws in what other commands do not need
    from action.merging.run import commands_of, run_merge  # noqa: PLC0415  # the same

    request = merge_request(
        results=str(folder),
        tags=tags,
        annotations=annotations,
        expect_platforms=[platform for each in expect_platforms for platform in each.split(",")],
        keys=keys,
        target=target,
        builder=builder,
        retries=retries,
        retry_delay=retry_delay,
    )
    if dry_run:
        for arguments in commands_of(request):
            click.echo(json.dumps(arguments))
        return
    result = run_merge(request, _log())
    finish(result, results_file, form, sys.stdout)


@main.command()
@click.argument("metadata", type=click.Path(path_type=Path))
@click.option("--record", "record_file", type=click.Path(path_type=Path), help="The build's record (.dockerbuild).")
@click.option(
    "--output", "-o", "outputs", multiple=True, metavar="SPEC", help="An output of the build, as given to it."
)
@click.option("--tag", "-t", "tags", multiple=True, help="A tag of the build.")
@click.option("--push", is_flag=True, help="The build had --push.")
@click.option("--load", is_flag=True, help="The build had --load.")
@_FORMAT
def inspect(  # noqa: PLR0913
    metadata: Path,
    record_file: Path | None,
    outputs: tuple[str, ...],
    tags: tuple[str, ...],
    form: str,
    *,
    push: bool,
    load: bool,
) -> None:
    """Say what each output of a build is, from files that already exist.

    METADATA is the file that --metadata-file wrote. Name the build's outputs in their order; the tars they wrote are
    read where they still lie.
    """
    from action.pipeline.inspect import inspect_files  # noqa: PLC0415  # draws in what other commands do not need

    found, warnings = inspect_files(metadata, record_file, outputs, tags, push=push, load=load)
    for warning in warnings:
        print_message("warning", warning)
    print_results({"": found}, form, sys.stdout)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--schema", type=click.Choice(["metadata", "bake", "results", "digests"]), help="Found out if not given.")
def validate(files: tuple[Path, ...], schema: str | None) -> None:
    """Hold files against the JSON Schemas: a line per fault with file, JSON pointer and expectation."""
    from action.evidence.validation import validate_file  # noqa: PLC0415  # draws in what other commands do not need

    found = 0
    for file in files:
        for fault in validate_file(file, schema):
            found += 1
            click.echo(log_line(str(fault)))
    if found:
        raise ReportedError


@main.command()
@click.argument("name", type=click.Choice(["metadata", "bake", "results", "digests"]))
def schema(name: str) -> None:
    """Print a JSON Schema."""
    from action.documents.schema import schema_text  # noqa: PLC0415  # draws in what other commands do not need

    click.echo(schema_text(name), nl=False)


@main.group()
def action() -> None:
    """What the action.yml files call; inputs come from the environment variable INPUTS, a JSON object."""
    ignore_write_errors()


@action.command("build")
@click.option("--dry-run", is_flag=True, help="Print buildx's arguments as a JSON array and run nothing.")
def action_build(*, dry_run: bool) -> None:
    """The build action."""
    from action.steps.build import run_build_step  # noqa: PLC0415  # the terminal needs nothing of it

    sys.exit(run_build_step(dry_run=dry_run))


@action.command("bake")
@click.option("--dry-run", is_flag=True, help="Print buildx's arguments as a JSON array and build nothing.")
def action_bake(*, dry_run: bool) -> None:
    """The bake action."""
    from action.steps.bake import run_bake_step  # noqa: PLC0415  # the terminal needs nothing of it

    sys.exit(run_bake_step(dry_run=dry_run))


@action.command("merge")
@click.option("--dry-run", is_flag=True, help="Print buildx's arguments, a JSON array a line, and run nothing.")
def action_merge(*, dry_run: bool) -> None:
    """The merge action."""
    from action.steps.merge import run_merge_step  # noqa: PLC0415  # the terminal needs nothing of it

    sys.exit(run_merge_step(dry_run=dry_run))


def main_program(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with its code: 0 fine, 1 failed or faulty, 2 bad usage or bad input."""
    try:
        _run(arguments)
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        with contextlib.suppress(OSError):
            name = error.filename or "standard output"
            print_message("error", f"{name} cannot be written: {error.strerror or error}")
        discard_output()
    sys.exit(FAILED)


def _run(arguments: Sequence[str] | None) -> NoReturn:
    command: Callable[..., object] = main.main
    try:
        with interrupt_on_signals():
            command(args=arguments, prog_name="build-digests", standalone_mode=False)
        sys.stdout.flush()
    except BuildDigestsError as error:
        print_message("error", str(error))
        sys.exit(error.exit_code)
    except ReportedError as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show(sys.stderr)
        sys.exit(BAD_INPUT)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except Interrupted as interrupted:
        end_by_signal(interrupted.number)
        sys.exit(FAILED)
    sys.exit(0)


def _run_buildx(request: Request, policy: Policy, results_file: Path | None, form: str) -> None:
    with (
        temporary_folder() as workspace,
        Preloader(
            PreloadItem(EVALUATION.packages, (*EVALUATION.modules, "action.pipeline.results_document"))
        ) as preloader,
    ):
        result = run(request, workspace, policy, _log(), preloader)
    if not request.bake and (warning := rewrite_image_id_file(request, result)):
        print_message("warning", warning)
    finish(result, results_file, form, _results_stream(result, request))


def _results_stream(result: RunResult, request: Request) -> TextIO | None:
    """Return the stream to print a run's results to, or None if it failed and has none.

    Data that buildx itself writes to standard output, such as a tar or an image ID, must not be mixed with ours.
    """
    if result.builds is None:
        return None
    if result.errors and not any(build.exporters for build in result.builds.values()):
        return None
    # A frontend may have buildx print a message; that is known only afterwards (docker/buildx, commands/build.go).
    has_message = '"frontend.result.inlinemessage"' in (result.metadata or "")
    if request.writes_stdout or has_message or any(each.writes_stdout for each in request.targets.values()):
        return sys.stderr
    return sys.stdout


def _log() -> Log:
    """On a terminal buildx draws its own progress; nothing is between."""
    return Log(not sys.stderr.isatty(), sys.stderr.buffer, lambda message: click.echo(message, err=True))
