"""What a command prints at its end: results to standard output, everything else to standard error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from action.errors import FAILED, InputError
from action.pipeline.run_result import RunResult
from action.process.signals import Interrupted
from action.report.line import line

if TYPE_CHECKING:
    from action.results import BakeResults, BuildResults


class SaidError(Exception):
    """The command fails, and what is wrong has been printed.

    Args:
        exit_code: what the command exits with.
    """

    def __init__(self, exit_code: int = FAILED) -> None:
        """Keep the exit code."""
        super().__init__()
        self.exit_code = exit_code


def finish(
    outcome: RunResult[BuildResults] | RunResult[BakeResults],
    results_file: Path | None,
    form: str,
    target: TextIO | None,
) -> None:
    """Say what became of a run, and end with it.

    Args:
        outcome: what became of it.
        results_file: the file to write the results to, or None.
        form: `table` or `json`.
        target: where the results are printed; None where they are not.

    Raises:
        SaidError: the run failed.
        Interrupted: a signal ended it.
        InputError: the file cannot be written.
    """
    for notice in outcome.notices:
        say("notice", notice)
    for warning in outcome.warnings:
        say("warning", warning)
    for error in outcome.errors:
        say("error", str(error))
    if outcome.results is not None and target is not None:
        print_results(outcome.results, form, target)
    if outcome.results is not None and results_file is not None:
        _write(results_file, outcome.results)
    if outcome.signal is not None:
        raise Interrupted(outcome.signal)
    if outcome.errors:
        raise SaidError(outcome.errors[0].exit_code)


def has_exporters(results: BuildResults | BakeResults) -> bool:
    """Whether a build, or any target of a bake, has an exporter."""
    return any(build.exporters for build in _builds(results).values())


def print_results(results: BuildResults | BakeResults, form: str, target: TextIO) -> None:
    """Print results as a `table` or as `json`."""
    from action.results import json_text  # noqa: PLC0415  # imported while the build ran

    if form == "json":
        target.write(json_text(results) + "\n")
        return
    from action.report.table import print_table  # noqa: PLC0415  # rich is for this alone

    for name, build in _builds(results).items():
        if not build.exporters:
            continue
        if name:
            target.write(f"{line(name)}:\n")
        print_table(build, target)


def _builds(results: BuildResults | BakeResults) -> dict[str, BuildResults]:
    """Return a bake's results by target; those of a build have an empty name."""
    from action.results import BuildResults  # noqa: PLC0415  # imported while the build ran

    return {"": results} if isinstance(results, BuildResults) else results.targets


def _write(file: Path, results: BuildResults | BakeResults) -> None:
    from action.results import json_text  # noqa: PLC0415  # imported while the build ran

    try:
        file.write_text(json_text(results) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(
            "--results", f"{file} cannot be written: {error.strerror}", "name a file in a folder"
        ) from None


def say(kind: str, message: str) -> None:
    """Print a message to standard error, on one line.

    Args:
        kind: `error`, `warning` or `notice`.
        message: the message.
    """
    click.echo(f"{kind}: {line(message)}", err=True)
