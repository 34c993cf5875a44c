"""What a merge made, as results and as a metadata file tells of it."""

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
    """The result of one image.

    Args:
        planned: what was to be merged.
        merged: the index that its registries serve; None where one does not.
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
    """The images as a metadata file tells of them: the first one's response, and one for each beside it."""
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
