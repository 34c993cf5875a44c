"""All exporters of a build, each matched with its entries in the record and in the metadata file.

buildx drops `cacheonly` outputs, keeps the order of the others and appends the exporters that it adds (docker/buildx
0.36, build/opt.go). So the reported list should be the requested one and then the additions. Each pair is compared by
ID, type, name and attributes. If a pair differs, an exporter is matched only if every other match that keeps the order
is impossible: a wrong match would be a wrong digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from action.dataclass import dataclass, replace
from action.evidence.responses import Response
from action.exporters.build_evidence import (
    BuildEvidence,
    ReportedExporter,
    exporters_in_metadata,
    exporters_in_record,
    full_names,
    has_merged_image,
)
from action.exporters.output import FILE_TYPES
from action.exporters.requested import Requested, RequestedExporter, annotation_attribute
from action.oci.image import Image

_CHANGED = frozenset(
    ("name", "push", "push-by-digest", "unpack", "context", "prefer-image-digest", "buildinfo-attrs"),
)
"""Attributes that buildx may set itself, so they are not compared (docker/buildx 0.36, build/opt.go, build.go)."""

_DEFAULT_TYPES = frozenset(("image", "moby", "docker", "oci"))


@dataclass(frozen=True)
class Matches:
    """Which requested exporter is which reported one; places in a list count from 0.

    Attributes:
        places: place among the requested exporters to place among the reported ones.
        added: places of the reported exporters that buildx added; empty if that is not certain.
    """

    places: Mapping[int, int]
    added: tuple[int, ...] = ()


def match(requested: Requested, reported: Sequence[ReportedExporter]) -> Matches:
    """Match requested exporters with reported ones; an exporter that could be another one stays without a match.

    Args:
        requested: the requested exporters.
        reported: the exporters in the record or in the metadata file, in its order.
    """
    if requested.outputs_may_vary:
        # Each evaluation may move an output and change what is pushed (`has_varying_outputs`). So an exporter must fit
        # one entry alone: whatever it pushes, or by its push if the order of all exporters agrees with that.
        in_order = _match(requested, reported, by_push=False)
        by_push = _match(requested, reported, by_push=True, any_order=True)
        agrees = len(by_push.places) == len(requested.exporters) and by_push.places == in_order.places
        return in_order if agrees else _match(requested, reported, by_push=False, any_order=True)
    # buildx may set `push` itself, so a different `push` does not prove a different exporter. It counts only if every
    # exporter still has a match.
    matches = _match(requested, reported, by_push=True)
    if len(matches.places) == len(requested.exporters):
        return matches
    matches = _match(requested, reported, by_push=False)
    if requested.reevaluated and len(matches.places) < len(requested.exporters) == len(reported):
        # Names and attributes that functions compute are different in the build, so only types and IDs are compared.
        # That is enough only if the lists fit place by place.
        loose = _match(requested, reported, by_push=True, by_value=False)
        if all(loose.places.get(place) == place for place in range(len(reported))):
            return loose
    return matches


def _match(
    requested: Requested,
    reported: Sequence[ReportedExporter],
    *,
    by_push: bool,
    by_value: bool = True,
    any_order: bool = False,
) -> Matches:
    wanted = requested.exporters
    # If BuildKit got one ID, it got all of them: an exporter and its entry have the same ID, or both have none.
    has_ids = any(each.id is not None for each in reported)
    fits = [
        [
            (not has_ids or each.id == exporter.id)
            and _fits(exporter, each, requested, by_value=by_value)
            and not (by_push and _pushes_otherwise(exporter, each))
            for each in reported
        ]
        for exporter in wanted
    ]
    if any_order:
        return Matches(_mutual(fits, len(reported)))
    rest = range(len(wanted), len(reported))
    # The usual case: the requested exporters in their order, and then those that buildx added.
    if (
        len(reported) >= len(wanted)
        and all(fits[place][place] for place in range(len(wanted)))
        and _are_additions(requested, [reported[place] for place in rest])
    ):
        return Matches({place: place for place in range(len(wanted))}, tuple(rest))
    certain = _only_choices(fits, len(reported))
    if certain is None:
        certain = _mutual(fits, len(reported))
    return Matches(certain)


def _fits(exporter: RequestedExporter, reported: ReportedExporter, requested: Requested, *, by_value: bool) -> bool:
    """Return whether the two can be the same exporter; IDs are not compared."""
    if reported.type is not None and not exporter.may_become(reported.type):
        return False
    if not by_value:
        return True
    # Tags replace the names of all outputs, so with tags a name distinguishes nothing.
    if not requested.tags and reported.names is not None and full_names(reported.names) != full_names(exporter.names):
        return False
    if not reported.attributes:
        return True
    return all(
        reported.attributes.get(name) == value
        for name, value in exporter.attributes.items()
        if name not in _CHANGED and annotation_attribute(name) not in requested.overwritten
    )


def _pushes_otherwise(exporter: RequestedExporter, reported: ReportedExporter) -> bool:
    """Return whether it is known that one of the two pushes and the other does not."""
    return reported.pushes is not None and exporter.push != reported.pushes


def _are_additions(requested: Requested, rest: Sequence[ReportedExporter]) -> bool:
    """Return whether buildx can have added exactly these: all that it surely adds, and no more than it may add."""
    images = sum(1 for each in rest if each.type in {None, "image", "moby"})
    if requested.may_default:
        return len(rest) <= 1 and all(each.type is None or each.type in _DEFAULT_TYPES for each in rest)
    min_count = requested.adds_image + requested.adds_docker
    max_count = requested.adds_image + requested.may_add_docker
    if any(each.id is not None for each in rest) or not min_count <= len(rest) <= max_count:
        return False
    if any(each.type is not None and each.type not in _DEFAULT_TYPES for each in rest):
        return False
    return images >= requested.adds_image


def _only_choices(fits: list[list[bool]], count: int) -> dict[int, int] | None:
    """Return the matches that all complete matchings in order have in common; None if there is no complete one.

    Args:
        fits: for each requested exporter, whether it can be each of the reported ones.
        count: the number of reported exporters.
    """
    # The earliest and the latest possible place of each exporter: all other matchings lie between these two.
    earliest = _in_order(fits, range(count))
    latest = _in_order(fits[::-1], range(count - 1, -1, -1))
    if earliest is None or latest is None:
        return None
    return {
        place: early for place, (early, late) in enumerate(zip(earliest, latest[::-1], strict=True)) if early == late
    }


def _in_order(fits: list[list[bool]], places: range) -> list[int] | None:
    """Return for each row the first place that it fits after the place of the row before; None if a row has none."""
    chosen: list[int] = []
    left = iter(places)
    for row in fits:
        place = next((place for place in left if row[place]), None)
        if place is None:
            return None
        chosen.append(place)
    return chosen


def _mutual(fits: list[list[bool]], count: int) -> dict[int, int]:
    """Return the pairs in which neither exporter fits any other one."""
    matches = {}
    for wanted, row in enumerate(fits):
        places = [place for place in range(count) if row[place]]
        if len(places) == 1 and sum(other[places[0]] for other in fits) == 1:
            matches[wanted] = places[0]
    return matches


@dataclass(frozen=True)
class BuildExporter:
    """One exporter of a build with the entries that surely belong to it.

    Attributes:
        exporter: the exporter, as requested or as buildx added it.
        recorded: its entry in the record, or None.
        record_image: its image in the record, or None.
        response: its own response in the metadata file, or None.
        responding: the exporter that this response names, or None.
    """

    exporter: RequestedExporter
    recorded: ReportedExporter | None = None
    record_image: Image | None = None
    response: Response | None = None
    responding: ReportedExporter | None = None

    @property
    def reported(self) -> ReportedExporter | None:
        """The exporter in its own response, otherwise in the record; None if it is in neither."""
        return self.responding or self.recorded


def build_exporters(requested: Requested, evidence: BuildEvidence) -> list[BuildExporter]:
    """Return the exporters of the outputs in the user's order, then those that buildx added."""
    recorded = exporters_in_record(evidence.record)
    responding = exporters_in_metadata(evidence.metadata)
    in_record = match(requested, recorded)
    in_metadata = match(requested, responding)

    def with_entries(
        exporter: RequestedExporter, record_place: int | None, response_place: int | None
    ) -> BuildExporter:
        images = evidence.record.images if evidence.record is not None else {}
        separate = evidence.metadata.separate or ()
        return BuildExporter(
            exporter=exporter,
            recorded=recorded[record_place] if record_place is not None else None,
            record_image=images.get(record_place) if record_place is not None else None,
            response=separate[response_place] if response_place is not None else None,
            responding=responding[response_place] if response_place is not None else None,
        )

    exporters = [
        with_entries(exporter, in_record.places.get(place), in_metadata.places.get(place))
        for place, exporter in enumerate(requested.exporters)
    ]
    # An exporter that buildx added gets its entry in one list only: nothing identifies it in both.
    if in_record.added:
        return exporters + [with_entries(each, place, None) for each, place in _added(requested, recorded, in_record)]
    if in_metadata.added:
        added = _added(requested, responding, in_metadata)
        return exporters + [with_entries(each, None, place) for each, place in added]
    exporters += [BuildExporter(exporter) for exporter in _expected(requested, evidence)]
    return _with_eliminated(requested, exporters, evidence)


def _with_eliminated(
    requested: Requested, exporters: list[BuildExporter], evidence: BuildEvidence
) -> list[BuildExporter]:
    """Return the exporters with the images of a record that lists no exporters (BuildKit 0.13), if that is certain.

    Such a record has the images in the order of their exporters, but does not say whether buildx added or dropped one.
    So there must be as many images as exporters that make one, each artifact must name the image in its place, and the
    images that are left must be one and the same.
    """
    record = evidence.record
    uncertain = requested.may_default or requested.outputs_may_vary or requested.may_add_docker > requested.adds_docker
    if record is None or record.exporters or uncertain:
        return exporters
    makers = [each for each in exporters if each.exporter.type not in FILE_TYPES]
    images = [record.images[position] for position in sorted(record.images)]
    named = [(evidence.artifacts.get(each.exporter.index) or Image()).digest for each in makers]
    pairs = list(zip(named, images, strict=False))
    left = {(image.digest, image.imageid) for digest, image in pairs if digest is None}
    if (
        len(makers) != len(images)
        or len(left) != 1
        or any(digest not in {None, image.digest} for digest, image in pairs)
    ):
        return exporters
    owned = {maker.exporter.index: image for maker, (digest, image) in zip(makers, pairs, strict=True) if not digest}
    return [replace(each, record_image=owned.get(each.exporter.index)) for each in exporters]


def _added(
    requested: Requested, reported: list[ReportedExporter], matches: Matches
) -> list[tuple[RequestedExporter, int]]:
    """Return each exporter that buildx added, with its place among the reported ones."""
    # With the docker driver buildx calls the image exporter moby (docker/buildx 0.36, build/opt.go).
    types = [(each.type or "image").replace("moby", "image") for each in reported]
    return [
        (requested.added(number, types[place], reported[place].names or None), place)
        for number, place in enumerate(matches.added)
    ]


def _expected(requested: Requested, evidence: BuildEvidence) -> list[RequestedExporter]:
    """Return the exporters that buildx surely added, if neither the record nor the metadata file lists any."""
    types = ["image"] * requested.adds_image + ["docker"] * requested.adds_docker
    if requested.may_default and has_merged_image(evidence.metadata):
        types = ["image"]
    return [requested.added(number, each) for number, each in enumerate(types)]
