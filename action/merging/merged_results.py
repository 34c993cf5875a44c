"""The results of a merge, and the same as a metadata file."""

from __future__ import annotations

import json

from action.exporters.attributed import (
    AttributedBuild,
    AttributedDescriptor,
    AttributedExporter,
    AttributedPlatform,
)
from action.merging.check import MergedImage
from action.merging.plan import PlannedImage


def exporter_result(
    planned: PlannedImage, merged: MergedImage | None, platforms: tuple[AttributedPlatform, ...]
) -> AttributedExporter:
    """Return the result of one merged image.

    Args:
        planned: the image that was planned.
        merged: the image that every repository serves, or None if one does not serve it.
        platforms: its platforms.
    """
    digest = merged.descriptor.digest if merged else None
    return AttributedExporter(
        key=planned.key,
        index=planned.exporter.index,
        id=planned.exporter.id,
        type="image",
        names=planned.names,
        push=True,
        dest=None,
        digest=digest,
        imageid=(platforms[0].imageid or digest) if len(platforms) == 1 else digest,
        descriptor=AttributedDescriptor(
            media_type=merged.descriptor.media_type, digest=merged.descriptor.digest, size=merged.descriptor.size
        )
        if merged
        else None,
        platforms=platforms if merged else (),
        evidence="response" if merged else None,
    )


def metadata_text(build: AttributedBuild) -> str:
    """Return the merged images in the form of buildx's metadata file: JSON text, empty if there is no image.

    As in BuildKit's own files, the response of the first image is at the top, and `exporter.responses` has one for each
    image.
    """
    responses = [
        (
            exporter,
            {
                "containerimage.descriptor": exporter.document()["descriptor"],
                "containerimage.digest": exporter.digest,
                "image.name": ",".join(exporter.names),
            },
        )
        for exporter in build.exporters
        if exporter.digest
    ]
    if not responses:
        return ""
    listed = [
        {**({"id": exporter.id} if exporter.id else {}), "type": exporter.type, "data": response}
        for exporter, response in responses
    ]
    return json.dumps({**responses[0][1], "exporter.responses": listed}, indent=2)
