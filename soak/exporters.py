"""The exporters that a case runs by buildx's rules, written without the package `action` to be an independent check.

buildx 0.38: commands/build.go (`--push`, `--load`), build/opt.go (tags, the docker driver's default, `cacheonly`),
bake/bake.go (setPushOverride, setLoadOverride).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from soak.case import Case, Output, Target
from soak.place import EngineKind

FILES = frozenset(("local", "tar"))
"""Types of exporters that make no image."""

_TAGGED = frozenset(("image", "registry", "oci", "docker"))
_PUSHING = frozenset(("image", "registry"))
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))


@dataclass(frozen=True)
class Exporter:
    """An exporter that a build runs.

    Attributes:
        key: its key in the results.
        index: the zero-based position of its output; exporters that buildx adds come after the list.
        id: its ID, or None.
        types: the types that the results may name: for an added exporter, the type that BuildKit runs.
        names: its image names.
        push: whether it pushes.
        dest: the path that it writes, or None.
        output: its output, or None if buildx added the exporter.
    """

    key: str
    index: int
    id: str | None
    types: frozenset[str]
    names: tuple[str, ...]
    push: bool
    dest: str | None
    output: Output | None = None

    @property
    def is_image(self) -> bool:
        """Whether it makes an image."""
        return not self.types & FILES

    def is_kept(self, kind: EngineKind) -> bool:
        """Whether the Docker Engine keeps its image."""
        if not self.is_image or self.dest is not None:
            return False
        loads = "docker" in self.types
        return loads or ("oci" not in self.types and kind in {"containerd", "classic"})


def expected_exporters(case: Case, target: Target, kind: EngineKind) -> tuple[Exporter, ...]:
    """Return the exporters of one build: those of the outputs in order, then those that buildx adds, in any order."""
    if case.call:
        return ()
    outputs = _without_duplicates(target.outputs) if case.kind == "bake" else target.outputs
    requested = [
        _asked(output, index, target, pushes=_pushes(output, kind, push=case.push))
        for index, output in enumerate(outputs)
        if output.type != "cacheonly"
    ]
    kinds = _added_in_bake(case, outputs) if case.kind == "bake" else _added_in_build(case, outputs)
    if not outputs and not kinds and kind in {"containerd", "classic"}:
        kinds = ["image"]
    added = [
        Exporter(
            key=str(len(outputs) + place),
            index=len(outputs) + place,
            id=None,
            types=frozenset(("image",)) if each == "image" else frozenset(("docker", "image", "oci")),
            names=target.tags,
            push=each == "image" and case.push,
            dest=None,
        )
        for place, each in enumerate(kinds)
    ]
    return (*requested, *added)


def _without_duplicates(outputs: Sequence[Output]) -> list[Output]:
    """Return a bake target's outputs without duplicates, in buildx's order.

    buildx puts the last output of the list in the place of a duplicate (buildx 0.38, util/buildflags/utils.go,
    removeDupes).
    """
    left = list(outputs)
    for place in range(len(left) - 2, -1, -1):
        same = [
            other for other in range(place + 1, len(left)) if sorted(left[other].pairs) == sorted(left[place].pairs)
        ]
        if same:
            left[same[0]] = left[-1]
            left.pop()
    return left


def _pushes(output: Output, kind: EngineKind, *, push: bool) -> bool:
    """Return whether an output is pushed.

    BuildKit reads `push=` as true (exporter/containerimage/export.go). With the classic store buildx itself pushes, and
    reads it as false (build/build.go). The docker driver turns a docker output without a file into an image output
    (build/opt.go).
    """
    if output.type == "registry":
        return True
    if output.type == "docker" and (output.dest is not None or kind not in {"containerd", "classic"}):
        return False
    value = dict(output.attributes).get("push", "false")
    asks = value in _TRUE or (value == "" and kind != "classic")
    return asks or push if output.type == "image" else output.type == "docker" and asks


def _asked(output: Output, index: int, target: Target, *, pushes: bool) -> Exporter:
    kind = "local" if output.type == "path" else output.type
    own = tuple(name for name in output.attribute("name").split(",") if name)
    names = target.tags if target.tags and kind in _TAGGED else own
    return Exporter(output.id or str(index), index, output.id, frozenset((kind,)), names, pushes, output.dest, output)


def _added_in_build(case: Case, outputs: Sequence[Output]) -> list[str]:
    kinds = {output.type for output in outputs}
    return ["image"] * (case.push and not kinds & _PUSHING) + ["docker"] * (case.load and "docker" not in kinds)


def _added_in_bake(case: Case, outputs: Sequence[Output]) -> list[str]:
    """Return the types that bake adds: to push if all outputs are docker outputs, to load if all make images."""
    kinds = ["local" if output.type == "path" else output.type for output in outputs]
    loaded = any(output.type == "docker" and output.dest is None for output in outputs)
    added = ["image"] * (case.push and all(kind == "docker" for kind in kinds))
    if case.load and not loaded and all(kind in _TAGGED for kind in kinds):
        added.append("docker")
    return added
