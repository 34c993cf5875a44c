"""Reads the exporters' responses of a metadata file, in each form that BuildKit writes or is proposed to write.

- One flat object: the responses of all exporters merged (every release to date).
- A list of objects, a generic one and then one per exporter with `exporter.type` (moby/buildkit#2760).
- The flat object, and in it a list of exporter responses, each with an ID, a type and its own map (moby/buildkit#4532,
  #5586). Its names in the metadata file are not settled, so the spelling of #4532 and its JSON forms are read.
"""

from __future__ import annotations

from collections.abc import Mapping

from action.dataclass import dataclass
from action.documents.strict_json import parse_document
from action.evidence.metadata_places import (
    CACHE_MANIFEST,
    CONFIG_DIGEST,
    DESCRIPTOR,
    DIGEST,
    MAPS,
    NAME,
    REF,
    RESPONSES,
    is_valid,
)
from action.oci.image import CONFIG_TYPES, INDEX_TYPES, MANIFEST_TYPES, Image, ManifestDescriptor, PlatformImage

_IDS = ("id", "ID", "exporter.id")
_TYPES = ("type", "Type", "exporter.type")


@dataclass(frozen=True)
class Response:
    """The response of one exporter.

    Attributes:
        values: metadata key to value.
        id: the exporter's ID, if the response names it.
        type: the exporter's type, if the response names it.
    """

    values: Mapping[str, object]
    id: str | None = None
    type: str | None = None

    @property
    def names(self) -> tuple[str, ...] | None:
        """The image names that it reports, or None."""
        name = self.values.get(NAME)
        return tuple(part for part in name.split(",") if part) if isinstance(name, str) else None

    @property
    def cache_digest(self) -> str | None:
        """The digest of the manifest or index of a cache that it reports, or None."""
        value = self.values.get(CACHE_MANIFEST)
        if value is None or not is_valid(CACHE_MANIFEST, value):
            return None
        document = parse_document(value, CACHE_MANIFEST) if isinstance(value, str) else value
        return _text(document["digest"]) if isinstance(document, dict) else None

    @property
    def image(self) -> Image:
        """The image that it reports.

        If the digest equals that of the config, it is the image ID and not a digest: Docker's classic image store has
        no manifest to name (moby/moby, builder/builder-next/exporter). But if the descriptor is one of a manifest or an
        index, the config's digest is the wrong one: buildx 0.13 fills it in if BuildKit does not name it.
        """
        digest, config = _text(self.values.get(DIGEST)), _text(self.values.get(CONFIG_DIGEST))
        descriptor = _descriptor(self.values.get(DESCRIPTOR))
        if descriptor is not None and digest is not None and descriptor.digest != digest:
            descriptor = None
        if digest is not None and digest == config:
            if descriptor is None or descriptor.media_type not in MANIFEST_TYPES | INDEX_TYPES:
                return Image(imageid=digest)
            config = None
        if digest is not None and descriptor and descriptor.media_type in CONFIG_TYPES:
            return Image(imageid=digest)
        if descriptor and descriptor.media_type in INDEX_TYPES:
            # An index has no config. BuildKit takes this from the annotation config.digest of the index's descriptor,
            # which a frontend or a user can set (moby/buildkit 0.32, exporter/containerimage/export.go).
            config = None
        platforms: tuple[PlatformImage, ...] = ()
        if digest and descriptor and descriptor.media_type in MANIFEST_TYPES:
            platform = _platform(self.values.get(DESCRIPTOR))
            platforms = () if platform is None else (PlatformImage(platform or None, digest, config),)
        return Image(digest, config, descriptor, platforms)


@dataclass(frozen=True)
class Metadata:
    """The responses of a metadata file.

    Attributes:
        ref: `builder/node/ref`, or None.
        merged: the responses of all exporters, merged; or the generic part of a list.
        separate: a response for each exporter, in BuildKit's order; None if the file has only the merged one.
        distrusted: whether a fault makes the responses unusable; the reference can still be used.
    """

    ref: str | None = None
    merged: Response = Response({})
    separate: tuple[Response, ...] | None = None
    distrusted: bool = False


def read_responses(value: object) -> Metadata:
    """Return the responses of a metadata file.

    Args:
        value: the document, which its schema must accept.
    """
    if isinstance(value, list):
        return _read_list([item for item in value if isinstance(item, dict)])
    if not isinstance(value, dict):
        return Metadata()
    separate = None
    for name in RESPONSES:
        if isinstance(listed := value.get(name), list):
            separate = tuple(_separate(item) for item in listed if isinstance(item, dict))
            break
    return Metadata(_text(value.get(REF)), Response(value), separate)


def _read_list(items: list[dict[str, object]]) -> Metadata:
    exporters = tuple(_separate(item) for item in items if _first(item, _TYPES[2:]) or _first(item, _IDS[2:]))
    generic = {key: item[key] for item in items if not _first(item, _TYPES[2:]) for key in item}
    refs = [ref for item in items if (ref := _text(item.get(REF)))]
    return Metadata(refs[0] if refs else None, Response(generic), exporters)


def _separate(item: Mapping[str, object]) -> Response:
    maps = (inner for name in MAPS if isinstance(inner := item.get(name), dict))
    return Response(next(maps, item), _first(item, _IDS), _first(item, _TYPES))


def _first(item: Mapping[str, object], names: tuple[str, ...]) -> str | None:
    return next((text for name in names if (text := _text(item.get(name)))), None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _descriptor(value: object) -> ManifestDescriptor | None:
    if not isinstance(value, dict) or not is_valid(DESCRIPTOR, value):
        return None
    return ManifestDescriptor(value["mediaType"], value["digest"], value["size"])


def _platform(descriptor: object) -> str | None:
    """Return the platform of a valid descriptor, such as `linux/arm64`; None if it has none."""
    platform = descriptor.get("platform") if isinstance(descriptor, dict) else None
    if platform is None:
        return None
    return "/".join(part for key in ("os", "architecture", "variant") if (part := platform.get(key, "")))
