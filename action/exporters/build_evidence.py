"""The evidence of a build: what it reports of the exporters, and which of it the attribution of digests needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from action.dataclass import dataclass, field, replace
from action.evidence.metadata_places import DIGEST, WARNINGS
from action.evidence.record import Record
from action.evidence.responses import Metadata
from action.exporters.output import FILE_TYPES
from action.exporters.requested import Requested, RequestedExporter
from action.inputs.values import go_boolean
from action.oci.image import Image
from action.oci.reference import full_name


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
    """Return whether attribution needs the record, because the metadata file does not distinguish the exporters.

    Args:
        requested: the requested exporters.
        metadata: the metadata of their build.
    """
    if not requested.exports or metadata.separate is not None:
        return False
    if metadata.distrusted or (metadata.ref is not None and not metadata.merged.values):
        # The response is faulty, or a failed bake wrote none for this target, which may have been built nevertheless.
        return makes_image(requested)
    if requested.may_default:
        # The driver decides whether it exports and as which type; only the record says so.
        return has_merged_image(metadata)
    if is_merged_index(metadata):
        return False
    if requested.outputs_may_vary:
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


@dataclass(frozen=True)
class ReportedExporter:
    """One exporter in the record or in the metadata file, which may report only a part of it.

    Attributes:
        type: its type, or None if it is not reported.
        id: its exporter ID, or None.
        names: its image names, or None if they are not reported.
        attributes: its attributes, or None if they are not reported.
    """

    type: str | None = None
    id: str | None = None
    names: tuple[str, ...] | None = None
    attributes: Mapping[str, str] | None = None

    @property
    def pushes(self) -> bool | None:
        """Whether it pushes; None if it is not an image exporter, or its attributes are not reported."""
        if self.type != "image" or not self.attributes:
            return None
        push = self.attributes.get("push", "false")
        # BuildKit reads `push=` as true (moby/buildkit 0.32, exporter/containerimage/export.go).
        return not push or bool(go_boolean(push))


def exporters_in_record(record: Record | None) -> list[ReportedExporter]:
    """Return the exporters that BuildKit ran, in the order of the record; none without a record."""
    return [
        ReportedExporter(
            type=exporter.type or None,
            id=(exporter.attributes or {}).get("id"),
            names=_names(exporter.attributes or {}),
            attributes=exporter.attributes or {},
        )
        for exporter in (record.exporters if record else ())
    ]


def exporters_in_metadata(metadata: Metadata) -> list[ReportedExporter]:
    """Return the exporters that have a response of their own in the metadata file, in its order."""
    return [ReportedExporter(each.type, each.id, each.names) for each in metadata.separate or ()]


def _names(attributes: Mapping[str, str]) -> tuple[str, ...] | None:
    # A record without attributes does not show whether the image had names.
    if not attributes:
        return None
    return tuple(name.strip() for name in attributes.get("name", "").split(",") if name.strip())


def full_names(names: Sequence[str]) -> frozenset[str]:
    """Return names in full, as distribution/reference writes them: `app` is `docker.io/library/app:latest`."""
    return frozenset(map(full_name, names))


def with_reported_names(requested: Requested, metadata: Metadata) -> Requested:
    """Return the exporters with the names in the merged response, if it is certain which exporters have them.

    Args:
        requested: the requested exporters.
        metadata: the metadata of their build.
    """
    # BuildKit keeps an image without a name under `…@digest` (moby/buildkit, exporter/containerimage/export.go).
    names = tuple(name for name in metadata.merged.names or () if "@" not in name)
    named = [exporter for exporter in requested.exporters if exporter.names]
    # `tags` give all images the same names. Otherwise the names of several exporters are mixed in this response.
    if not requested.reevaluated or not names or not (requested.tags or len(named) == 1):
        return requested
    exporters = tuple(_renamed(exporter, names) if exporter.names else exporter for exporter in requested.exporters)
    return replace(requested, exporters=exporters, tags=names if requested.tags else ())


def as_reported(
    requested: Requested, exporter: RequestedExporter, reported: ReportedExporter | None
) -> RequestedExporter:
    """Return an exporter with the names in its own response or in the record, and with the push in the record.

    Args:
        requested: all requested exporters.
        exporter: one of them.
        reported: the same exporter in the evidence, or None.
    """
    if reported is None:
        return exporter
    if requested.outputs_may_vary and reported.pushes is not None:
        exporter = replace(exporter, push=reported.pushes)
    if not requested.reevaluated or not reported.names or not exporter.names:
        return exporter
    return _renamed(exporter, reported.names)


def _renamed(exporter: RequestedExporter, names: Sequence[str]) -> RequestedExporter:
    # The user's own spelling is kept if the names are the same.
    if full_names(names) == full_names(exporter.names):
        return exporter
    return replace(exporter, names=tuple(names))
