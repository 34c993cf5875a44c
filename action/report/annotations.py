"""Warnings of build checks as annotations, with file, line, rule and a link.

A metadata file contains them in one of two forms: `buildx.build.warnings` holds BuildKit's own messages, with texts in
base64 (docker/buildx 0.36, build/build.go), and `result.json` holds those of a build with `call: check` (moby/buildkit
0.32, frontend/subrequests/lint).
"""

from __future__ import annotations

import base64
import binascii
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from actions_toolkit.command import issue_command
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from action.documents.strict_json import parse_document
from action.errors import DocumentError
from action.oci.models import Items
from action.report.safe_text import one_line

_LINE_AT_END = re.compile(r"\(line \d+\)$")
_MAX_MESSAGE = 1000

FindFile = Callable[[str, bytes | None], str | None]
"""Takes a Dockerfile's base name and content; returns its path relative to the repository's root, or None."""


@dataclass(frozen=True)
class Annotation:
    """A warning at a file and line.

    Attributes:
        rule: the name of the rule, such as `JSONArgsRecommended`.
        message: what is wrong, and a link.
        file: the path relative to the repository's root, or None.
        line: the line number, starting at 1, or None.
    """

    rule: str
    message: str
    file: str | None
    line: int | None


def print_annotation(annotation: Annotation) -> None:
    """Print a warning as a workflow command, which GitHub shows at its place in the file."""
    place = {"title": annotation.rule, "file": annotation.file or "", "line": str(annotation.line or "")}
    issue_command("warning", {name: value for name, value in place.items() if value}, annotation.message)
    sys.stdout.flush()


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Position(_Model):
    line: int = 0


class _Range(_Model):
    start: _Position = _Position()


class _Source(_Model):
    filename: str = ""
    data: str = ""


class _Warning(_Model):
    short: str = ""
    url: str = ""
    source: _Source | None = Field(default=None, alias="sourceInfo")
    ranges: Items[_Range] | None = Field(default=None, alias="range")


class _Location(_Model):
    ranges: Items[_Range] | None = None
    source: int = Field(default=0, alias="sourceIndex")


class _Finding(_Model):
    rule: str = Field(default="", alias="ruleName")
    description: str = ""
    url: str = ""
    detail: str = ""
    location: _Location = _Location()


class _Check(_Model):
    warnings: Items[_Finding] | None = None
    sources: Items[_Source] | None = None


@dataclass(frozen=True)
class _Problem:
    rule: str
    text: str
    url: str
    source: _Source | None
    line: int | None


def read_annotations(metadata: str, find_file: FindFile) -> list[Annotation]:
    """Return the annotations in a metadata file, in its order, one for each rule and place.

    Args:
        metadata: the file's text; a text that is not a JSON document has no annotations.
        find_file: finds the path of a Dockerfile.
    """
    try:
        document = parse_document(metadata, "metadata")
    except DocumentError:
        return []
    found: dict[tuple[str, str | None, int | str], Annotation] = {}
    for annotation in (_annotation(problem, find_file) for problem in _problems(document)):
        # Targets of a bake often share a Dockerfile, and so its warnings. Without a file the message names the place.
        place = annotation.line if annotation.file and annotation.line else annotation.message
        found.setdefault((annotation.rule, annotation.file, place), annotation)
    return list(found.values())


def _problems(document: object) -> Iterator[_Problem]:
    if not isinstance(document, dict):
        return
    # A bake's file has the warnings of all targets at the top, and a `result.json` in each target.
    for part in (document, *(value for value in document.values() if isinstance(value, dict))):
        warnings = part.get("buildx.build.warnings")
        for item in warnings if isinstance(warnings, list) else ():
            yield from _of_warning(item)
        yield from _of_check(part.get("result.json"))


def _of_warning(item: object) -> Iterator[_Problem]:
    try:
        warning = _Warning.model_validate(item)
    except ValidationError:
        return
    short = _LINE_AT_END.sub("", _decoded(warning.short)).rstrip()
    rule, colon, text = short.partition(": ")
    if not colon:
        rule, text = "Build check", short
    if not text:
        return
    line = next((each.start.line for each in warning.ranges or () if each.start.line > 0), None)
    yield _Problem(rule, text, warning.url, warning.source, line)


def _of_check(value: object) -> Iterator[_Problem]:
    try:
        check = _Check.model_validate(value)
    except ValidationError:
        return
    sources = check.sources or ()
    for finding in check.warnings or ():
        place = finding.location
        line = next((each.start.line for each in place.ranges or () if each.start.line > 0), None)
        source = sources[place.source] if 0 <= place.source < len(sources) else None
        text = finding.detail or finding.description
        yield _Problem(finding.rule or "Build check", text, finding.url, source, line)


def _annotation(problem: _Problem, find_file: FindFile) -> Annotation:
    source, line = problem.source, problem.line
    file = find_file(source.filename, _bytes(source.data)) if source else None
    message = one_line(problem.text, _MAX_MESSAGE)
    if source and source.filename and file is None:
        message = f"{one_line(source.filename)}{f':{line}' if line else ''}: {message}"
    if problem.url:
        message += f"\nMore info: {one_line(problem.url)}"
    return Annotation(one_line(problem.rule), message, file, line if file else None)


def _decoded(text: str) -> str:
    return (_bytes(text) or b"").decode("utf-8", "replace")


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
