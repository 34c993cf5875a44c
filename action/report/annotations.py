"""Warnings of build checks as annotations: at file and line, with their rule and a link to it.

A metadata file has them in one of two forms: `buildx.build.warnings`, BuildKit's own with texts in base64
(docker/buildx 0.36, build/build.go), and `result.json` of a build with `call: check` (moby/buildkit 0.32,
frontend/subrequests/lint).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from action.documents.strict_json import parse_document
from action.errors import DocumentError
from action.report.markdown import one_line

_LINE_AT_END = re.compile(r"\(line \d+\)$")
_LONGEST = 1000

FindFile = Callable[[str, bytes | None], str | None]
"""Finds a Dockerfile by its base name and bytes: its path from the repository's root, or None."""


@dataclass(frozen=True)
class Annotation:
    """A warning at a place.

    Attributes:
        rule: the rule that is broken: `JSONArgsRecommended`.
        message: what is wrong, and a link.
        file: the file, from the repository's root; or None.
        line: the line, from 1; or None.
    """

    rule: str
    message: str
    file: str | None
    line: int | None


class _Position(Struct, frozen=True):
    line: int = 0


class _Range(Struct, frozen=True):
    start: _Position = _Position()


class _Source(Struct, frozen=True):
    filename: str = ""
    data: str = ""


class _Warning(Struct, frozen=True, rename={"source": "sourceInfo", "ranges": "range"}):
    short: str = ""
    detail: tuple[str, ...] | None = None
    url: str = ""
    source: _Source | None = None
    ranges: tuple[_Range, ...] | None = None


class _Location(Struct, frozen=True, rename={"source": "sourceIndex"}):
    ranges: tuple[_Range, ...] | None = None
    source: int = 0


class _Finding(Struct, frozen=True, rename={"rule": "ruleName"}):
    rule: str = ""
    description: str = ""
    url: str = ""
    detail: str = ""
    location: _Location = _Location()


class _Check(Struct, frozen=True):
    warnings: tuple[_Finding, ...] | None = None
    sources: tuple[_Source, ...] | None = None


def read_annotations(metadata: str, find_file: FindFile) -> list[Annotation]:
    """The annotations of a metadata file, one for each rule and place, in its order.

    Args:
        metadata: its text; one that is faulty has none.
        find_file: finds a Dockerfile.
    """
    try:
        document = parse_document(metadata, "metadata")
    except DocumentError:
        return []
    found: dict[tuple[str, str | None, int | str], Annotation] = {}
    for annotation in _all(document, find_file):
        # Without a file the place is part of the message.
        place = annotation.line if annotation.file and annotation.line else annotation.message
        found.setdefault((annotation.rule, annotation.file, place), annotation)
    return list(found.values())


def _all(document: object, find_file: FindFile) -> Iterator[Annotation]:
    if not isinstance(document, dict):
        return
    # In a bake's file they stand beside the targets, and results in each target.
    for part in (document, *(value for value in document.values() if isinstance(value, dict))):
        warnings = part.get("buildx.build.warnings")
        for item in warnings if isinstance(warnings, list) else ():
            yield from _of_warning(item, find_file)
        yield from _of_check(part.get("result.json"), find_file)


def _of_warning(item: object, find_file: FindFile) -> Iterator[Annotation]:
    try:
        warning = msgspec.convert(item, _Warning)
    except msgspec.ValidationError:
        return
    short = _LINE_AT_END.sub("", _decoded(warning.short)).rstrip()
    rule, colon, text = short.partition(": ")
    if not colon:
        rule, text = "Build check", short
    if not text:
        return
    line = next((each.start.line for each in warning.ranges or () if each.start.line > 0), None)
    yield _annotation(rule, text, warning.url, warning.source, line, find_file)


def _of_check(value: object, find_file: FindFile) -> Iterator[Annotation]:
    try:
        check = msgspec.convert(value, _Check)
    except msgspec.ValidationError:
        return
    sources = check.sources or ()
    for finding in check.warnings or ():
        place = finding.location
        line = next((each.start.line for each in place.ranges or () if each.start.line > 0), None)
        source = sources[place.source] if 0 <= place.source < len(sources) else None
        text = finding.detail or finding.description
        yield _annotation(finding.rule or "Build check", text, finding.url, source, line, find_file)


def _annotation(  # noqa: PLR0913, PLR0917  # what a warning is made of
    rule: str, text: str, url: str, source: _Source | None, line: int | None, find_file: FindFile
) -> Annotation:
    file = find_file(source.filename, _bytes(source.data)) if source else None
    message = one_line(text, _LONGEST)
    if source and source.filename and file is None:
        message = f"{one_line(source.filename)}{f':{line}' if line else ''}: {message}"
    if url:
        message += f"\nMore info: {one_line(url)}"
    return Annotation(one_line(rule), message, file, line if file else None)


def _decoded(text: str) -> str:
    return (_bytes(text) or b"").decode("utf-8", "replace")


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
