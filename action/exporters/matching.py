"""Which observed exporter is which requested one.

buildx drops `cacheonly` outputs, keeps the order of the others and appends what it adds (docker/buildx 0.36,
build/opt.go). So the observed list should be the requested one and then the additions. That is checked, exporter by
exporter, by ID, type, name and attributes; where it does not hold, an exporter is matched only if no other choice that
keeps the order is possible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from action.exporters.requested import Requested, RequestedExporter, annotation_attribute
from action.inputs.booleans import go_boolean
from action.oci.reference import full_name

_BECOMES: Mapping[str, frozenset[str]] = {
    "image": frozenset(("image", "moby")),
    "registry": frozenset(("image", "moby", "registry")),
    "docker": frozenset(("docker", "image", "moby", "oci")),
}
"""What buildx may turn an output's type into; any other type stays."""

_CHANGED = frozenset(
    ("name", "push", "push-by-digest", "unpack", "context", "prefer-image-digest", "buildinfo-attrs"),
)
"""Attributes that buildx sets itself, so they are not compared (docker/buildx, build/opt.go and build/build.go)."""

_DEFAULT_TYPES = frozenset(("image", "moby", "docker", "oci"))


@dataclass(frozen=True)
class ObservedExporter:
    """An exporter that something observed speaks of.

    Attributes:
        type: its type, or None where that is not said.
        id: its ID, or None.
        names: its image names, or None where they are not said.
        attributes: its attributes, or None where they are not said.
    """

    type: str | None = None
    id: str | None = None
    names: tuple[str, ...] | None = None
    attributes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Matches:
    """The outcome.

    Attributes:
        places: requested exporter's place in the request to its place among the observed.
        added: places of the observed exporters that buildx added; empty where that is not certain.
    """

    places: Mapping[int, int]
    added: tuple[int, ...] = ()


def match(requested: Requested, observed: Sequence[ObservedExporter]) -> Matches:
    """Match requested exporters with observed ones; one that could be another stays without a match."""
    # `push` alone is no certain sign, for buildx sets it itself; but it counts if all exporters then have a match.
    # `buildx bake --push --load` adds an image and a docker exporter in an order that is chance, anew in each run
    # (docker/buildx 0.38, bake/bake.go, AddOverrides), and with the docker driver both are of the type `image`.
    matches = _match(requested, observed, by_push=True)
    if len(matches.places) == len(requested.exporters):
        if requested.by_chance and matches != _match(requested, observed, by_push=False):
            return Matches({})
        return matches
    matches = _match(requested, observed, by_push=False)
    if requested.reevaluated and len(matches.places) < len(requested.exporters) == len(observed):
        # Names and attributes that come from functions differ. What is left, the types and IDs, must fit one by one.
        loose = _match(requested, observed, by_push=True, by_value=False)
        if all(loose.places.get(place) == place for place in range(len(observed))):
            return loose
    return matches


def _match(
    requested: Requested, observed: Sequence[ObservedExporter], *, by_push: bool, by_value: bool = True
) -> Matches:
    wanted = requested.exporters
    has_ids = any(each.id is not None for each in observed)
    fits = [
        [
            (not has_ids or each.id == exporter.id)
            and _fits(exporter, each, requested, by_value=by_value)
            and not (by_push and _pushes_otherwise(exporter, each))
            for each in observed
        ]
        for exporter in wanted
    ]
    rest = range(len(wanted), len(observed))
    if (
        len(observed) >= len(wanted)
        and all(fits[place][place] for place in range(len(wanted)))
        and _are_additions(requested, [observed[place] for place in rest])
    ):
        return Matches({place: place for place in range(len(wanted))}, tuple(rest))
    certain = _only_choices(fits, len(observed))
    if certain is None:
        certain = _mutual(fits, len(observed))
    return Matches(certain)


def _fits(exporter: RequestedExporter, observed: ObservedExporter, requested: Requested, *, by_value: bool) -> bool:
    """Whether nothing but the ID speaks against the two being one."""
    if observed.type is not None and not _may_become(exporter, observed.type):
        return False
    if not by_value:
        return True
    if not requested.tags and observed.names is not None and full_names(observed.names) != full_names(exporter.names):
        return False
    if not observed.attributes:
        return True
    return all(
        observed.attributes.get(name) == value
        for name, value in exporter.attributes.items()
        if name not in _CHANGED and annotation_attribute(name) not in requested.overwritten
    )


def _pushes_otherwise(exporter: RequestedExporter, observed: ObservedExporter) -> bool:
    """Whether one of the two pushes and the other does not."""
    pushes = is_pushed(observed)
    return pushes is not None and exporter.push != pushes


def is_pushed(observed: ObservedExporter) -> bool | None:
    """Tell whether an image exporter pushes; None if it is no image exporter, or its attributes are not known."""
    if observed.type != "image" or not observed.attributes:
        return None
    push = observed.attributes.get("push", "false")
    # BuildKit reads a push without a value as true.
    return not push or bool(go_boolean(push))


def full_names(names: Sequence[str]) -> frozenset[str]:
    """The names in full, as buildx passes them on: `app` is `docker.io/library/app:latest` (distribution/reference)."""
    return frozenset(map(full_name, names))


def _may_become(exporter: RequestedExporter, kind: str) -> bool:
    if exporter.type == "docker" and exporter.dest is not None:
        return kind == "docker"
    return kind in _BECOMES.get(exporter.type, (exporter.type,))


def _are_additions(requested: Requested, rest: Sequence[ObservedExporter]) -> bool:
    """Whether buildx can have added exactly these: those it surely adds, and at most those it may add."""
    images = sum(1 for each in rest if each.type in {None, "image", "moby"})
    if requested.may_default:
        return len(rest) <= 1 and all(each.type is None or each.type in _DEFAULT_TYPES for each in rest)
    least = requested.adds_image + requested.adds_docker
    most = requested.adds_image + requested.may_add_docker
    if any(each.id is not None for each in rest) or not least <= len(rest) <= most:
        return False
    if any(each.type is not None and each.type not in _DEFAULT_TYPES for each in rest):
        return False
    return images >= requested.adds_image


def _only_choices(fits: list[list[bool]], count: int) -> dict[int, int] | None:
    """Matches that are the same in every choice that keeps the order; None where no such choice takes all."""
    first = _in_order(fits, range(count))
    if first is None:
        return None
    backwards = _in_order(fits[::-1], range(count - 1, -1, -1))
    assert backwards is not None  # noqa: S101  # what fits in one direction fits in the other
    last = backwards[::-1]
    return {place: early for place, (early, late) in enumerate(zip(first, last, strict=True)) if early == late}


def _in_order(fits: list[list[bool]], places: range) -> list[int] | None:
    chosen: list[int] = []
    left = iter(places)
    for row in fits:
        place = next((place for place in left if row[place]), None)
        if place is None:
            return None
        chosen.append(place)
    return chosen


def _mutual(fits: list[list[bool]], count: int) -> dict[int, int]:
    """Pairs of which each fits nothing else."""
    matches = {}
    for wanted, row in enumerate(fits):
        places = [place for place in range(count) if row[place]]
        if len(places) == 1 and sum(other[places[0]] for other in fits) == 1:
            matches[wanted] = places[0]
    return matches
