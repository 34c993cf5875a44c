"""The places of a metadata file that the schema describes, and which of them a digest is derived from.

The rules are those of schemas/metadata.schema.json, repeated with the standard library alone: each step checks its
metadata file, and jsonschema takes 0.1 s to import.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from action.dataclass import dataclass
from action.documents.pointer import pointer
from action.documents.strict_json import parse_document
from action.errors import DocumentError
from action.oci.image import DIGEST_PATTERN, INDEX_TYPES, MAX_DIGEST_LENGTH

CACHE_MANIFEST = "cache.manifest"
CONFIG_DIGEST = "containerimage.config.digest"
DESCRIPTOR = "containerimage.descriptor"
DIGEST = "containerimage.digest"
EXPORTER_ID = "exporter.id"
EXPORTER_TYPE = "exporter.type"
NAME = "image.name"
PROVENANCE = "buildx.build.provenance"
REF = "buildx.build.ref"
WARNINGS = "buildx.build.warnings"

REF_PATTERN = r"^[^/\s]+/[^/\s]+/[^/\s]+\Z"
RESPONSES = ("ExporterResponses", "exporterResponses", "exporter.responses")
"""Names of a list of separate responses; the first one that is there counts."""

MAPS = ("data", "Data", "response", "metadata")
"""Names of the map in a separate response."""

_CACHE_RESPONSES = ("CacheExporterResponses", "cacheExporterResponses")
_TEXTS = ("id", "ID", "type", "Type")
_NEEDED = frozenset((DIGEST, CONFIG_DIGEST, DESCRIPTOR, NAME, EXPORTER_TYPE, EXPORTER_ID))
"""Keys of a separate response that a digest is derived from."""

_DIGEST_FORM = re.compile(DIGEST_PATTERN)
_REF_FORM = re.compile(REF_PATTERN)


@dataclass(frozen=True)
class Known:
    """The known part of a metadata file.

    Attributes:
        document: the document with only the keys that a digest is derived from; without the
            `buildx.build.warnings` of a bake.
        deviations: JSON pointers to other places that the schema refuses.
        is_valid: whether the schema certainly accepts the whole file. A key that is present twice, or a long list of
            warnings, leaves that open.
    """

    document: dict[str, object]
    deviations: tuple[str, ...]
    is_valid: bool


@dataclass(frozen=True)
class Judged:
    """A build's metadata, without the places that the schema refuses.

    Attributes:
        document: the part of it that can be used. If `distrusted`, that is its reference; None if that is faulty too.
        distrusted: whether a place that a digest is derived from is faulty.
        deviations: JSON pointers to the other faulty places.
    """

    document: dict[str, object] | list[dict[str, object]] | None
    distrusted: bool
    deviations: tuple[str, ...] = ()


def judge(value: object, path: tuple[str, ...] = ()) -> Judged:
    """Judge a build's metadata, place by place.

    Args:
        value: the document.
        path: the keys that lead to it in its file.
    """
    judge = _Judge()
    if isinstance(value, dict):
        document: dict[str, object] | list[dict[str, object]] = judge.flat(value, path)
        refs = [value[REF]] if REF in value else []
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        needed = _NEEDED | {REF}
        document = [judge.response(item, (*path, place), needed) for place, item in enumerate(value)]
        refs = [item[REF] for item in value if REF in item]
    else:
        return Judged(None, distrusted=True)
    deviations = tuple(pointer(place) for place in judge.deviations)
    if not all(is_valid(REF, ref) for ref in refs):
        # Without it several nodes may have built the image, each a part of it, so no digest is certain.
        return Judged(None, distrusted=True, deviations=deviations)
    if judge.distrusted:
        return Judged({REF: refs[0]} if refs else {}, distrusted=True, deviations=deviations)
    return Judged(document, distrusted=False, deviations=deviations)


def is_valid(key: str, value: object) -> bool:
    """Return whether the schema accepts the value of a response's key.

    Args:
        key: the key, such as `containerimage.digest`; of one that the schema does not describe, every value is valid.
        value: its value.
    """
    if key.startswith(f"{PROVENANCE}/"):
        key = PROVENANCE
    check = _CHECKS.get(key)
    return check is None or check(value)


class _Judge:
    """Collects the faulty places of a document."""

    def __init__(self) -> None:
        self.distrusted = False
        self.deviations: list[tuple[str | int, ...]] = []

    def flat(self, value: dict[str, object], path: tuple[str | int, ...]) -> dict[str, object]:
        """Judge the flat object, and the separate responses in it."""
        document = self.response(value, path, needed=frozenset((REF, DIGEST, CONFIG_DIGEST, DESCRIPTOR)))
        for name in RESPONSES:
            self._responses(value.get(name), (*path, name))
        for name in _CACHE_RESPONSES:
            caches = _Judge()
            caches._responses(value.get(name), (*path, name))
            self.deviations += caches.deviations
            if caches.distrusted:
                self.deviations.append((*path, name))
        return document

    def response(
        self, value: dict[str, object], path: tuple[str | int, ...], needed: frozenset[str] = _NEEDED
    ) -> dict[str, object]:
        """Judge one response.

        Args:
            value: the response.
            path: the keys and positions that lead to it.
            needed: the keys that a digest is derived from.

        Returns:
            The response without its faulty keys.
        """
        faulty = [key for key, member in value.items() if not is_valid(key, member)]
        for key in faulty:
            if key in needed and not (key == CONFIG_DIGEST and is_index(value)):
                self.distrusted = True
            else:
                self.deviations.append((*path, key))
        return {key: member for key, member in value.items() if key not in faulty}

    def _responses(self, value: object, path: tuple[str | int, ...]) -> None:
        """Judge a list of separate responses."""
        if value is None:
            return
        if not isinstance(value, list):
            self.distrusted = True
            return
        for place, item in enumerate(value):
            if not isinstance(item, dict):
                self.distrusted = True
                continue
            self.response(item, (*path, place))
            if any(not isinstance(item.get(name, ""), str) for name in _TEXTS):
                self.distrusted = True
            for name in MAPS:
                inner = item.get(name, {})
                if isinstance(inner, dict):
                    self.response(inner, (*path, place, name))
                else:
                    self.distrusted = True


def is_index(response: Mapping[str, object]) -> bool:
    """Return whether a response names the digest of an index, which has no config."""
    descriptor = response.get(DESCRIPTOR)
    return (
        isinstance(descriptor, dict)
        and _is_descriptor(descriptor)
        and descriptor["digest"] == response.get(DIGEST)
        and descriptor["mediaType"] in INDEX_TYPES
    )


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_DIGEST_LENGTH and _DIGEST_FORM.match(value) is not None


def _is_ref(value: object) -> bool:
    return isinstance(value, str) and _REF_FORM.match(value) is not None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_some_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_warnings(value: object) -> bool:
    return value is None or isinstance(value, dict) or (isinstance(value, list) and all(map(_is_object, value)))


def _is_descriptor(value: object) -> bool:
    return (
        isinstance(value, dict)
        and _is_some_text(value.get("mediaType"))
        and _is_digest(value.get("digest"))
        and _is_size(value.get("size"))
        and _is_object_of_texts(value.get("annotations"))
        and _is_platform(value.get("platform"))
    )


def _is_size(value: object) -> bool:
    # In Python, True is an integer as well.
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_object_of_texts(value: object) -> bool:
    return value is None or (isinstance(value, dict) and all(map(_is_text, value.values())))


def _is_platform(value: object) -> bool:
    parts = ("architecture", "os", "variant")
    return value is None or (isinstance(value, dict) and all(_is_text(value.get(part, "")) for part in parts))


def _is_cache_manifest(value: object) -> bool:
    """Return whether a value is a descriptor, or the JSON of one in a text.

    BuildKit stores JSON, and buildx decodes base64 only (moby/buildkit 0.32, cache/remotecache/export.go; docker/buildx
    0.36, commands/build.go).
    """
    if not isinstance(value, str):
        return _is_descriptor(value)
    try:
        return value.startswith("{") and _is_descriptor(parse_document(value, CACHE_MANIFEST))
    except DocumentError:
        return False


_CHECKS: Mapping[str, Callable[[object], bool]] = {
    CACHE_MANIFEST: _is_cache_manifest,
    CONFIG_DIGEST: _is_digest,
    DESCRIPTOR: _is_descriptor,
    DIGEST: _is_digest,
    EXPORTER_ID: _is_some_text,
    EXPORTER_TYPE: _is_some_text,
    NAME: _is_text,
    PROVENANCE: _is_object,
    REF: _is_ref,
    WARNINGS: _is_warnings,
}
