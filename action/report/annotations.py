"""Warnings of build checks as annotations, with file, line, title, rule and a link.

Title and message are those of docker/build-push-action 7 (docker/actions-toolkit 0.95, src/buildx/buildx.ts,
convertWarningsToGitHubAnnotations), which annotates no file that it does not find, and nothing of `call: check`.

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

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from action.dataclass import dataclass
from action.documents.strict_json import parse_document
from action.errors import DocumentError, PackagesError
from action.oci.models import Items
from action.report.safe_text import one_line

try:
    from actions_toolkit.command import issue_command
except ModuleNotFoundError:
    # A step installs it with the other packages. pip installs it with the extra `github` only: it brings a top-level
    # package `tests`, which the command's users do not need.
    issue_command = None

_LINE_AT_END = re.compile(r"\(line \d+\)$")
_MAX_MESSAGE = 1000
_MAX_TITLE = 255

FindFile = Callable[[str, bytes | None], str | None]
"""Takes a Dockerfile's base name and content; returns its path relative to the repository's root, or None."""


@dataclass(frozen=True)
class Annotation:
    """A warning at a file and line.

    Attributes:
        title: what the rule says, such as `The MAINTAINER instruction is deprecated, …`.
        message: the rule's name, what is wrong, and a link.
        file: the path relative to the repository's root, or None.
        line: the line number, starting at 1, or None.
    """

    title: str
    message: str
    file: str | None
    line: int | None


def print_annotation(annotation: Annotation) -> None:
    """Print a warning as a workflow command, which GitHub shows at its place in the file.

    Raises:
        PackagesError: actions-toolkit is missing.
    """
    if issue_command is None:
        raise PackagesError("actions_toolkit is missing: pip install 'build-digests[github]' brings all packages")
    place = {"title": annotation.title, "file": annotation.file or "", "line": str(annotation.line or "")}
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
    detail: Items[str] | None = None
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
    title: str
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
    for problem in _problems(document):
        annotation = _annotation(problem, find_file)
        # Targets of a bake often share a Dockerfile, and so its warnings. Without a file the message names the place.
        place = annotation.line if annotation.file and annotation.line else annotation.message
        found.setdefault((problem.rule, annotation.file, place), annotation)
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
    if not (text if colon else short):
        return
    title = " ".join(map(_decoded, warning.detail or ()))
    line = next((each.start.line for each in warning.ranges or () if each.start.line > 0), None)
    yield _Problem(rule if colon else "", title, short, warning.url, warning.source, line)


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
        # BuildKit makes a warning's texts of these (moby/buildkit 0.32, frontend/dockerfile/linter/linter.go).
        text = ": ".join(part for part in (finding.rule, finding.detail or finding.description) if part)
        yield _Problem(finding.rule, finding.description, text, finding.url, source, line)


def _annotation(problem: _Problem, find_file: FindFile) -> Annotation:
    source, line = problem.source, problem.line
    file = find_file(source.filename, _bytes(source.data)) if source else None
    message = one_line(problem.text, _MAX_MESSAGE)
    if source and source.filename and file is None:
        message = f"{one_line(source.filename)}{f':{line}' if line else ''}: {message}"
    if problem.url:
        message += f"\nMore info: {one_line(problem.url)}"
    title = one_line(problem.title, _MAX_TITLE) or one_line(problem.rule) or "Build check"
    return Annotation(title, message, file, line if file else None)


def _decoded(text: str) -> str:
    return (_bytes(text) or b"").decode("utf-8", "replace")


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
