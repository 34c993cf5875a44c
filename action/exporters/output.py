"""Entries of the inputs `outputs` and `cache-to`, parsed as buildx parses them.

Its rules are in docker/buildx 0.36, util/buildflags/export.go and cache.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from action.dataclass import dataclass
from action.errors import InputError
from action.inputs.values import csv_fields, go_boolean

NO_EXPORTER = "cacheonly"
"""The output type that runs no exporter."""

STDOUT = "-"
"""The `dest` that means standard output."""

STDOUT_PATHS = frozenset((STDOUT, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"))
"""Paths that lead to standard output."""

FILE_TYPES = frozenset(("local", "tar"))
"""Exporter types that make files and no image. Any other type may make an image."""

ARTIFACT_TYPES = frozenset(("oci", "docker"))
"""Exporter types whose tar names the image's digest."""

_IMAGE_EXPORTERS = frozenset(("image", "moby"))
_ATTRIBUTE = re.compile(r"\s*[a-z-]+=")
_ID = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Output:
    """One output.

    Attributes:
        index: its zero-based position in the user's list.
        type: the exporter type as written; buildx checks that it exists.
        id: the exporter ID, or None.
        dest: the path that it writes to, `-` for standard output, or None.
        attributes: all other attributes, lower-case name to value.
    """

    index: int
    type: str
    id: str | None
    dest: str | None
    attributes: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The image names in its `name` attribute."""
        return tuple(name.strip() for name in self.attributes.get("name", "").split(",") if name.strip())

    @property
    def pushes(self) -> bool:
        """Whether its own attributes request a push, without the `push` input.

        Only an image exporter pushes; with the docker driver `docker` without `dest` becomes one. BuildKit reads
        `push=` as true (moby/buildkit 0.32, exporter/containerimage/export.go).
        """
        if self.type == "registry":
            return True
        if self.type not in _IMAGE_EXPORTERS and not (self.type == "docker" and self.dest is None):
            return False
        push = self.attributes.get("push", "false")
        return not push or bool(go_boolean(push))


def parse_outputs(texts: Iterable[str], *, source: str = "outputs") -> tuple[Output, ...]:
    """Parse all outputs of a build.

    Args:
        texts: the entries in the user's order.
        source: the input or option that they come from, for error messages.

    Raises:
        InputError: an entry is not CSV or has no `type`, an attribute has no value, or an `id` is malformed, all digits
            or used twice.
    """
    outputs = tuple(
        parse_output(text, index, source=source) for index, text in enumerate(text for text in texts if text)
    )
    check_ids([output.id for output in outputs], source=source)
    return outputs


def check_ids(ids: Sequence[str | None], *, source: str) -> None:
    """Check that the `id` of each entry of a list is unique in it.

    Args:
        ids: the `id` of each entry, in their order.
        source: the input, option or bake target that they come from, for error messages.

    Raises:
        InputError: two entries have the same `id`.
    """
    seen: dict[str, int] = {}
    for index, identifier in enumerate(ids):
        if identifier is None:
            continue
        if identifier in seen:
            problem = f"entries {seen[identifier]} and {index} have the same id {identifier!r}"
            raise InputError(source, problem, "give each an id of its own")
        seen[identifier] = index


def parse_output(text: str, index: int, *, source: str = "outputs") -> Output:
    """Parse one output.

    Args:
        text: the entry, such as `type=image,name=ghcr.io/o/app,push=true,id=release`, or the path of a folder.
        index: its zero-based position in the user's list.
        source: the input or option that it comes from, for error messages.

    Raises:
        InputError: as for `parse_outputs`.
    """
    fields = csv_fields(source, text)
    # buildx takes a single field without a type for the path of a folder.
    if fields == (text,) and not text.startswith("type="):
        # It would make a folder named `push=true`, and push nothing.
        if _ATTRIBUTE.match(text):
            rule = f"write type=image, registry, oci, docker, local or tar; a folder of that name is ./{text}"
            raise InputError(source, f"{text!r} has no type", rule)
        if text == STDOUT:
            return Output(index, "tar", None, STDOUT, {})
        return Output(index, "local", None, text, {})
    attributes: dict[str, str] = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            rule = 'write attributes as key=value, with commas; one that contains a comma needs quotes: "dest=a,b.tar"'
            raise InputError(source, f"{text!r}: {field!r} has no value", rule)
        attributes[key.strip().lower()] = value
    return output_of(attributes, index, source=source)


def output_of(written: Mapping[str, str], index: int, *, source: str = "outputs") -> Output:
    """Return an output from its attributes.

    Args:
        written: all attributes, lower-case name to value, including `type`, `dest` and `id`.
        index: its zero-based position in the user's list.
        source: the input, option or bake target that it comes from, for error messages.

    Raises:
        InputError: it has no type, or its `id` is malformed or all digits.
    """
    attributes = dict(written)
    kind = attributes.pop("type", "")
    if not kind:
        text = ",".join(f"{key}={value}" for key, value in written.items())
        raise InputError(source, f"{text!r} has no type", "write type=image, registry, oci, docker, local or tar")
    identifier = attributes.pop("id", None)
    if identifier is not None:
        check_id(identifier, source)
    # buildx treats an empty dest as no dest.
    return Output(index, kind, identifier, attributes.pop("dest", None) or None, attributes)


def is_id(text: str) -> bool:
    """Return whether a text can be an exporter ID."""
    return bool(_ID.fullmatch(text)) and not text.isdigit()


def check_id(identifier: str, source: str) -> None:
    """Check the form of an `id`.

    Args:
        identifier: the `id`.
        source: the input, option or bake target that it comes from, for error messages.

    Raises:
        InputError: it is malformed or all digits.
    """
    if not _ID.fullmatch(identifier):
        raise InputError(source, f"id {identifier!r} is malformed", "use letters, digits, '_', '.' and '-' only")
    if identifier.isdigit():
        problem = f"id {identifier!r} is all digits"
        raise InputError(source, problem, "digits alone name an exporter by its place; add a letter")


@dataclass(frozen=True)
class CacheEntry:
    """One cache exporter.

    Attributes:
        index: its zero-based position in the user's list.
        id: its ID, or None.
        type: the type as written; buildx checks that it exists.
        ref: the image name of a cache in a registry, or None.
        dest: the folder of a local cache, or None.
        ignores_error: whether the build continues if the cache cannot be written.
        tag: the name of the cache in the `index.json` of a local one.
    """

    index: int
    id: str | None
    type: str
    ref: str | None = None
    dest: str | None = None
    ignores_error: bool = False
    tag: str = "latest"

    @property
    def key(self) -> str:
        """The key of the cache in `caches`: its ID, or its index if it has no ID."""
        return self.id or str(self.index)


_WITHOUT_MANIFEST = frozenset(("azblob", "gha", "inline", "s3"))


def cache_writers(entries: Iterable[CacheEntry]) -> list[CacheEntry]:
    """Return the cache exporters that may report a manifest: the other types have none (BuildKit 0.32, remotecache)."""
    return [entry for entry in entries if entry.type not in _WITHOUT_MANIFEST]


def parse_caches(texts: Iterable[str], *, source: str = "cache-to") -> tuple[CacheEntry, ...]:
    """Parse the entries of `cache-to`.

    Args:
        texts: the entries in the user's order.
        source: the input or option that they come from, for error messages.

    Raises:
        InputError: an entry is not CSV, or an `id` is malformed, all digits or used twice.
    """
    return caches_of([attributes for text in texts for attributes in _cache_attributes(text, source)], source=source)


def caches_of(written: Sequence[Mapping[str, str]], *, source: str) -> tuple[CacheEntry, ...]:
    """Return cache exporters from their attributes.

    Args:
        written: the attributes of each, lower-case name to value, in the user's order.
        source: the input, option or bake target that they come from, for error messages.

    Raises:
        InputError: an `id` is malformed, all digits or used twice.
    """
    caches = []
    for index, attributes in enumerate(written):
        identifier = attributes.get("id")
        if identifier is not None:
            check_id(identifier, source)
        caches.append(
            CacheEntry(
                index,
                identifier,
                attributes.get("type", ""),
                attributes.get("ref") or None,
                attributes.get("dest") or None,
                go_boolean(attributes.get("ignore-error", "")) is True,
                attributes.get("tag") or "latest",
            )
        )
    check_ids([cache.id for cache in caches], source=source)
    return tuple(caches)


def _cache_attributes(text: str, source: str) -> Iterator[dict[str, str]]:
    """Yield the attributes of each cache in an entry; fields without `=` are names of caches in registries."""
    fields = csv_fields(source, text)
    if not any("=" in field for field in fields):
        yield from ({"type": "registry", "ref": field} for field in fields)
        return
    pairs = (field.partition("=") for field in fields)
    yield {name.strip().lower(): value for name, _, value in pairs}
