"""Reads of a metadata file what is known, and skips the rest: fast, however long it is, and only where all is certain.

A file is accepted here whose keys that a digest is derived from are as the schema says, each once. Anything else is
left to the whole reader. Deviations in other keys are only reported: no digest depends on them.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from action.documents.pointer import pointer
from action.documents.strict_json import MAX_WHOLE_BYTES, parse_document
from action.errors import DocumentError
from action.evidence.metadata_places import CACHE_MANIFEST, DESCRIPTOR, PROVENANCE, REF_PATTERN, WARNINGS, is_valid
from action.oci.image import DIGEST_PATTERN, MAX_DIGEST_LENGTH

MAX_TARGETS = 20_000
"""Most targets of a bake, and most warnings beside them, that are read: each takes a few hundred bytes of memory."""

_LONGEST_PART = 256 * 1024
"""Longest descriptor or list of warnings that is looked into, in bytes."""

_CHUNK = 1 << 20
_ESCAPED_LETTER = re.compile(rb"\\u00(?:2[EeFf]|[46][1-9A-Fa-f]|[57][0-9Aa])")
"""A letter, dot or slash in disguise: a known key could be written with it."""

_PROVENANCE_OF_A_PLATFORM = re.compile(rb'"(buildx\.build\.provenance/[^"]*)"\s*:\s*[^{\s]')
_SEPARATE = re.compile(rb'"(?:[cC]ache)?(?:[eE]xporterResponses|exporter\.responses)"')

_Digest = Annotated[str, Meta(pattern=DIGEST_PATTERN, max_length=MAX_DIGEST_LENGTH)]
_Text = Annotated[str, Meta(min_length=1)]


class _Object(Struct):
    """An object whose members do not matter."""


_EVIDENCE = {
    "ref": "buildx.build.ref",
    "config_digest": "containerimage.config.digest",
    "descriptor": "containerimage.descriptor",
    "digest": "containerimage.digest",
    "name": "image.name",
    "exporter_type": "exporter.type",
    "exporter_id": "exporter.id",
}
"""Keys that a digest is derived from."""

_OTHERS = {"provenance": PROVENANCE, "warnings": WARNINGS, "cache_manifest": CACHE_MANIFEST}
"""Keys that the schema describes and no digest is derived from."""


class _Response(Struct, kw_only=True, rename=_EVIDENCE | _OTHERS):
    ref: Annotated[str, Meta(pattern=REF_PATTERN)] | UnsetType = UNSET
    provenance: Raw | UnsetType = UNSET
    warnings: Raw | UnsetType = UNSET
    cache_manifest: Raw | UnsetType = UNSET
    config_digest: _Digest | UnsetType = UNSET
    descriptor: Raw | UnsetType = UNSET
    digest: _Digest | UnsetType = UNSET
    name: str | UnsetType = UNSET
    exporter_type: _Text | UnsetType = UNSET
    exporter_id: _Text | UnsetType = UNSET


@dataclass(frozen=True)
class Known:
    """What is known of a metadata file.

    Attributes:
        document: the document, with the keys alone that a digest is derived from; `buildx.build.warnings` of a bake is
            left out.
        deviations: JSON pointers to other places that are not as the schema says.
        is_valid: whether the whole file surely is as the schema says. A key that is there twice, or a long list of
            warnings, leaves that open.
    """

    document: dict[str, object]
    deviations: tuple[str, ...]
    is_valid: bool


class _UncertainError(Exception):
    """The file may be good or bad; this reader does not say."""


def read_known(data: bytes) -> Known | None:
    """Read a build's metadata file.

    Args:
        data: the file, one flat object.

    Returns:
        What is known of it; None where it is not certain.
    """
    try:
        response = _decoded(data, _Response)
        once = _check(data, [response])
        document = dict(_evidence(response))
        found = list(_others(response))
    except _UncertainError:
        return None
    deviations = tuple(pointer([key]) for key, valid in found if valid is False)
    return Known(document, deviations, once and all(valid for _, valid in found))


def read_known_bake(data: bytes) -> Known | None:
    """Read a bake's metadata file, target name to such a document."""
    try:
        targets = _decoded(data, _few_targets())
        targets.pop(WARNINGS, None)
        responses = {name: target for name, target in targets.items() if isinstance(target, _Response)}
        if len(responses) < len(targets):
            return None
        once = _check(data, responses.values())
        document: dict[str, object] = {name: dict(_evidence(response)) for name, response in responses.items()}
        found = [((name, key), valid) for name, response in responses.items() for key, valid in _others(response)]
    except _UncertainError:
        return None
    deviations = tuple(pointer(place) for place, valid in found if valid is False)
    return Known(document, deviations, once and all(valid for _, valid in found))


def _few_targets() -> Any:  # noqa: ANN401  # what msgspec is told to make
    """The type of a bake's file of at most MAX_TARGETS targets: the decoder stops at the next one."""
    made = 0

    def count() -> None:
        nonlocal made
        made += 1
        if made > MAX_TARGETS:
            raise ValueError

    class Target(_Response):
        def __post_init__(self) -> None:
            count()

    class BuildWarning(_Object):
        def __post_init__(self) -> None:
            count()

    return dict[str, Target | list[BuildWarning] | None]


def _decoded(data: bytes, kind: Any) -> Any:  # noqa: ANN401  # what msgspec is told to make
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _UncertainError from None


def _check(data: bytes, responses: Any) -> bool:  # noqa: ANN401  # a collection of responses
    """Rule out what the decoder does not see: a key twice, a key in disguise, a text that is not UTF-8.

    Returns:
        Whether each key that no digest is derived from is there once at most, too.
    """
    if _ESCAPED_LETTER.search(data) or _SEPARATE.search(data):
        raise _UncertainError
    once = not _PROVENANCE_OF_A_PLATFORM.search(data)
    if not once and len(data) <= MAX_WHOLE_BYTES:
        raise _UncertainError
    for field, key in (_EVIDENCE | _OTHERS).items():
        read = sum(1 for response in responses if getattr(response, field) is not UNSET)
        # More of them stand somewhere inside what was skipped, or one was read over by a later one.
        if key == WARNINGS or data.count(f'"{key}"'.encode()) == read:
            continue
        if field in _EVIDENCE:
            raise _UncertainError
        once = False
    # JSON ends with an ASCII character: none is cut off at the end.
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _CHUNK):
            decoder.decode(data[start : start + _CHUNK])
    except UnicodeDecodeError:
        raise _UncertainError from None
    return once


def _evidence(response: _Response) -> Iterator[tuple[str, object]]:
    for field, key in _EVIDENCE.items():
        value = getattr(response, field)
        if value is not UNSET:
            yield key, _descriptor(value) if isinstance(value, Raw) else value


def _descriptor(raw: Raw) -> object:
    value = _parsed(raw)
    if value is None or not is_valid(DESCRIPTOR, value):
        raise _UncertainError
    return value


def _others(response: _Response) -> Iterator[tuple[str, bool | None]]:
    """Each key that no digest is derived from, and whether its value is as the schema says; None if that is open."""
    if isinstance(response.provenance, Raw):
        yield PROVENANCE, bytes(memoryview(response.provenance)[:1]) == b"{"
    for key, value in ((WARNINGS, response.warnings), (CACHE_MANIFEST, response.cache_manifest)):
        if isinstance(value, Raw):
            yield key, None if len(memoryview(value)) > _LONGEST_PART else is_valid(key, _parsed(value))


def _parsed(raw: Raw) -> object:
    """The value of a part; None if it is long, or its keys are not certain."""
    if len(memoryview(raw)) > _LONGEST_PART:
        return None
    try:
        return parse_document(bytes(raw).decode(), "part")
    except (DocumentError, UnicodeDecodeError):
        return None
