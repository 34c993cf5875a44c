"""What a merge made, as results and as a metadata file tells of it."""

from __future__ import annotations

import json

from action.merging.check import Joined
from action.merging.plan import Join
from action.results import BuildResults, ExporterResult, PlatformResult, json_values, result_descriptor


def exporter_result(join: Join, joined: Joined | None, platforms: tuple[PlatformResult, ...]) -> ExporterResult:
    """The result of one image.

    Args:
        join: what was to be joined.
        joined: the index that its registries serve; None where one does not.
        platforms: its platforms.
    """
    digest = joined.descriptor.digest if joined else None
    return ExporterResult(
        key=join.key,
        index=join.exporter.index,
        id=join.exporter.id,
        type="image",
        names=join.names,
        push=True,
        dest=None,
        digest=digest,
        imageid=(platforms[0].imageid or digest) if len(platforms) == 1 else digest,
        descriptor=result_descriptor(joined.descriptor) if joined else None,
        platforms=platforms if joined else (),
        evidence="response" if joined else None,
    )


def metadata_text(results: BuildResults) -> str:
    """The images as a metadata file tells of them: the first one's response, and one for each beside it."""
    responses = [
        (
            exporter,
            {
                "containerimage.descriptor": json_values(exporter.descriptor),
                "containerimage.digest": exporter.digest,
                "image.name": ",".join(exporter.names),
            },
        )
        for exporter in results.exporters
        if exporter.digest
    ]
    if not responses:
        return ""
    listed = [
        {**({"id": exporter.id} if exporter.id else {}), "type": exporter.type, "data": response}
        for exporter, response in responses
    ]
    return json.dumps({**responses[0][1], "exporter.responses": listed}, indent=2)
