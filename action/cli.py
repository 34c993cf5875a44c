"""The `build-digests` command. Data goes to standard output, everything else to standard error."""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TextIO, TypeVar

import click

from action import __version__
from action.buildx.command_line import (
    read_bake_command_line,
    read_bake_options,
    read_build_command_line,
    require_buildx,
    shows_help,
)
from action.buildx.request import Request
from action.commands import DRY_RUN, FORMAT, RESULTS, inspect, merge, promote, schema, terminal_log, validate
from action.errors import BAD_INPUT, FAILED, BuildDigestsError, InputError
from action.inputs.policy import Policy
from action.packages.preload import Preloader
from action.pipeline.execute import EVALUATION, evidence_items, execute, live_connections
from action.pipeline.run_result import RunResult, rewrite_image_id_file
from action.pipeline.workspace import temporary_folder
from action.process.signals import Interrupted, end_by_signal, interrupt_on_signals
from action.process.streams import discard_output, ignore_write_errors
from action.report.outputs import check_variable_names
from action.report.terminal import ReportedError, finish, print_message
from action.usage import BuildxCommand, Choice, Group

_Command = TypeVar("_Command", bound=Callable[..., object])

# `click.Path` makes shells complete file names. An argument may also name a file that cannot be read.
_PASSED_ON = click.Path(readable=False)


def _run_options(command: _Command) -> _Command:
    """Add the options that build and bake share."""
    options = (
        RESULTS,
        FORMAT,
        click.option("--require-digests", is_flag=True, help="Fail if an exporter that makes an image has no digest."),
        click.option("--verify", is_flag=True, help="Check each digest against the registry or the file."),
        click.option(
            "--compare",
            multiple=True,
            metavar="[TARGET=]IMAGE",
            help="Compare each image with IMAGE in a registry: whether it changed, and its size.",
        ),
        DRY_RUN,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="build-digests")
def main() -> None:
    """Run docker buildx and report one digest for each output: right, or absent."""


for each in (merge, promote, inspect, validate, schema):
    main.add_command(each)


@main.command(cls=BuildxCommand, short_help="Run docker buildx build, and print each digest.")
@_run_options
@click.argument(
    "arguments",
    nargs=-1,
    type=_PASSED_ON,
    metavar="-- <docker buildx build arguments>",
)
def build(
    results_file: Path | None,
    form: str,
    arguments: tuple[str, ...],
    *,
    require_digests: bool,
    verify: bool,
    compare: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Run docker buildx build and print the digest of each output.

    The arguments after -- are those of docker buildx build.
    """
    if not arguments:
        rule = "write the arguments of docker buildx build after --: build-digests build -- ."
        raise InputError("build-digests build", "there is nothing to build", rule)
    if shows_help("build", arguments):
        return
    request = read_build_command_line(arguments)
    if dry_run:
        click.echo(json.dumps(request.arguments))
        return
    _run_buildx(request, Policy(require_digests, verify, compare=compare), results_file, form)


@main.command(cls=BuildxCommand, short_help="Run docker buildx bake, and print each digest.")
@_run_options
@click.argument(
    "arguments",
    nargs=-1,
    type=_PASSED_ON,
    metavar="-- <docker buildx bake arguments>",
)
def bake(
    results_file: Path | None,
    form: str,
    arguments: tuple[str, ...],
    *,
    require_digests: bool,
    verify: bool,
    compare: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Run docker buildx bake and print the digest of each output of each target.

    The arguments after -- are those of docker buildx bake.
    """
    if shows_help("bake", arguments):
        return
    if dry_run:
        read_bake_options(arguments)
        click.echo(json.dumps(["bake", *arguments]))
        return
    _run_buildx(read_bake_command_line(arguments), Policy(require_digests, verify, compare=compare), results_file, form)


@main.command(short_help="Run a step of the actions, with its inputs as JSON in INPUTS.")
@click.argument("step", type=Choice(["build", "bake", "matrix", "merge", "promote", "validate"]), metavar="STEP")
@DRY_RUN
def action(step: str, *, dry_run: bool) -> None:
    """Run a step of the actions: build, bake, matrix, merge, promote or validate.

    Its inputs are in the environment variable INPUTS, a JSON object.
    """
    ignore_write_errors()
    # Imported by its name, because the modules of the other steps would cost this step their imports.
    module = importlib.import_module(f"action.steps.{step}")
    sys.exit(getattr(module, f"run_{step}_step")(dry_run=dry_run))


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with its code: 0 fine, 1 failed or faulty, 2 bad usage or bad input."""
    try:
        _run(arguments)
    except BrokenPipeError:
        # The program that reads the output has ended, as `head` does.
        discard_output()
    except OSError as error:
        with contextlib.suppress(OSError):
            print_message(
                "error", f"{error.filename or 'standard output'} cannot be written: {error.strerror or error}"
            )
        discard_output()
    sys.exit(FAILED)


def _run(arguments: Sequence[str] | None) -> NoReturn:
    command: Callable[..., object] = main.main
    try:
        with interrupt_on_signals():
            # Without standalone_mode click raises its errors instead of printing them, and does not exit.
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
    if form == "dotenv":
        # Checked before the build, because afterwards the images are pushed.
        keys = {target: [each.key for each in requested.exporters] for target, requested in request.targets.items()}
        check_variable_names(keys, bake=request.bake)
    require_buildx()
    with (
        temporary_folder() as workspace,
        live_connections(request, wanted=policy.reads_builder) as connections,
        Preloader(EVALUATION, *evidence_items(request, policy)) as preloader,
    ):
        log = terminal_log()
        executed = execute(request, workspace, policy, log, preloader=preloader, connections=connections)
        from action.pipeline.evaluate import result_of  # loaded while buildx ran

        result = result_of(request, executed, workspace, policy, log=log, preloader=preloader)
    if not request.bake and (warning := rewrite_image_id_file(request, result)):
        print_message("warning", warning)
    finish(result, results_file, form, _results_stream(result, request))


def _results_stream(result: RunResult, request: Request) -> TextIO | None:
    """Return the stream to print a run's results to, or None if it failed and has none.

    Data that buildx itself writes to standard output, such as a tar or an image ID, must not be mixed with the results.
    """
    if result.builds is None:
        return None
    if result.errors and not any(build.exporters for build in result.builds.values()):
        return None
    # A frontend can let buildx print a message, which is known only after the run (docker/buildx, commands/build.go).
    has_message = '"frontend.result.inlinemessage"' in (result.metadata or "")
    if request.writes_stdout or has_message or any(each.writes_stdout for each in request.targets.values()):
        return sys.stderr
    return sys.stdout
