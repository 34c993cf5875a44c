"""Reads the known keys of a metadata file and skips the rest, whatever the file's length.

This reader returns a result only if each key that a digest is derived from is present at most once and the schema
accepts its value. It leaves any other file to the reader of whole files. Deviations in other keys are only reported.

This is the only module that uses msgspec, which skips unknown values without storing them. docs/reliability.md promises
3 s and 400 MiB for a file of 100 MB. Measured with a provenance of 100 MB, and with 14 million members: msgspec needs
117 MiB for each, and 0.6 and 0.8 s of processor time; a pydantic model, which parses the whole document first, 379 and
1,028 MiB; `json` 679 and 203 MiB.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from action.documents.pointer import pointer
from action.documents.strict_json import MAX_WHOLE_BYTES, parse_document
from action.errors import DocumentError
from action.evidence.metadata_places import (
    CACHE_MANIFEST,
    DESCRIPTOR,
    PROVENANCE,
    REF_PATTERN,
    WARNINGS,
    Known,
    is_valid,
)
from action.oci.image import DIGEST_PATTERN, MAX_DIGEST_LENGTH

MAX_TARGETS = 20_000
"""Maximum number of targets of a bake, and of warnings beside them: each takes a few hundred bytes of memory."""

_MAX_PART_BYTES = 256 * 1024
"""Longest descriptor or list of warnings that is checked, in bytes."""

_CHUNK = 1 << 20
_ESCAPED_LETTER = re.compile(rb"\\u00(?:2[EeFf]|[46][1-9A-Fa-f]|[57][0-9Aa])")
"""An escaped letter, dot or slash: with one, a known key could be written in a form that is not searched for."""

_PROVENANCE_OF_A_PLATFORM = re.compile(rb'"(buildx\.build\.provenance/[^"]*)"\s*:\s*[^{\s]')
_SEPARATE = re.compile(rb'"(?:[cC]ache)?(?:[eE]xporterResponses|exporter\.responses)"')
_END_OF_SEPARATE = re.compile(rb'xporter(?:Responses|\.responses)"')
"""A part of `_SEPARATE` that is found ten times as fast: a search for a fixed beginning skips bytes."""

_Digest = Annotated[str, Meta(pattern=DIGEST_PATTERN, max_length=MAX_DIGEST_LENGTH)]
_Text = Annotated[str, Meta(min_length=1)]


class _Object(Struct):
    """An object whose members are skipped."""


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

_BEGINNINGS = {
    beginning.encode(): [field for field, key in (_EVIDENCE | _OTHERS).items() if f'"{key}"'.startswith(beginning)]
    for beginning in (
        *('"buildx.build.ref"', '"buildx.build.provenance', '"cache.manifest"'),
        *('"containerimage.', '"exporter.', '"image.name"'),
    )
}
"""The beginnings of these keys to their fields; without the warnings, which may be in any number of places."""


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


class _UncertainError(Exception):
    """This reader cannot decide whether the file is valid."""


def read_known(data: bytes) -> Known | None:
    """Read a build's metadata file.

    Args:
        data: the file, one flat object.

    Returns:
        The known part; None if it is not certain.
    """
    try:
        response = _decoded(data, _Response)
        once = _check(data, [response])
        document = dict(_evidence(response))
        found = list(_others(response))
        document |= _cache_manifest(response, once=once)
    except _UncertainError:
        return None
    deviations = tuple(pointer([key]) for key, valid in found if valid is False)
    return Known(document, deviations, once and all(valid for _, valid in found))


def read_known_bake(data: bytes) -> Known | None:
    """Read a bake's metadata file: target name to such an object. Arguments and result are those of `read_known`."""
    try:
        targets = _decoded(data, _few_targets())
        targets.pop(WARNINGS, None)
        responses = {name: target for name, target in targets.items() if isinstance(target, _Response)}
        if len(responses) < len(targets):
            return None
        once = _check(data, responses.values())
        document: dict[str, object] = {
            name: {**dict(_evidence(response)), **_cache_manifest(response, once=once)}
            for name, response in responses.items()
        }
        found = [((name, key), valid) for name, response in responses.items() for key, valid in _others(response)]
    except _UncertainError:
        return None
    deviations = tuple(pointer(place) for place, valid in found if valid is False)
    return Known(document, deviations, once and all(valid for _, valid in found))


def _few_targets() -> Any:  # noqa: ANN401  # a type that msgspec decodes to
    """Return the type of a bake's file with at most MAX_TARGETS targets; the decoder stops at the next one."""
    # Counted while it decodes: afterwards, 100 MB of empty targets would already take gigabytes.
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


def _decoded(data: bytes, kind: Any) -> Any:  # noqa: ANN401  # a type that msgspec decodes to
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _UncertainError from None


def _check(data: bytes, responses: Any) -> bool:  # noqa: ANN401  # a collection of responses
    """Exclude what the decoder does not notice: a key twice, an escaped key, text that is not UTF-8.

    Returns:
        Whether each known key that no digest is derived from is also present at most once.

    Raises:
        _UncertainError: one of these may be in the file.
    """
    if _ESCAPED_LETTER.search(data) or (_END_OF_SEPARATE.search(data) and _SEPARATE.search(data)):
        raise _UncertainError
    _check_utf8(data)
    fields = _EVIDENCE | _OTHERS
    read = {field: sum(1 for response in responses if getattr(response, field) is not UNSET) for field in fields}
    # Each search of a long file takes as long as decoding it, so several keys are searched for at once.
    if all(data.count(beginning) == sum(map(read.__getitem__, named)) for beginning, named in _BEGINNINGS.items()):
        return True
    once = not _PROVENANCE_OF_A_PLATFORM.search(data)
    if not once and len(data) <= MAX_WHOLE_BYTES:
        raise _UncertainError
    for field, key in fields.items():
        # If there are more, some are inside skipped values, or a later one replaced an earlier one.
        if key == WARNINGS or data.count(f'"{key}"'.encode()) == read[field]:
            continue
        if field in _EVIDENCE:
            raise _UncertainError
        once = False
    return once


def _check_utf8(data: bytes) -> None:
    if data.isascii():
        return
    # Without a final call: JSON ends with an ASCII character, so no character can be cut off at the end.
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _CHUNK):
            decoder.decode(data[start : start + _CHUNK])
    except UnicodeDecodeError:
        raise _UncertainError from None


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


def _cache_manifest(response: _Response, *, once: bool) -> dict[str, object]:
    """Return the descriptor of a cache if the schema accepts it, and it is certain that it is there only once."""
    raw = response.cache_manifest
    value = _parsed(raw) if once and isinstance(raw, Raw) else None
    return {CACHE_MANIFEST: value} if value is not None and is_valid(CACHE_MANIFEST, value) else {}


def _others(response: _Response) -> Iterator[tuple[str, bool | None]]:
    """Yield each key that no digest is derived from, and whether the schema accepts its value; None if that is open."""
    if isinstance(response.provenance, Raw):
        yield PROVENANCE, bytes(memoryview(response.provenance)[:1]) == b"{"
    for key, value in ((WARNINGS, response.warnings), (CACHE_MANIFEST, response.cache_manifest)):
        if isinstance(value, Raw):
            yield key, None if len(memoryview(value)) > _MAX_PART_BYTES else is_valid(key, _parsed(value))


def _parsed(raw: Raw) -> object:
    """Return the value of a part; None if it is too long, or has a key twice."""
    if len(memoryview(raw)) > _MAX_PART_BYTES:
        return None
    try:
        return parse_document(bytes(raw).decode(), "part")
    except (DocumentError, UnicodeDecodeError):
        return None
