"""Fuzz targets for text that people read: warnings of build checks, log lines, summaries and comments."""

from __future__ import annotations

import base64
import contextlib
import html as html_text
import io
import json
import re

from action.buildx.failures import failure
from action.buildx.retry import is_transient_failure
from action.errors import BuildDigestsError
from action.evidence.record import StatusLog, Step
from action.github import workflow_commands
from action.process.program import CompletedProgram
from action.report.annotations import print_annotation, read_annotations
from action.report.comment import CommentSource, comment_text
from action.report.model import Report, Target
from action.report.safe_text import one_line
from action.report.summary import failure_excerpt, outputs_table, render
from fuzz.reader import Reader, input_of, printable, texts
from tests.unit.merging.jobs import exporter, results
from tests.unit.report.rendered import Page, html

_LIMIT = 60_000
_NEWLINE = re.compile(r"\r\n|\r|\n")


def is_command(line: str) -> bool:
    """Return whether the runner reads a line as a command (actions/runner, src/Runner.Common/ActionCommand.cs)."""
    return line.strip().startswith("::") or "##[" in line


def _checks(data: bytes) -> None:
    (text,) = texts(data, 1)
    for annotation in read_annotations(text, lambda name, _: name if name == "Dockerfile" else None):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            print_annotation(annotation)
        printable(output.getvalue())
        (line,) = _NEWLINE.split(output.getvalue().rstrip("\n"))
        assert re.match(r"::warning( [a-z]+=[^,:]*(,[a-z]+=[^,:]*)*)?::", line), line


def _log(data: bytes) -> None:
    log, name, command = texts(data, 3)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        workflow_commands.say(log)
    lines = _NEWLINE.split(output.getvalue())
    assert len(lines) == 2, lines
    assert not any(map(is_command, lines)), lines
    excerpt = failure_excerpt(log)
    assert len(excerpt.split("\n")) <= 100
    # BuildKit quotes commands and file names with Go's %q; JSON's quotes are near enough to it.
    quoted = [json.dumps(each) for each in (name, command)]
    for error in (
        f"process {quoted[1]} did not complete successfully: exit code: 1",
        f"failed to compute cache key: failed to calculate checksum of ref a::b: {quoted[0]}: not found",
    ):
        for last in (
            f"ERROR: failed to build: failed to solve: {error}",
            f"ERROR: target web: failed to solve: {error}",
        ):
            ended = CompletedProgram(1, stderr=f"{log}\n{last}\n")
            assert not is_transient_failure(ended), last
            printable(str(failure(ended, call="")))
    plain_end = CompletedProgram(1, command, log)
    is_transient_failure(plain_end)
    for call in ("", "check"):
        assert isinstance(failure(plain_end, call=call), BuildDigestsError)


def _report(values: list[str], secret: str) -> Report:
    name, kind, platform, step, error, warning, log, context, tags = values
    made = exporter(names=(name,), platforms={platform: "p"}, kind=kind)
    progress = StatusLog("r", 1.0, 2.0, (Step(step, 1.0, 2.0, error=error),))
    return Report(
        title="Bake",
        failed=True,
        targets=(Target(name, results(made), progress),),
        errors=(error,),
        warnings=(warning,),
        failure=log,
        inputs={"context": context, "tags": tags},
        secrets=(secret,) if secret else (),
    )


def _summary(data: bytes) -> None:
    *values, secret = texts(data, 10)
    report = _report(values, secret)
    harmless = Page(html(render(_report(["plain"] * 9, ""))))
    text = render(report)
    printable(text)
    page = Page(html(text))
    # An input of several lines is written as a YAML block; every other value adds exactly one element.
    assert [each for each in page.elements if each != "br"] == [
        each for each in harmless.elements if each != "br" and (report.failure or each)
    ] or not all(one_line(value) for value in values), (page.elements, harmless.elements)
    assert page.attributes <= harmless.attributes
    assert not page.comments
    assert set(page.elements) <= set(harmless.elements)
    shown = html_text.unescape(text)
    if len(secret) > 8 and len(set(secret)) > 4:  # a simpler secret may be part of the summary's own text
        assert secret not in shown, secret
    assert len(render(report, _LIMIT).encode()) <= _LIMIT
    table = outputs_table(report, _LIMIT)
    assert len(table.encode()) <= _LIMIT
    _comment(values, table)


def _comment(values: list[str], section: str) -> None:
    """Check that two steps of one job share a comment, whatever their names are."""
    workflow, job, leg, step, *_, commit, _ = values
    sources = [CommentSource(workflow, job, {job: leg}, each, commit) for each in (step, f"{step}2")]
    text = comment_text(sources[1], "second\n", comment_text(sources[0], section, ""))
    assert sources[0].marker == sources[1].marker == text[: len(sources[0].marker)]
    assert section in text
    assert "second\n" in text
    assert comment_text(sources[1], "second\n", text) == text
    page = Page(html(text))
    assert all(re.fullmatch(r" (build-digests|part|end)[0-9a-f ]*", comment) for comment in page.comments)


def _warning(short: str) -> dict[str, object]:
    encoded = base64.b64encode(short.encode()).decode()
    source = {"filename": "Dockerfile", "data": encoded}
    return {"short": encoded, "url": "https://x", "sourceInfo": source, "range": [{"start": {"line": 3}}]}


_CHECK = {
    "warnings": [{"ruleName": "R", "description": "d", "location": {"ranges": [{"start": {"line": 1}}]}}],
    "sources": [{"filename": "Dockerfile", "data": "eA=="}],
}
CHECKS = Reader(
    "checks",
    _checks,
    (
        json.dumps({"buildx.build.warnings": [_warning("Rule: text (line 3)"), _warning("odd")]}).encode(),
        json.dumps({"web": {"result.json": _CHECK}}).encode(),
    ),
    (
        "::set-output name=digest::x",
        "##[set-output name=digest]x",
        "\\n",
        "\\r",
        "%0A",
        "\\u202e",
        "\\ud800",
        "\\u0000",
    ),
)
_COMMANDS = "::set-output name=digest::x\n##[set-output name=digest]x\r::error::y"
LOG = Reader(
    "log",
    _log,
    (
        input_of(f"#5 0.1 {_COMMANDS}\n------\n > [2/2] RUN x:\n0.1 no\n------\nERROR: failed", "/a b", "/bin/sh -c x"),
        input_of("ERROR: failed to fetch: unexpected status from GET request to x: 503 Service Unavailable", "/x", "y"),
    ),
    (
        *("::", "##[", "\r", "\x1b[", "\x1b]", "\u2028", "\u0085", "ERROR: ", "------\n", " > ", '"', "\n%%\n"),
        *("failed to fetch ", "unexpected status from ", ": 503 x", "EOF", "toomanyrequests", "failed to solve: "),
    ),
)
SUMMARY = Reader(
    "summary",
    _summary,
    (
        input_of(
            "app:1",
            "image",
            "linux/amd64",
            "[1/1] RUN x",
            "failed",
            "warned",
            "> log\n```",
            ".",
            "a\nb",
            "hunter2 & co",
        ),
        input_of(
            _COMMANDS, "a | b", "<!-- ", "</code>", "`x`", "\x1b[31mred", "~~~", "# h", "\u202e", "www.example.com/x"
        ),
    ),
    (
        "|",
        "```",
        "<b>",
        "</details>",
        "&#124;",
        "\x1b[31m",
        "\u202e",
        "\n\n",
        "::",
        "%%",
        "<!-- end -->\n",
        "\n%%\n",
        "www.",
    ),
)
