"""What a merge made, as results and as a metadata file tells of it."""

from __future__ import annotations

import json

from action.exporters.attributed import (
    AttributedBuild,
    AttributedDescriptor,
    AttributedExporter,
    AttributedPlatform,
)
from action.merging.check import Joined
from action.merging.plan import Join


def exporter_result(join: Join, joined: Joined | None, platforms: tuple[AttributedPlatform, ...]) -> AttributedExporter:
    """The result of one image.

    Args:
        join: what was to be joined.
        joined: the index that its registries serve; None where one does not.
        platforms: its platforms.
    """
    digest = joined.descriptor.digest if joined else None
    return AttributedExporter(
        key=join.key,
        index=join.exporter.index,
        id=join.exporter.id,
        type="image",
        names=join.names,
        push=True,
        dest=None,
        digest=digest,
        imageid=(platforms[0].imageid or digest) if len(platforms) == 1 else digest,
        descriptor=AttributedDescriptor(
            media_type=joined.descriptor.media_type, digest=joined.descriptor.digest, size=joined.descriptor.size
        )
        if joined
        else None,
        platforms=platforms if joined else (),
        evidence="response" if joined else None,
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
