"""The output of a terminal command: results on standard output, everything else on standard error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import click

from action.errors import FAILED, InputError
from action.exporters.attributed import AttributedBuild, document_text
from action.pipeline.run_result import RunResult
from action.process.signals import Interrupted
from action.report.outputs import dotenv_text, github_text
from action.report.safe_text import log_line


class ReportedError(Exception):
    """A failure whose messages have been printed, so that only the exit code is left to set.

    Args:
        exit_code: the exit code of the command.
    """

    def __init__(self, exit_code: int = FAILED) -> None:
        """Keep the exit code."""
        super().__init__()
        self.exit_code = exit_code


def finish(result: RunResult, results_file: Path | None, form: str, target: TextIO | None) -> None:
    """Print a run's messages and results, and end with its exit code.

    Args:
        result: the result of the run.
        results_file: the file to write the results document to, or None.
        form: `table`, `json`, `dotenv` or `github`.
        target: the stream to print the results to, or None to print none.

    Raises:
        ReportedError: the run failed.
        Interrupted: a signal ended it.
        InputError: the file cannot be written, or the results have no such form.
    """
    for notice in result.notices:
        print_message("notice", notice)
    for warning in result.warnings:
        print_message("warning", warning)
    for error in result.errors:
        print_message("error", str(error))
    if result.builds is not None and results_file is not None:
        _write(results_file, result.builds, bake=result.bake)
    # Those of a failed run too: a bake may have exported some of its targets.
    if result.builds is not None and target is not None:
        outputs = {"metadata": result.metadata, "results": str(results_file or "")}
        print_results(result.builds, form, target, bake=result.bake, outputs=outputs)
    if result.signal is not None:
        raise Interrupted(result.signal)
    if result.errors:
        raise ReportedError(result.errors[0].exit_code)


def print_results(
    builds: Mapping[str, AttributedBuild],
    form: str,
    target: TextIO,
    *,
    bake: bool = False,
    outputs: Mapping[str, str | None] | None = None,
) -> None:
    """Print the results of a run.

    Args:
        builds: target name, empty for a build that is not of a bake, to what its exporters made.
        form: `table`, `json`, `dotenv` or `github`.
        target: the stream to print to.
        bake: whether the builds are those of a bake.
        outputs: more step outputs, for `github`.

    Raises:
        InputError: two exporters would have the same variable in a dotenv file.
    """
    texts = {
        "json": lambda: _document(builds, bake=bake),
        "dotenv": lambda: dotenv_text(builds, bake=bake),
        "github": lambda: github_text(builds, outputs or {}, bake=bake),
    }
    if form in texts:
        target.write(texts[form]())
        return
    from action.report.table import print_table  # noqa: PLC0415  # rich is only for this

    for name, build in builds.items():
        if not build.exporters and not build.caches:
            continue
        if name:
            target.write(f"{log_line(name)}:\n")
        print_table(build, target)


def _document(builds: Mapping[str, AttributedBuild], *, bake: bool) -> str:
    return document_text(builds, bake=bake) + "\n"


def _write(file: Path, builds: Mapping[str, AttributedBuild], *, bake: bool) -> None:
    try:
        file.write_text(_document(builds, bake=bake), encoding="utf-8")
    except OSError as error:
        raise InputError(
            "--results",
            f"{file} cannot be written: {error.strerror}",
            "name a file in a folder that exists and that you may write to",
        ) from None


def print_message(kind: str, message: str) -> None:
    """Print a message to standard error, on one line.

    Args:
        kind: `error`, `warning` or `notice`.
        message: the message.
    """
    click.echo(f"{kind}: {log_line(message)}", err=True)
