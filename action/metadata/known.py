"""Reads of a metadata file what is known, and skips the rest: fast, however long it is, and only where all is certain.

A file is accepted here that the schema accepts and that names each known key once in each place. Anything else is left
to the whole reader and the schema, which say what is wrong with it: this one only says that it is not sure.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from action.errors import DocumentError
from action.metadata.document import parse_document
from action.oci.models import DIGEST_PATTERN

WARNINGS = "buildx.build.warnings"
"""The key beside the targets in a bake's metadata file."""

MAX_TARGETS = 20_000
"""Most targets of a bake, and most warnings beside them, that are read: each takes a few hundred bytes of memory."""

_LONGEST_PART = 256 * 1024
"""Longest descriptor or list of warnings that is looked into, in bytes."""

_CHUNK = 1 << 20
_ESCAPED_LETTER = re.compile(rb"\\u00(?:2[EeFf]|[46][1-9A-Fa-f]|[57][0-9Aa])")
"""A letter, dot or slash in disguise: a known key could be written with it."""

_PROVENANCE_OF_A_PLATFORM = re.compile(rb'"buildx\.build\.provenance/[^"]*"\s*:\s*[^{\s]')
_SEPARATE = re.compile(rb'"(?:[cC]ache)?(?:[eE]xporterResponses|exporter\.responses)"')

_Text = Annotated[str, Meta(min_length=1)]
_Digest = Annotated[str, Meta(pattern=DIGEST_PATTERN, max_length=256)]


class _Object(Struct):
    """An object whose members do not matter."""


class _Platform(Struct):
    architecture: str | UnsetType = UNSET
    os: str | UnsetType = UNSET
    variant: str | UnsetType = UNSET


class _Descriptor(Struct, rename={"media_type": "mediaType"}):
    media_type: _Text
    digest: _Digest
    size: Annotated[int, Meta(ge=0)]
    annotations: dict[str, str] | UnsetType | None = UNSET
    platform: _Platform | UnsetType | None = UNSET


_KEYS = {
    "ref": "buildx.build.ref",
    "provenance": "buildx.build.provenance",
    "warnings": WARNINGS,
    "cache_manifest": "cache.manifest",
    "config_digest": "containerimage.config.digest",
    "descriptor": "containerimage.descriptor",
    "digest": "containerimage.digest",
    "name": "image.name",
    "exporter_type": "exporter.type",
    "exporter_id": "exporter.id",
}


class _Response(Struct, kw_only=True, rename=_KEYS):
    ref: Annotated[str, Meta(pattern=r"^[^/\s]+/[^/\s]+/[^/\s]+\Z")] | UnsetType = UNSET
    provenance: _Object | UnsetType = UNSET
    warnings: Raw | UnsetType = UNSET
    cache_manifest: Raw | UnsetType = UNSET
    config_digest: _Digest | UnsetType = UNSET
    descriptor: Raw | UnsetType = UNSET
    digest: _Digest | UnsetType = UNSET
    name: str | UnsetType = UNSET
    exporter_type: _Text | UnsetType = UNSET
    exporter_id: _Text | UnsetType = UNSET


class _UncertainError(Exception):
    """The file may be good or bad; this reader does not say."""


def read_known(data: bytes) -> dict[str, object] | None:
    """Read a build's metadata file.

    Args:
        data: the file, one flat object.

    Returns:
        The document with its known keys alone, provenance and warnings left out; None where it is not certain.
    """
    try:
        response = _decoded(data, _Response)
        _check(data, [response])
        return _pruned(response)
    except _UncertainError:
        return None


def read_known_bake(data: bytes) -> dict[str, object] | None:
    """The same of a bake's metadata file: target name to such a document, `buildx.build.warnings` left out."""
    try:
        targets = _decoded(data, _few_targets())
        targets.pop(WARNINGS, None)
        responses = {name: target for name, target in targets.items() if isinstance(target, _Response)}
        if len(responses) < len(targets):
            return None
        _check(data, responses.values())
        return {name: _pruned(response) for name, response in responses.items()}
    except _UncertainError:
        return None


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


def _check(data: bytes, responses: Any) -> None:  # noqa: ANN401  # a collection of responses
    """Rule out what the decoder does not see: a key twice, a key in disguise, a text that is not UTF-8."""
    if _ESCAPED_LETTER.search(data) or _PROVENANCE_OF_A_PLATFORM.search(data) or _SEPARATE.search(data):
        raise _UncertainError
    for field, key in _KEYS.items():
        read = sum(1 for response in responses if getattr(response, field) is not UNSET)
        # More of them stand somewhere inside what was skipped, or one was read over by a later one.
        if key != WARNINGS and data.count(f'"{key}"'.encode()) != read:
            raise _UncertainError
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _CHUNK):
            decoder.decode(data[start : start + _CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _UncertainError from None


def _pruned(response: _Response) -> dict[str, object]:
    return dict(_members(response))


def _members(response: _Response) -> Iterator[tuple[str, object]]:
    for field, key in _KEYS.items():
        value = getattr(response, field)
        if value is UNSET or field == "provenance":
            continue
        if field == "warnings":
            _decoded(_short(value), list[_Object] | _Object | None)
            continue
        yield key, _descriptor(value) if isinstance(value, Raw) else value


def _descriptor(raw: Raw) -> Mapping[str, object]:
    try:
        value = parse_document(_short(raw).decode(), "descriptor")
        msgspec.convert(value, _Descriptor)
    except (DocumentError, msgspec.ValidationError, UnicodeDecodeError):
        raise _UncertainError from None
    assert isinstance(value, dict)  # noqa: S101  # it could be converted
    return value


def _short(raw: Raw) -> bytes:
    data = bytes(raw)
    if len(data) > _LONGEST_PART:
        raise _UncertainError
    return data
