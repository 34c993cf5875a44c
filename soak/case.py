"""A build or a bake as the generator makes it, and how an output of it is written."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Literal, TypeVar, cast

_V = TypeVar("_V")

Kind = Literal["build", "bake"]
Form = Literal["hcl", "json", "compose"]
Style = Literal["plain", "quoted", "spaced", "upper"]

MATRIX_VARIABLE = "${v}"
"""Stands for a matrix's value in the texts of a target."""


@dataclass(frozen=True)
class Output:
    """One entry of the list of outputs.

    Attributes:
        type: its type; `path` is a folder's or file's path without a type, which buildx takes for `local`.
        id: its ID, or None.
        dest: the file or folder it writes, or None.
        attributes: its other attributes, in the order that they are written.
        style: how it is quoted.
    """

    type: str
    id: str | None = None
    dest: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    style: Style = "plain"

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every attribute, type, dest and ID among them."""
        dest = (("dest", self.dest),) if self.dest is not None else ()
        identifier = (("id", self.id),) if self.id is not None else ()
        return (("type", self.type), *dest, *self.attributes, *identifier)

    @property
    def text(self) -> str:
        """The entry as a user writes it, in CSV."""
        if self.type == "path":
            return str(self.dest)
        return ",".join(self._field(place, name, value) for place, (name, value) in enumerate(self.pairs))

    def _field(self, place: int, name: str, value: str) -> str:
        # A type in front stays as it is: buildx takes an entry of one field for a path if `type=` does not open it.
        if self.style == "upper" and place and "." not in name:
            name = name.upper()
        field = f"{name}={value}"
        if self.style == "quoted" or any(mark in field for mark in ',"\n'):
            line = io.StringIO()
            csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="").writerow([field])
            return line.getvalue()
        return f" {field}" if self.style == "spaced" and place else field

    @property
    def may_push(self) -> bool:
        """Whether some builder pushes it: `push=` is true to BuildKit."""
        return self.type == "registry" or dict(self.attributes).get("push", "false") != "false"

    def attribute(self, name: str) -> str:
        """An attribute's value, or nothing."""
        return dict(self.attributes).get(name, "")


@dataclass(frozen=True)
class Target:
    """One build: that of a build step, or a target of a bake.

    Attributes:
        name: the target's name, empty in a build.
        outputs: its outputs.
        tags: the image names that overwrite those of every image output.
        platforms: the platforms to build for; empty for the engine's own.
        annotations: annotations of the image, as `--annotation` takes them.
        labels: labels, `NAME=VALUE`.
        build_args: build arguments, `NAME=VALUE`.
        cache_to: caches to write.
        cache_from: caches to read.
        attests: attestations, as `--attest` takes them.
        objects: whether the outputs of a bake target are objects instead of texts.
        matrix: values of a matrix; each makes a target of its own.
    """

    name: str = ""
    outputs: tuple[Output, ...] = ()
    tags: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    build_args: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    attests: tuple[str, ...] = ()
    objects: bool = False
    matrix: tuple[str, ...] = ()

    @property
    def expanded(self) -> tuple[Target, ...]:
        """The targets that the matrix makes of it, or itself."""
        return tuple(self._with(value) for value in self.matrix) or (self,)

    def _with(self, value: str) -> Target:
        return replace(_mapped(self, lambda text: text.replace(MATRIX_VARIABLE, value)), matrix=())


@dataclass(frozen=True)
class Case:
    """One step.

    Attributes:
        name: the seed and the number that it is made of.
        kind: whether it is a build or a bake.
        targets: what it builds; one in a build.
        form: how the definition of a bake is written.
        push: the input `push`.
        load: the input `load`.
        provenance: the input `provenance`.
        call: the input `call`.
        set: overrides of a bake.
        flags: other inputs that are set to `true`: `no-cache`, `record`, `verify`, `require-digests`.
        layers: how many layers the image has.
        nonce: the part of its image names that no other run has.
    """

    name: str
    kind: Kind
    targets: tuple[Target, ...]
    form: Form = "hcl"
    push: bool = False
    load: bool = False
    provenance: str = ""
    call: str = ""
    set: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    layers: int = 1
    nonce: str = ""

    @property
    def builds(self) -> tuple[Target, ...]:
        """Every build of it, matrices expanded."""
        return tuple(build for target in self.targets for build in target.expanded)

    def renamed(self, nonce: str) -> Case:
        """The same case with image names of its own."""
        return _mapped(self, lambda text: text.replace(self.nonce, nonce)) if self.nonce else self


def _mapped(value: _V, change: Callable[[str], str]) -> _V:
    """A copy of a value in which each text is changed."""
    if isinstance(value, str):
        return cast("_V", change(value))
    if isinstance(value, tuple):
        return cast("_V", tuple(_mapped(each, change) for each in value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _mapped(getattr(value, each.name), change) for each in fields(value)})
    return value
