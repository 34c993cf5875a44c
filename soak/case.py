"""Models of a generated build or bake, and of the text of its outputs."""

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
"""Placeholder for the matrix value in a target's texts."""


@dataclass(frozen=True)
class Output:
    """One entry of the list of outputs.

    Attributes:
        type: its type; `path` is a bare path without a type, which buildx treats as `type=local,dest=PATH`.
        id: its ID, or None.
        dest: the file or folder that it writes, or None.
        attributes: its other attributes, in the order in which they are written.
        style: how it is quoted.
    """

    type: str
    id: str | None = None
    dest: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    style: Style = "plain"

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every attribute, including type, dest and ID."""
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
        # The first field keeps `type=` in lower case: buildx reads a single field without this prefix as a path.
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
        """Whether any builder pushes it; BuildKit reads `push=` without a value as true."""
        return self.type == "registry" or dict(self.attributes).get("push", "false") != "false"

    def attribute(self, name: str) -> str:
        """Return an attribute's value, or an empty text."""
        return dict(self.attributes).get(name, "")


@dataclass(frozen=True)
class Target:
    """The build of a build step, or one target of a bake.

    Attributes:
        name: the target's name, empty for a build.
        outputs: its outputs.
        tags: image names, which replace those of every image output.
        platforms: the platforms to build for; empty for the engine's own.
        annotations: annotations of the image, as `--annotation` takes them.
        labels: labels, `NAME=VALUE`.
        build_args: build arguments, `NAME=VALUE`.
        cache_to: caches to write.
        cache_from: caches to read.
        attests: attestations, as `--attest` takes them.
        objects: whether the bake definition writes outputs as objects instead of strings.
        matrix: values of a matrix; each value makes its own target.
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
        """The targets that the matrix makes, or only this target if it has no matrix."""
        return tuple(self._with(value) for value in self.matrix) or (self,)

    def _with(self, value: str) -> Target:
        return replace(_mapped(self, lambda text: text.replace(MATRIX_VARIABLE, value)), matrix=())


@dataclass(frozen=True)
class Case:
    """One step.

    Attributes:
        name: the seed and the number, `SEED/NUMBER`.
        kind: `build` or `bake`.
        targets: the targets; a build has one.
        form: the file format of a bake's definition.
        push: the input `push`.
        load: the input `load`.
        provenance: the input `provenance`.
        call: the input `call`.
        set: overrides of a bake.
        flags: other inputs that are set to `true`: `no-cache`, `record`, `verify`, `require-digests`.
        layers: how many layers the image has.
        nonce: a part of its image names that is unique to the run.
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
        """Every build of the case, with matrices expanded."""
        return tuple(build for target in self.targets for build in target.expanded)

    def renamed(self, nonce: str) -> Case:
        """Return the same case with other image names."""
        return _mapped(self, lambda text: text.replace(self.nonce, nonce)) if self.nonce else self


def _mapped(value: _V, change: Callable[[str], str]) -> _V:
    """Return a copy of a value in which `change` was applied to each text."""
    if isinstance(value, str):
        return cast("_V", change(value))
    if isinstance(value, tuple):
        return cast("_V", tuple(_mapped(each, change) for each in value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _mapped(getattr(value, each.name), change) for each in fields(value)})
    return value
