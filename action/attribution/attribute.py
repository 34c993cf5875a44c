"""Gives every exporter its digest, or none: never another's.

Per exporter the first that holds: (1) its separate response, (2) the merged response where only one exporter makes an
image, (3) the record, (4) the artifact it wrote, (5) nothing. Where two speak of one exporter they must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from action.attribution.match import Matches, ObservedExporter, match
from action.errors import DisagreementError
from action.metadata.responses import Metadata
from action.oci.image import Image, with_known_imageids
from action.outputs.exporters import FILE_TYPES, Requested, RequestedExporter
from action.record.history import Record
from action.results.models import Evidence, ExporterResult, PlatformResult, result_descriptor

_Said = list[tuple[Evidence, str, Image]]
"""What the sources say of one exporter: evidence, the source's name, the image; the strongest first."""


@dataclass(frozen=True)
class Observed:
    """What was seen of a build.

    Attributes:
        metadata: the metadata file's responses; empty where there is no file.
        record: the build's record, or None.
        artifacts: an output's index to what the tar it wrote says.
        missing: why a piece of evidence is missing, one sentence each.
        spread: whether several nodes built it, each for platforms of its own, and buildx joined nothing: metadata and
            record are then those of one node.
    """

    metadata: Metadata = field(default_factory=Metadata)
    record: Record | None = None
    artifacts: Mapping[int, Image] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    spread: bool = False


@dataclass(frozen=True)
class Attribution:
    """The outcome.

    Attributes:
        exporters: every exporter of the build.
        unknown: for each exporter that makes an image and has no digest: its key, and why.
    """

    exporters: tuple[ExporterResult, ...]
    unknown: Mapping[str, str]


def needs_record(requested: Requested, metadata: Metadata) -> bool:
    """Whether something depends on the record: the metadata file alone does not say whose digest is whose."""
    if not requested.exports or metadata.separate is not None:
        return False
    if requested.may_default:
        # With nothing asked for only the record says whether the driver exported, and as what.
        return _has_image(metadata)
    return _image_makers(requested) > 1 or requested.may_add_docker > requested.adds_docker


def makes_image(requested: Requested) -> bool:
    """Tell whether a build may make an image, so that there is a digest to be derived."""
    return requested.may_default or _image_makers(requested) > 0


def uses_response(requested: Requested) -> bool:
    """Tell whether a digest may be derived from the merged response: only one exporter can have reported it."""
    return requested.may_default or _image_makers(requested) == 1


def attribute(requested: Requested, observed: Observed) -> Attribution:
    """Give every exporter its digest.

    Args:
        requested: the exporters asked for.
        observed: what was seen of the build.

    Raises:
        DisagreementError: two sources say different things of one exporter.
    """
    if observed.spread:
        observed = replace(observed, metadata=Metadata(observed.metadata.ref), record=None)
    metadata, record = observed.metadata, observed.record
    recorded = _recorded(record)
    record_matches = match(requested, recorded)
    responses = [ObservedExporter(each.type, each.id, each.names) for each in metadata.separate or ()]
    response_matches = match(requested, responses)
    added = _added(requested, observed, recorded, record_matches, responses, response_matches)
    sole = _sole_image_maker(requested, [exporter for exporter, _, _ in added], recorded, observed)
    known = _known_imageids(observed)
    exporters, unknown = [], {}
    asked = [
        (exporter, record_matches.places.get(place), response_matches.places.get(place))
        for place, exporter in enumerate(requested.exporters)
    ]
    for exporter, record_place, response_place in [*asked, *added]:
        said: _Said = []
        if metadata.separate is not None:
            if response_place is not None:
                said.append(("response", "its response in the metadata file", metadata.separate[response_place].image))
        elif exporter is sole:
            said.append(("response", "the metadata file", _merged_image(exporter, metadata.merged.image)))
        if record is not None and record_place is not None and record_place in record.images:
            said.append(("record", "the build record", record.images[record_place]))
        if exporter.index in observed.artifacts:
            said.append(("artifact", f"the artifact {exporter.dest}", observed.artifacts[exporter.index]))
        said = [(evidence, source, with_known_imageids(image, known)) for evidence, source, image in said]
        result = _result(exporter, said)
        exporters.append(result)
        if result.digest is None and exporter.type not in FILE_TYPES:
            unknown[result.key] = _why(said, observed)
    return Attribution(tuple(exporters), unknown)


def _known_imageids(observed: Observed) -> dict[str, str]:
    """Digest of every manifest that was seen to the digest of its config."""
    images = [*(observed.record.images.values() if observed.record else ()), *observed.artifacts.values()]
    return {each.digest: each.imageid for image in images for each in image.platforms if each.imageid}


def _recorded(record: Record | None) -> list[ObservedExporter]:
    return [
        ObservedExporter(
            type=exporter.type or None,
            id=(exporter.attributes or {}).get("id"),
            names=_names(exporter.attributes or {}),
            attributes=exporter.attributes or {},
        )
        for exporter in (record.exporters if record else ())
    ]


def _names(attributes: Mapping[str, str]) -> tuple[str, ...] | None:
    if not attributes:
        return None
    return tuple(name.strip() for name in attributes.get("name", "").split(",") if name.strip())


_Added = list[tuple[RequestedExporter, int | None, int | None]]


def _added(  # noqa: PLR0913, PLR0917
    requested: Requested,
    observed: Observed,
    recorded: Sequence[ObservedExporter],
    record_matches: Matches,
    responses: Sequence[ObservedExporter],
    response_matches: Matches,
) -> _Added:
    """The exporters that buildx added, each with its place in the record and among the separate responses."""
    if recorded and record_matches.added:
        return [
            (_as_added(requested, number, recorded[place]), place, None)
            for number, place in enumerate(record_matches.added)
        ]
    if responses and response_matches.added:
        return [
            (_as_added(requested, number, responses[place]), None, place)
            for number, place in enumerate(response_matches.added)
        ]
    kinds = ["image"] * requested.adds_image + ["docker"] * requested.adds_docker
    if requested.may_default and _has_image(observed.metadata):
        kinds = ["image"]
    return [(requested.added(number, kind), None, None) for number, kind in enumerate(kinds)]


def _as_added(requested: Requested, number: int, observed: ObservedExporter) -> RequestedExporter:
    kind = "image" if observed.type in {None, "moby"} else str(observed.type)
    return requested.added(number, kind, observed.names or None)


def _sole_image_maker(
    requested: Requested,
    added: Sequence[RequestedExporter],
    recorded: Sequence[ObservedExporter],
    observed: Observed,
) -> RequestedExporter | None:
    """The one exporter that the merged response can come from, or None where there may be several."""
    makers = [exporter for exporter in (*requested.exporters, *added) if exporter.type not in FILE_TYPES]
    if len(makers) != 1:
        return None
    if recorded:
        images = [each for each in recorded if each.type not in FILE_TYPES]
        return makers[0] if len(images) == 1 else None
    surely = requested.adds_docker or not requested.may_add_docker
    images_in_record = observed.record.images if observed.record else {}
    return makers[0] if surely and len(images_in_record) <= 1 else None


def _merged_image(exporter: RequestedExporter, image: Image) -> Image:
    """What the merged response says of its one exporter.

    Docker 20.10 calls an image ID `containerimage.digest`, and says nothing beside it. It keeps the image itself:
    what was pushed or written to a file has a digest.
    """
    alone = image.digest is not None and image.imageid is None and image.descriptor is None
    kept = not exporter.push and exporter.dest is None
    return Image(imageid=image.digest) if alone and kept else image


def _image_makers(requested: Requested) -> int:
    makers = sum(1 for exporter in requested.exporters if exporter.type not in FILE_TYPES)
    return makers + requested.adds_image + requested.adds_docker


def _has_image(metadata: Metadata) -> bool:
    image = metadata.merged.image
    return bool(image.digest or image.imageid)


def _result(exporter: RequestedExporter, said: _Said) -> ExporterResult:
    _check_agreement(exporter, said, "digest")
    _check_agreement(exporter, said, "imageid")
    first = next(((evidence, image) for evidence, _, image in said if image.digest), None)
    if first is None:
        first = next(((evidence, image) for evidence, _, image in said if image.imageid), None)
    evidence, image = first or (None, Image())
    descriptor = next((each.descriptor for _, _, each in said if each.descriptor), None)
    platforms = max((each.platforms for _, _, each in said), key=_detail, default=())
    return ExporterResult(
        key=exporter.key,
        index=exporter.index,
        id=exporter.id,
        type=exporter.type,
        names=exporter.names,
        push=exporter.push,
        dest=exporter.dest,
        digest=image.digest,
        imageid=_imageid(said),
        descriptor=result_descriptor(descriptor),
        platforms=tuple(
            PlatformResult(platform=each.platform, digest=each.digest, imageid=each.imageid) for each in platforms
        ),
        evidence=evidence,
    )


def _detail(platforms: Sequence[object]) -> tuple[int, int]:
    return len(platforms), sum(1 for each in platforms if getattr(each, "imageid", None))


def _imageid(said: _Said) -> str | None:
    """The image ID: what a source says, else buildx's own rule for a response, which falls back to the digest."""
    known = next((image.imageid for _, _, image in said if image.imageid), None)
    if known:
        return known
    return next((image.digest for evidence, _, image in said if evidence == "response"), None)


def _check_agreement(exporter: RequestedExporter, said: _Said, what: str) -> None:
    values = [(source, value) for _, source, image in said if (value := getattr(image, what))]
    for source, value in values[1:]:
        first_source, first = values[0]
        if value != first:
            name = "digest" if what == "digest" else "image ID"
            message = (
                f"exporter {exporter.key} ({exporter.type}): {first_source} says {name} {first}, "
                f"{source} says {value}; neither is handed on. If another build writes to the same place, "
                "run one after the other"
            )
            raise DisagreementError(message)


def _why(said: _Said, observed: Observed) -> str:
    if observed.spread:
        return (
            "several nodes built it, and buildx says what the first of them made; push the image, so that buildx joins "
            "what they made, or build with one node"
        )
    if any(image.imageid for evidence, _, image in said if evidence != "artifact"):
        return (
            "the engine's image store gives an image ID and no digest; push the image, or use the containerd image "
            "store (https://docs.docker.com/engine/storage/containerd/)"
        )
    if observed.missing:
        return "; ".join(observed.missing)
    if observed.record is not None and not observed.record.exporters:
        return "the build record does not say which exporters ran: update BuildKit to 0.14 or later (Docker 27)"
    if observed.record is not None:
        return "nothing in the build record is certain to be its result"
    return "the metadata file does not say which exporter its digest belongs to, and there is no build record"
