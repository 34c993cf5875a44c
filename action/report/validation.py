"""The report about a validation: lines and JSON for programs, annotations and a table for a workflow run."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from action.evidence.validation import STANDARD_INPUT, CheckedDocument, check_file, check_standard_input
from action.github import workflow_commands
from action.report.safe_text import code, log_line, one_line, table

_MAX_ROWS = 200
_MAX_MESSAGE = 1000


def validate_and_report(files: Iterable[Path], schema: str | None) -> int:
    """Validate files for a step: annotate each error, list the files in the log, and write the job summary.

    Args:
        files: the files.
        schema: the name of their schema; None to detect each one's.

    Returns:
        The number of errors.
    """
    checked = [check_file(file, schema) for file in files]
    count = error_count(checked)
    annotate_errors(checked)
    with workflow_commands.group(f"Validation: {_number(count, 'error')}"):
        for each in checked:
            if not each.faults:
                workflow_commands.say(f"{each.source}: a valid {each.schema} document")
        for line in (*fault_lines(checked), *unreadable_lines(checked)):
            workflow_commands.say(line)
    _write_summary(summary_text(checked))
    return count


def check(files: Iterable[Path], schema: str | None) -> list[CheckedDocument]:
    """Check files; `-` is standard input.

    Args:
        files: the files.
        schema: the name of their schema; None to detect each one's.
    """
    return [check_standard_input(schema) if str(file) == STANDARD_INPUT else check_file(file, schema) for file in files]


def fault_lines(checked: Iterable[CheckedDocument]) -> list[str]:
    """Return a line for each fault of the documents that could be read: file, place and expectation."""
    return [log_line(str(fault)) for each in checked if each.is_readable for fault in each.faults]


def unreadable_lines(checked: Iterable[CheckedDocument]) -> list[str]:
    """Return a line for each document that could not be read: file and reason."""
    return [
        log_line(f"{fault.source}: {fault.problem}")
        for each in checked
        if not each.is_readable
        for fault in each.faults
    ]


def report_text(checked: Sequence[CheckedDocument]) -> str:
    """Return the report as a JSON document.

    It is an object with the number of `errors` and a list of `files`. Each file has its name, the schema that it was
    compared with, whether it is valid, and its errors with pointer, line and message. What is not known is null.
    """
    files = [
        {
            "file": each.source,
            "schema": each.schema,
            "valid": not each.faults,
            "errors": [
                {"pointer": fault.pointer, "line": fault.line, "message": fault.problem} for fault in each.faults
            ],
        }
        for each in checked
    ]
    document = {"errors": error_count(checked), "files": files}
    # A file name that is not UTF-8 contains half a surrogate pair, which no stream can write.
    return json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8", "replace").decode() + "\n"


def error_count(checked: Iterable[CheckedDocument]) -> int:
    """Return the number of errors in all documents."""
    return sum(len(each.faults) for each in checked)


def annotate_errors(checked: Iterable[CheckedDocument]) -> None:
    """Print an annotation for each error, as a workflow command on standard output."""
    faults = [(each, fault) for each in checked for fault in each.faults]
    for each, fault in faults[: workflow_commands.MAX_ANNOTATIONS]:
        file = _in_repository(each.source)
        place = f"at {fault.pointer or 'the top'}: {fault.problem}"
        message = one_line(place if file else f"{each.source}: {place}", _MAX_MESSAGE)
        title = f"Invalid {each.schema} document" if each.schema else "Invalid document"
        line = str(fault.line or "") if file else ""
        workflow_commands.annotate("error", message, title=title, file=file or "", line=line)
    if (rest := len(faults) - workflow_commands.MAX_ANNOTATIONS) > 0:
        workflow_commands.say(f"{rest} more errors are not shown as annotations: GitHub shows ten per step")


def annotate_on_standard_error(checked: Iterable[CheckedDocument]) -> None:
    """Print the annotations to standard error: the runner reads both streams, and standard output is for data."""
    with contextlib.redirect_stdout(sys.stderr):
        annotate_errors(checked)


def summary_text(checked: Sequence[CheckedDocument]) -> str:
    """Return the section of the job summary, as Markdown: a row for each error, and one for each valid file."""
    count, files = error_count(checked), len(checked)
    head = f"## Validation\n\n{_number(count, 'error')} in {_number(files, 'file')}\n\n"
    rows: list[tuple[str, ...]] = []
    for each in checked:
        name, schema = code(each.source), each.schema or "-"
        if not each.faults:
            rows.append((name, schema, "", "", "valid"))
        for fault in each.faults:
            place = code(fault.pointer) if fault.pointer else "the top"
            rows.append((name, schema, str(fault.line or ""), place, code(fault.problem)))
    shown = table(("file", "schema", "line", "place", "result"), rows[:_MAX_ROWS])
    rest = len(rows) - _MAX_ROWS
    return head + shown + (f"\nand {rest} more\n" if rest > 0 else "") + "\n"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _in_repository(source: str) -> str | None:
    """Return a file's path relative to the repository's root, as annotations need it; None if it is not in it."""
    file, workspace = Path(source), Path(os.environ.get("GITHUB_WORKSPACE") or ".")
    try:
        return file.resolve().relative_to(workspace.resolve()).as_posix() if file.is_file() else None
    except (OSError, ValueError):
        return None


def _write_summary(text: str) -> None:
    file = os.environ.get("GITHUB_STEP_SUMMARY")
    if not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8", newline="") as opened:
            opened.write(text)
    except OSError as error:
        workflow_commands.warning(f"the job summary is missing: {file} cannot be written ({error.strerror})")
