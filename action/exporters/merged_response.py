"""The merged response of all exporters: which exporter it belongs to, and which image it names.

BuildKit merges the responses to one map, and the last exporter overwrites the others (moby/buildkit#2760). So the map
is evidence only if a single exporter can have written it.
"""

from __future__ import annotations

from collections.abc import Sequence

from action.exporters.added import BuildExporter
from action.exporters.attributed import FILE_TYPES
from action.exporters.build_evidence import BuildEvidence, is_merged_index
from action.exporters.pushed import is_proved, requests_push_by_buildx
from action.exporters.requested import Requested, RequestedExporter
from action.oci.image import Image


def owner_of_merged_response(
    requested: Requested, exporters: Sequence[BuildExporter], evidence: BuildEvidence
) -> BuildExporter | None:
    """Return the one exporter that the merged response can belong to, or None if it can belong to several.

    Args:
        requested: the requested exporters.
        exporters: all exporters of the build.
        evidence: the evidence of the build.
    """
    owner = _only_image_exporter(requested, exporters, evidence)
    if owner is None and is_merged_index(evidence.metadata):
        return _first_pushed(exporters)
    return owner


def merged_image(exporter: RequestedExporter, evidence: BuildEvidence) -> Image:
    """Return the image that the merged response names for the exporter that it belongs to."""
    image = evidence.metadata.merged.image
    if evidence.resolved_by_tag and not is_proved(exporter, evidence):
        return Image(imageid=image.imageid)
    # Docker 20.10 writes an image ID as `containerimage.digest` and nothing beside it. It does so for an image that it
    # keeps; an image that was pushed or written to a file has a digest.
    alone = image.digest is not None and image.imageid is None and image.descriptor is None
    kept = not requests_push_by_buildx(exporter) and exporter.dest is None
    return Image(imageid=image.digest) if alone and kept else image


def _only_image_exporter(
    requested: Requested, exporters: Sequence[BuildExporter], evidence: BuildEvidence
) -> BuildExporter | None:
    candidates = [each for each in exporters if each.exporter.type not in FILE_TYPES]
    if len(candidates) != 1:
        return None
    record = evidence.record
    if record is not None and record.exporters:
        in_record = [each for each in record.exporters if each.type not in FILE_TYPES]
        return candidates[0] if len(in_record) == 1 else None
    if requested.by_chance:
        return None
    # Without the record's list, buildx may have added a docker exporter for `load` beside a docker output.
    is_certain = requested.adds_docker or not requested.may_add_docker
    return candidates[0] if is_certain and len(record.images if record else ()) <= 1 else None


def _first_pushed(exporters: Sequence[BuildExporter]) -> BuildExporter | None:
    """Return the exporter whose index buildx merges from the images of several nodes, or None.

    buildx does so for the first image exporter that pushes (docker/buildx 0.38, build/build.go, pushNames). Under the
    names of any other exporter each node pushes its own image.
    """
    pushed = (
        each
        for each in exporters
        if each.exporter.type in {"image", "registry"} and requests_push_by_buildx(each.exporter)
    )
    return next(pushed, None)
