"""All exporters of a build, those that buildx added included, each with its entries in the evidence."""

from __future__ import annotations

from dataclasses import dataclass

from action.evidence.responses import Response
from action.exporters.build_evidence import BuildEvidence, has_merged_image
from action.exporters.matching import Matches, match
from action.exporters.reported import ReportedExporter, exporters_in_metadata, exporters_in_record
from action.exporters.requested import Requested, RequestedExporter
from action.oci.image import Image


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
    if recorded and in_record.added:
        return exporters + [
            with_entries(exporter, place, None) for exporter, place in _added(requested, recorded, in_record)
        ]
    if responding and in_metadata.added:
        return exporters + [
            with_entries(exporter, None, place) for exporter, place in _added(requested, responding, in_metadata)
        ]
    return exporters + [BuildExporter(exporter) for exporter in _expected(requested, evidence)]


def _added(
    requested: Requested, reported: list[ReportedExporter], matches: Matches
) -> list[tuple[RequestedExporter, int]]:
    """Return each exporter that buildx added, with its place among the reported ones."""
    return [
        (requested.added(number, _type(reported[place]), reported[place].names or None), place)
        for number, place in enumerate(matches.added)
    ]


def _type(reported: ReportedExporter) -> str:
    # With the docker driver buildx calls the image exporter moby (docker/buildx 0.36, build/opt.go).
    return "image" if reported.type in {None, "moby"} else str(reported.type)


def _expected(requested: Requested, evidence: BuildEvidence) -> list[RequestedExporter]:
    """Return the exporters that buildx surely added, if neither the record nor the metadata file lists any."""
    types = ["image"] * requested.adds_image + ["docker"] * requested.adds_docker
    if requested.may_default and has_merged_image(evidence.metadata):
        types = ["image"]
    return [requested.added(number, each) for number, each in enumerate(types)]
