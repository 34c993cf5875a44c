"""Which exporters a build is expected to run, from the outputs and from what buildx adds to them.

buildx changes the list before BuildKit sees it (docker/buildx 0.36, build/opt.go and commands/build.go): `cacheonly`
entries vanish, `push` pushes every image exporter or appends one, `load` appends a docker exporter in most cases,
`tags` overwrite the names, and without any output the driver may have a default exporter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from action.exporters.output import NO_EXPORTER, STDOUT_PATHS, Output
from action.inputs.booleans import go_boolean
from action.inputs.csv_lists import csv_fields

IMAGE_TYPES = frozenset(("image", "registry", "moby", "oci", "docker"))
"""Exporter types that make an image."""

_PUSHED_TYPES = frozenset(("image", "registry"))
_TAGGED_TYPES = frozenset(("image", "registry", "oci", "docker"))
_ANNOTATION_PLATFORM = re.compile(r"^(annotation[a-z-]*)\[[^\]]*\]")


@dataclass(frozen=True)
class RequestedExporter:
    """One exporter that was asked for, by an output or by `push` or `load`.

    Attributes:
        index: the output's place in the user's list; those that buildx adds come after it.
        id: the exporter ID, or None.
        type: as the user wrote it, or what buildx adds.
        names: the image names it is given, tags included.
        push: whether it asks for a push; the builder may not do it for `push=` or for a type other than an image's.
        dest: the path it writes to, `-` for standard output, or None.
        attributes: the output's attributes, `name` and `push` among them; as written, but for `push` if the build has
            that too.
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
        """What the exporter is called in `digests`: its ID, or else its index."""
        return self.id or str(self.index)


@dataclass(frozen=True)
class Requested:
    """What one build was asked to export.

    Attributes:
        exporters: those that the outputs ask for, in the user's order.
        outputs: how many entries the user's list has, `cacheonly` ones included.
        tags: the image names that `tags` gives to every image.
        push: whether `push` was set.
        load: whether `load` was set.
        exports: whether the build exports at all; `call` asks for something else than a build.
        overwritten: the attributes that the build's annotations set in every output, as `annotation_attribute` names
            them.
        reevaluated: whether buildx evaluates all this anew for the build, as it does for a bake: then names and
            attributes that come from `uuidv4()` or `timestamp()` have other values.
        by_chance: whether that may also give other outputs, and other ones that push (`outputs_by_chance`).
    """

    exporters: tuple[RequestedExporter, ...]
    outputs: int
    tags: tuple[str, ...] = ()
    push: bool = False
    load: bool = False
    exports: bool = True
    overwritten: frozenset[str] = frozenset()
    reevaluated: bool = False
    by_chance: bool = False

    @property
    def adds_image(self) -> bool:
        """Whether buildx appends an image exporter for `push`."""
        return self.exports and self.push and not any(e.type in _PUSHED_TYPES for e in self.exporters)

    @property
    def adds_docker(self) -> bool:
        """Whether buildx surely appends a docker exporter for `load`."""
        return self.exports and self.load and not any(e.type == "docker" for e in self.exporters)

    @property
    def may_add_docker(self) -> bool:
        """Whether buildx may append one: which docker outputs keep it from doing so changed between releases."""
        return self.exports and self.load

    @property
    def may_default(self) -> bool:
        """Whether the driver's default exporter may run: nothing was asked for, not even `cacheonly`."""
        return self.exports and not (self.outputs or self.push or self.load)

    def added(self, place: int, kind: str, names: tuple[str, ...] | None = None) -> RequestedExporter:
        """Describe an exporter that buildx added.

        Args:
            place: its place among those added, from 0.
            kind: its type.
            names: its names, where something observed says them; else the tags.
        """
        # buildx appends the image that is pushed first, and then the one that is loaded.
        pushes = self.adds_image and place == 0
        known = self.tags if names is None else names
        return RequestedExporter(self.outputs + place, None, kind, known, pushes, None, {})

    @property
    def writes_stdout(self) -> bool:
        """Whether buildx itself writes to standard output: an output that goes there, or the result of a `call`."""
        return not self.exports or any(map(_goes_to_stdout, self.exporters))


def _goes_to_stdout(exporter: RequestedExporter) -> bool:
    """Whether an output is written to standard output, which is the default of a tar (docker/buildx, build/opt.go)."""
    if exporter.dest:
        return exporter.dest in STDOUT_PATHS
    as_tar = go_boolean(exporter.attributes.get("tar", "true")) is not False
    return exporter.type == "tar" or (exporter.type == "oci" and as_tar)


def annotation_attribute(name: str) -> str:
    """Return an attribute's name; that of an annotation without its platform, which can be written in many ways."""
    return _ANNOTATION_PLATFORM.sub(r"\1", name)


def requested_exporters(
    outputs: Sequence[Output],
    *,
    tags: tuple[str, ...] = (),
    push: bool = False,
    load: bool = False,
    call: str = "",
    annotations: Sequence[str] = (),
) -> Requested:
    """Say which exporters the outputs ask for.

    Args:
        outputs: the user's outputs.
        tags: the `tags` input.
        push: the `push` input.
        load: the `load` input.
        call: the `call` input; anything but empty and `build` exports nothing.
        annotations: the `annotations` input.

    Raises:
        InputError: a `call` that is no CSV.
    """
    # A call is CSV: one method, and attributes such as format=json.
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
    return Requested(exporters, len(outputs), tags, push, load, exports, overwritten)


def _attributes(output: Output, *, push: bool) -> Mapping[str, str]:
    return {**output.attributes, "push": "true"} if push and output.type in _PUSHED_TYPES else output.attributes


def _overwritten(annotation: str) -> Iterator[str]:
    """Yield the attributes that buildx makes of `[type[platform],…:]key=value` (util/buildflags/export.go)."""
    types, colon, key = annotation.partition("=")[0].partition(":")
    if not colon:
        types, key = "", types
    for kind in types.split(","):
        yield annotation_attribute(f"annotation-{kind}.{key}" if kind else f"annotation.{key}")
