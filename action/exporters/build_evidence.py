"""The evidence of a build, and which evidence the attribution of its digests needs."""

from __future__ import annotations

from collections.abc import Mapping

from action.dataclass import dataclass, field
from action.evidence.metadata_places import DIGEST, WARNINGS
from action.evidence.record import Record
from action.evidence.responses import Metadata
from action.exporters.attributed import FILE_TYPES
from action.exporters.requested import Requested
from action.oci.image import Image


@dataclass(frozen=True)
class BuildEvidence:
    """Everything that is known of a build that has ended.

    Attributes:
        metadata: the responses in the metadata file; empty if there is no file.
        record: the build's record, or None.
        artifacts: an output's index to the image in the tar that the output wrote.
        missing: why a piece of evidence is missing, one sentence each.
        multi_node: whether several nodes built it, each for its own platforms, and buildx did not merge their images:
            metadata and record are then those of one node.
        docker: whether a Docker Engine itself built it (driver `docker`), which keeps the images that it makes.
        resolved_by_tag: whether the merged digest is what a registry returned for a tag.
        proved: `repository@digest` of images that are proved to be this build's.
    """

    metadata: Metadata = field(default_factory=Metadata)
    record: Record | None = None
    artifacts: Mapping[int, Image] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    multi_node: bool = False
    docker: bool = False
    resolved_by_tag: bool = False
    proved: frozenset[str] = frozenset()


def needs_record(requested: Requested, metadata: Metadata) -> bool:
    """Return whether attribution needs the record, because the metadata file does not tell the exporters apart."""
    if not requested.exports or metadata.separate is not None:
        return False
    if metadata.distrusted or (metadata.ref is not None and not metadata.merged.values):
        # The response has a fault and cannot be used; or a bake failed and wrote no response for this target, which
        # may be built all the same.
        return makes_image(requested)
    if requested.may_default:
        # The driver decides whether it exports and as which type; only the record says so.
        return has_merged_image(metadata)
    if is_merged_index(metadata):
        return False
    if requested.by_chance:
        # Only the record says what the build exported, and what it pushed.
        return makes_image(requested)
    return _count_image_exporters(requested) > 1 or requested.may_add_docker > requested.adds_docker


def makes_image(requested: Requested) -> bool:
    """Return whether a build may make an image, so that a digest can be expected."""
    return requested.may_default or _count_image_exporters(requested) > 0


def uses_response(requested: Requested) -> bool:
    """Return whether a digest may come from the merged response, because only one exporter can have written it."""
    return requested.may_default or _count_image_exporters(requested) == 1


def has_merged_image(metadata: Metadata) -> bool:
    """Return whether the merged response has a digest or an image ID."""
    image = metadata.merged.image
    return bool(image.digest or image.imageid)


def resolved_by_tag(metadata: Metadata) -> bool:
    """Return whether the merged digest is what a registry returned for a tag, which another push may have moved.

    With the classic image store buildx queries the registry after its push (docker/buildx 0.38, build/build.go,
    remoteDigestWithMoby). Such a digest has no descriptor beside it; a digest from BuildKit has one since 0.10.
    """
    image = metadata.merged.image
    return metadata.separate is None and bool(image.digest and image.imageid) and image.descriptor is None


def is_merged_index(metadata: Metadata) -> bool:
    """Return whether several nodes pushed images, and buildx merged them to one index.

    buildx then reports the digest of the index and nothing else, not even the builds' references (docker/buildx 0.38,
    build/build.go). The response of one node names its build since 0.13, the first release with several outputs.
    """
    values = metadata.merged.values
    keys = values.keys() - {WARNINGS}
    return metadata.separate is None and metadata.ref is None and keys == {DIGEST}


def _count_image_exporters(requested: Requested) -> int:
    from_outputs = sum(1 for exporter in requested.exporters if exporter.type not in FILE_TYPES)
    return from_outputs + requested.adds_image + requested.adds_docker
