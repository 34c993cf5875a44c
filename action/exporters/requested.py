"""The exporters that a build is expected to run: those of the outputs and those that buildx adds.

buildx changes the list before BuildKit sees it (docker/buildx 0.36, build/opt.go and commands/build.go): `cacheonly`
entries vanish, `push` pushes every image exporter or appends one, `load` appends a docker exporter in most cases,
`tags` overwrite the names, and without any output the driver may have a default exporter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from action.dataclass import dataclass
from action.exporters.output import (
    ARTIFACT_TYPES,
    FILE_TYPES,
    NO_EXPORTER,
    STDOUT_PATHS,
    CacheEntry,
    Output,
    cache_writers,
)
from action.inputs.values import csv_fields, go_boolean

_PUSHED_TYPES = frozenset(("image", "registry"))
_TAGGED_TYPES = frozenset(("image", "registry", "oci", "docker"))
_BECOMES: Mapping[str, frozenset[str]] = {
    "image": frozenset(("image", "moby")),
    "registry": frozenset(("image", "moby", "registry")),
    "docker": frozenset(("docker", "image", "moby", "oci")),
}
"""Type of an output to the types that buildx may turn it into; any other type stays as it is."""

_ANNOTATION_PLATFORM = re.compile(r"^(annotation[a-z-]*)\[[^\]]*\]")


@dataclass(frozen=True)
class RequestedExporter:
    """One exporter that an output, `push` or `load` requests.

    Attributes:
        index: the zero-based position of its output; exporters that buildx adds come after the outputs.
        id: the exporter ID, or None.
        type: the type as the user wrote it, or of the exporter that buildx adds.
        names: the image names that it is given, including tags.
        push: whether a push is requested. Some builders ignore `push=`, or the push of a type other than `image`.
        dest: the path that it writes to, `-` for standard output, or None.
        attributes: the output's attributes as written, including `name` and `push`; `push` is `true` if the build has
            `push`.
    """

    index: int
    id: str | None
    type: str
    names: tuple[str, ...]
    push: bool
    dest: str | None
    attributes: Mapping[str, str]

    @property
    def key(self) -> str:
        """The key of the exporter in `digests`: its ID, or its index if it has no ID."""
        return self.id or str(self.index)

    def may_become(self, kind: str) -> bool:
        """Return whether buildx may turn it into an exporter of the given type."""
        if self.type == "docker" and self.dest is not None:
            return kind == "docker"
        return kind in _BECOMES.get(self.type, (self.type,))


@dataclass(frozen=True)
class Requested:
    """The exporters that one build requests.

    Attributes:
        exporters: the exporters of the outputs, in the user's order.
        outputs: the number of entries in the user's list, including `cacheonly`.
        tags: the image names that `tags` gives to every image.
        push: whether `push` is set.
        load: whether `load` is set.
        exports: whether the build exports anything; with `call` it does not.
        overwritten: the attributes that the build's annotations set in every output, in the form of
            `annotation_attribute`.
        reevaluated: whether buildx evaluates the definition again for the build, as it does for a bake. Names and
            attributes that come from `uuidv4()` or `timestamp()` then have other values.
        outputs_may_vary: whether the second evaluation may also give other outputs or other pushes
            (`has_varying_outputs`).
        caches: the cache exporters, in the user's order.
    """

    exporters: tuple[RequestedExporter, ...]
    outputs: int
    tags: tuple[str, ...] = ()
    push: bool = False
    load: bool = False
    exports: bool = True
    overwritten: frozenset[str] = frozenset()
    reevaluated: bool = False
    outputs_may_vary: bool = False
    caches: tuple[CacheEntry, ...] = ()

    @property
    def adds_image(self) -> bool:
        """Whether buildx appends an image exporter for `push`."""
        return self.exports and self.push and not any(e.type in _PUSHED_TYPES for e in self.exporters)

    @property
    def adds_docker(self) -> bool:
        """Whether it is certain that buildx appends a docker exporter for `load`."""
        return self.exports and self.load and not any(e.type == "docker" for e in self.exporters)

    @property
    def may_add_docker(self) -> bool:
        """Whether buildx may append one: releases differ in which docker outputs prevent that."""
        return self.exports and self.load

    @property
    def may_default(self) -> bool:
        """Whether the driver's default exporter may run, because there is no output, not even `cacheonly`."""
        return self.exports and not (self.outputs or self.push or self.load)

    @property
    def may_need_record(self) -> bool:
        """Whether it is likely that the build's record is needed, because several exporters make images or caches."""
        images = sum(each.type not in FILE_TYPES for each in self.exporters) + self.adds_image + self.adds_docker
        uncertain = self.may_default or self.outputs_may_vary or self.may_add_docker > self.adds_docker
        return self.exports and (uncertain or images > 1 or len(cache_writers(self.caches)) > 1)

    @property
    def may_write_artifact(self) -> bool:
        """Whether an output may write a tar or a folder that names its image."""
        return self.exports and any(each.type in ARTIFACT_TYPES and each.dest for each in self.exporters)

    def added(self, place: int, kind: str, names: tuple[str, ...] | None = None) -> RequestedExporter:
        """Return an exporter that buildx added.

        Args:
            place: its zero-based position among the added exporters.
            kind: its type.
            names: its reported names, or None for the tags.
        """
        # buildx appends the exporter for `push` first and then the exporter for `load`.
        pushes = self.adds_image and place == 0
        known = self.tags if names is None else names
        return RequestedExporter(self.outputs + place, None, kind, known, pushes, None, {})

    @property
    def writes_stdout(self) -> bool:
        """Whether buildx writes data to standard output: an output with that `dest`, or the result of a `call`."""
        return not self.exports or any(map(_goes_to_stdout, self.exporters))


def _goes_to_stdout(exporter: RequestedExporter) -> bool:
    """Return whether an output is written to standard output, the default of a tar (docker/buildx, build/opt.go)."""
    if exporter.dest:
        return exporter.dest in STDOUT_PATHS
    as_tar = go_boolean(exporter.attributes.get("tar", "true")) is not False
    return exporter.type == "tar" or (exporter.type == "oci" and as_tar)


def annotation_attribute(name: str) -> str:
    """Return the name of an attribute, without the platform of an annotation, which has several spellings."""
    return _ANNOTATION_PLATFORM.sub(r"\1", name)


def requested_exporters(
    outputs: Sequence[Output],
    *,
    tags: tuple[str, ...] = (),
    push: bool = False,
    load: bool = False,
    call: str = "",
    annotations: Sequence[str] = (),
    caches: tuple[CacheEntry, ...] = (),
) -> Requested:
    """Return the exporters that a build requests.

    Args:
        outputs: the user's outputs.
        tags: the `tags` input.
        push: the `push` input.
        load: the `load` input.
        call: the `call` input; the build exports nothing unless it is empty or `build`.
        annotations: the `annotations` input.
        caches: the entries of the `cache-to` input.

    Raises:
        InputError: `call` is not CSV.
    """
    # `call` is CSV: one method, and attributes such as format=json.
    exports = not call or [field for field in csv_fields("call", call) if "=" not in field] == ["build"]
    exporters = tuple(
        RequestedExporter(
            index=output.index,
            id=output.id,
            type=output.type,
            names=tags if tags and output.type in _TAGGED_TYPES else output.names,
            push=output.pushes or (push and output.type in _PUSHED_TYPES),
            dest=output.dest,
            attributes=_attributes(output, push=push),
        )
        for output in outputs
        if exports and output.type != NO_EXPORTER
    )
    overwritten = frozenset(name for annotation in annotations for name in _overwritten(annotation))
    return Requested(exporters, len(outputs), tags, push, load, exports, overwritten, caches=caches if exports else ())


def _attributes(output: Output, *, push: bool) -> Mapping[str, str]:
    return {**output.attributes, "push": "true"} if push and output.type in _PUSHED_TYPES else output.attributes


def _overwritten(annotation: str) -> Iterator[str]:
    """Yield the attributes that buildx sets for `[type[platform],…:]key=value` (util/buildflags/export.go)."""
    types, colon, key = annotation.partition("=")[0].partition(":")
    if not colon:
        types, key = "", types
    for kind in types.split(","):
        yield annotation_attribute(f"annotation-{kind}.{key}" if kind else f"annotation.{key}")
