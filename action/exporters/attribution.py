"""Gives every exporter its digest, or none: never another's.

Per exporter the first that holds: (1) its separate response, (2) the merged response where only one exporter makes an
image, (3) the record, (4) the artifact it wrote, (5) nothing. Where two speak of one exporter they must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from action.errors import DisagreementError
from action.evidence.metadata_places import DIGEST, WARNINGS
from action.evidence.record import Record
from action.evidence.responses import Metadata
from action.exporters.attributed import (
    FILE_TYPES,
    AttributedDescriptor,
    AttributedExporter,
    AttributedPlatform,
    Evidence,
)
from action.exporters.matching import Matches, ObservedExporter, match
from action.exporters.names import as_reported
from action.exporters.requested import Requested, RequestedExporter
from action.inputs.booleans import go_boolean
from action.oci.image import INDEX_TYPES, Image, with_known_imageids
from action.oci.reference import repositories_of

_Said = list[tuple[Evidence, str, Image]]
"""What the sources say of one exporter: evidence, the source's name, the image; the strongest first."""


@dataclass(frozen=True)
class BuildEvidence:
    """What was seen of a build.

    Attributes:
        metadata: the metadata file's responses; empty where there is no file.
        record: the build's record, or None.
        artifacts: an output's index to what the tar it wrote says.
        missing: why a piece of evidence is missing, one sentence each.
        spread: whether several nodes built it, each for platforms of its own, and buildx joined nothing: metadata and
            record are then those of one node.
        docker: whether a Docker Engine itself built it (the driver `docker`), which keeps the images that it makes.
        asked_by_tag: whether the merged digest is what a registry answered when it was asked by tag.
        proved: `repository@digest` of images that are proved to be this build's.
    """

    metadata: Metadata = field(default_factory=Metadata)
    record: Record | None = None
    artifacts: Mapping[int, Image] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    spread: bool = False
    docker: bool = False
    asked_by_tag: bool = False
    proved: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Attribution:
    """The outcome.

    Attributes:
        exporters: every exporter of the build.
        unknown: for each exporter that makes an image and has no digest: its key, and why.
    """

    exporters: tuple[AttributedExporter, ...]
    unknown: Mapping[str, str]


def needs_record(requested: Requested, metadata: Metadata) -> bool:
    """Whether something depends on the record: the metadata file alone does not say whose digest is whose."""
    if not requested.exports or metadata.separate is not None:
        return False
    if metadata.distrusted or (metadata.ref is not None and not metadata.merged.values):
        # A fault keeps the response from being used, or a bake that failed wrote none for this target, which was built
        # all the same.
        return makes_image(requested)
    if requested.may_default:
        # With nothing asked for only the record says whether the driver exported, and as what.
        return _has_image(metadata)
    if _is_joined(metadata):
        return False
    if requested.by_chance:
        # The record alone says what the build exported, and what it pushed.
        return makes_image(requested)
    return _image_makers(requested) > 1 or requested.may_add_docker > requested.adds_docker


def makes_image(requested: Requested) -> bool:
    """Tell whether a build may make an image, so that there is a digest to be derived."""
    return requested.may_default or _image_makers(requested) > 0


def uses_response(requested: Requested) -> bool:
    """Tell whether a digest may be derived from the merged response: only one exporter can have reported it."""
    return requested.may_default or _image_makers(requested) == 1


def asked_by_tag(metadata: Metadata) -> bool:
    """Tell whether the merged digest is a registry's answer to a tag, which another push may have moved meanwhile.

    With the classic image store buildx asks so after a push (docker/buildx 0.38, build/build.go, remoteDigestWithMoby).
    BuildKit itself names a descriptor beside a digest, since 0.10.
    """
    image = metadata.merged.image
    return metadata.separate is None and bool(image.digest and image.imageid) and image.descriptor is None


def _is_joined(metadata: Metadata) -> bool:
    """Tell whether several nodes built it and buildx joined what they pushed.

    Then it reports the digest of the index and nothing else, not even which builds it is of (docker/buildx 0.38,
    build/build.go). One node's response names the build (since 0.13, the first release with several outputs).
    """
    values = metadata.merged.values
    keys = values.keys() - {WARNINGS}
    return metadata.separate is None and metadata.ref is None and keys == {DIGEST}


def attribute(requested: Requested, observed: BuildEvidence) -> Attribution:
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
    if sole is None and _is_joined(metadata):
        sole = _joined_exporter([*requested.exporters, *(exporter for exporter, _, _ in added)])
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
        elif exporter is sole or _has_pushed_classic_image(exporter, record_place, observed):
            said.append(("response", "the metadata file", _merged_image(exporter, observed)))
        if record is not None and record_place is not None and record_place in record.images:
            said.append(("record", "the build record", record.images[record_place]))
        if exporter.index in observed.artifacts:
            said.append(("artifact", f"the artifact {exporter.dest}", observed.artifacts[exporter.index]))
        said = [(evidence, source, with_known_imageids(image, known)) for evidence, source, image in said]
        ran = recorded[record_place] if record_place is not None else None
        loaded = exporter.type == "docker" or exporter.index >= requested.outputs
        reported = responses[response_place] if response_place is not None else ran
        result = _result(as_reported(requested, exporter, reported), said, observed, ran if loaded else None)
        exporters.append(result)
        if result.digest is None and exporter.type not in FILE_TYPES:
            unknown[result.key] = _why(exporter, said, observed)
    return Attribution(tuple(exporters), unknown)


def _known_imageids(observed: BuildEvidence) -> dict[str, str]:
    """Digest of every manifest that was seen to the digest of its config."""
    images = [*(observed.record.images.values() if observed.record else ()), *observed.artifacts.values()]
    return {
        each.digest: each.imageid
        for image in images
        for each in (image, *image.platforms)
        if each.digest and each.imageid
    }


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
    observed: BuildEvidence,
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
    observed: BuildEvidence,
) -> RequestedExporter | None:
    """The one exporter that the merged response can come from, or None where there may be several."""
    makers = [exporter for exporter in (*requested.exporters, *added) if exporter.type not in FILE_TYPES]
    if len(makers) != 1:
        return None
    if requested.by_chance and not recorded:
        return None
    if recorded:
        images = [each for each in recorded if each.type not in FILE_TYPES]
        return makers[0] if len(images) == 1 else None
    surely = requested.adds_docker or not requested.may_add_docker
    images_in_record = observed.record.images if observed.record else {}
    return makers[0] if surely and len(images_in_record) <= 1 else None


def _has_pushed_classic_image(exporter: RequestedExporter, record_place: int | None, observed: BuildEvidence) -> bool:
    """Tell whether it pushed the image of which the merged response has the registry's digest.

    The classic image store has one image for all exporters, and buildx asks the registry for one digest of it.
    """
    if (
        observed.record is None
        or record_place is None
        or not observed.asked_by_tag
        or not _asks_buildx_to_push(exporter)
    ):
        return False
    kept = observed.record.images.get(record_place, Image())
    return kept.digest is None and kept.imageid == observed.metadata.merged.image.imageid


def _asks_buildx_to_push(exporter: RequestedExporter) -> bool:
    """Tell whether buildx itself takes it for one that pushes: it ignores `push=`."""
    return exporter.push and (exporter.type == "registry" or exporter.attributes.get("push") != "")


def _joined_exporter(exporters: Sequence[RequestedExporter]) -> RequestedExporter | None:
    """Return the exporter whose images of several nodes buildx joins: the first image that it takes for pushed.

    Of the other images each node pushes its own under the same name.
    """
    pushed = (each for each in exporters if each.type in {"image", "registry"} and _asks_buildx_to_push(each))
    return next(pushed, None)


def _merged_image(exporter: RequestedExporter, observed: BuildEvidence) -> Image:
    """Return what the merged response says of an exporter.

    Docker 20.10 calls an image ID `containerimage.digest`, and says nothing beside it. It keeps the image itself:
    what was pushed or written to a file has a digest.
    """
    image = observed.metadata.merged.image
    if observed.asked_by_tag and not _is_proved(exporter, observed):
        return Image(imageid=image.imageid)
    alone = image.digest is not None and image.imageid is None and image.descriptor is None
    kept = not _asks_buildx_to_push(exporter) and exporter.dest is None
    return Image(imageid=image.digest) if alone and kept else image


def _is_proved(exporter: RequestedExporter, observed: BuildEvidence) -> bool:
    digest = observed.metadata.merged.image.digest
    repositories = repositories_of(exporter.names)
    return bool(repositories) and all(f"{each}@{digest}" in observed.proved for each in repositories)


def _image_makers(requested: Requested) -> int:
    makers = sum(1 for exporter in requested.exporters if exporter.type not in FILE_TYPES)
    return makers + requested.adds_image + requested.adds_docker


def _has_image(metadata: Metadata) -> bool:
    image = metadata.merged.image
    return bool(image.digest or image.imageid)


def _result(
    exporter: RequestedExporter, said: _Said, observed: BuildEvidence, loaded: ObservedExporter | None
) -> AttributedExporter:
    _check_agreement(exporter, said, "digest")
    _check_agreement(exporter, said, "imageid")
    first = next(((evidence, image) for evidence, _, image in said if image.digest), None)
    if first is None:
        first = next(((evidence, image) for evidence, _, image in said if image.imageid), None)
    evidence, image = first or (None, Image())
    descriptor = next((each.descriptor for _, _, each in said if each.descriptor), None)
    platforms = max((each.platforms for _, _, each in said), key=len, default=())
    return AttributedExporter(
        key=exporter.key,
        index=exporter.index,
        id=exporter.id,
        type=exporter.type,
        names=exporter.names,
        push=_is_pushed(exporter, said, observed),
        dest=exporter.dest,
        digest=image.digest,
        imageid=_imageid(said, in_containerd_store=_is_in_containerd_store(exporter, observed, loaded)),
        descriptor=AttributedDescriptor(
            media_type=descriptor.media_type, digest=descriptor.digest, size=descriptor.size
        )
        if descriptor is not None
        else None,
        platforms=tuple(
            AttributedPlatform(platform=each.platform, digest=each.digest, imageid=each.imageid) for each in platforms
        ),
        evidence=evidence,
    )


def _is_pushed(exporter: RequestedExporter, said: _Said, observed: BuildEvidence) -> bool:
    """Tell whether it was pushed, which depends on the builder.

    The docker driver makes an image exporter of `docker` without `dest`, other drivers do not. With the classic image
    store buildx pushes, and ignores `push=` (docker/buildx 0.38, build/build.go); elsewhere BuildKit does.
    """
    if not exporter.push or (exporter.type == "docker" and not observed.docker):
        return False
    return _asks_buildx_to_push(exporter) or not _is_in_classic_store(said)


def _is_in_classic_store(said: _Said) -> bool:
    """Tell whether an engine keeps it that knows images by their config: no manifest or index was named."""
    return any(image.imageid for _, _, image in said) and not any(image.descriptor for _, _, image in said)


def _is_in_containerd_store(
    exporter: RequestedExporter, observed: BuildEvidence, loaded: ObservedExporter | None
) -> bool:
    """Tell whether an engine keeps it that knows images by their manifest or index, if they have one.

    Args:
        exporter: the exporter.
        observed: what was seen of the build.
        loaded: the exporter in the record, if it loads into an engine.
    """
    if exporter.dest is not None or exporter.type in FILE_TYPES:
        return False
    if observed.docker:
        # What stays a docker exporter there writes a tar; a record does not say to which path.
        is_tar = exporter.type == "oci" or (loaded is not None and loaded.type == "docker")
        return not is_tar and go_boolean(exporter.attributes.get("store", "true")) is not False
    # Another builder sends OCI to a Docker with that store; since buildx 0.24 an attribute says so too.
    return loaded is not None and (loaded.type == "oci" or "prefer-image-digest" in (loaded.attributes or {}))


def _imageid(said: _Said, *, in_containerd_store: bool) -> str | None:
    """Return the image ID: in an engine what that finds it by, elsewhere what buildx calls so (commands/build.go).

    buildx takes the config's digest if the response has one, which it has for one plain manifest, and else the digest.
    """
    digest = next((image.digest for _, _, image in said if image.digest), None)
    named = [image.descriptor for _, _, image in said if image.descriptor]
    if digest and in_containerd_store and named:
        return digest
    if config := next((image.imageid for _, _, image in said if image.imageid), None):
        return config
    by_digest = any(descriptor.media_type in INDEX_TYPES for descriptor in named)
    return digest if by_digest or any(evidence == "response" for evidence, _, _ in said) else None


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


def _why(exporter: RequestedExporter, said: _Said, observed: BuildEvidence) -> str:
    # buildx 0.13 names no descriptor with the containerd store either, if several exporters made an image.
    answered = any(evidence == "response" for evidence, _, _ in said)
    if observed.asked_by_tag and answered and _asks_buildx_to_push(exporter):
        return (
            "the registry's digest is not proved to be this build's: with this image store buildx asks the registry by "
            "tag after the push, and another push may have moved the tag; run one after the other, or use the "
            "containerd image store (https://docs.docker.com/engine/storage/containerd/)"
        )
    if not said and _is_joined(observed.metadata):
        return (
            "several nodes built it, and buildx joins what they made for the first image that is pushed alone; build "
            "each image by itself, or all with one node"
        )
    return _why_no_digest(said, observed)


def _why_no_digest(said: _Said, observed: BuildEvidence) -> str:
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
