"""What buildx and BuildKit do with a list of outputs, told from their sources (buildx 0.36, build/opt.go).

Every exporter that makes an image gets a digest of its own, so that a digest says whose it is.
"""

from __future__ import annotations

import hashlib
from typing import Any

from action.dataclass import dataclass, field, replace
from action.evidence.record import Record, RecordedExporter
from action.evidence.responses import Metadata, Response
from action.exporters.build_evidence import BuildEvidence
from action.exporters.output import Output, parse_outputs
from action.exporters.requested import Requested, requested_exporters
from action.oci.image import Image, ManifestDescriptor

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(owner: str) -> str:
    return "sha256:" + hashlib.sha256(owner.encode()).hexdigest()


@dataclass(frozen=True)
class Asked:
    """A user's build."""

    outputs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    push: bool = False
    load: bool = False


@dataclass(frozen=True)
class Engine:
    """What differs between engines and releases."""

    moby: bool = True
    load_beside_docker_tar: bool = False
    keeps_ids: bool = True
    names_moby: bool = False


@dataclass
class Ran:
    """An exporter that ran: whose it is (the output's index, or a name), and what BuildKit was told."""

    owner: str
    type: str
    attributes: dict[str, str]
    dest: str | None = None

    @property
    def makes_image(self) -> bool:
        return self.type in {"image", "moby", "oci", "docker"}


@dataclass
class Simulated:
    """A build that ran."""

    requested: Requested
    ran: list[Ran]
    digests: dict[str, str] = field(default_factory=dict)

    def own(self, key: str) -> str | None:
        """The digest of the exporter with a key, None where it made no image."""
        return self.digests.get(key)


def simulate(asked: Asked, engine: Engine) -> Simulated:
    outputs = parse_outputs(asked.outputs)
    ran = [_as_told(output, engine) for output in outputs]
    ran += _added(ran, asked, engine)
    ran = [_changed(each, asked, engine) for each in ran if each.type != "cacheonly"]
    requested = requested_exporters(outputs, tags=asked.tags, push=asked.push, load=asked.load)
    added = iter(range(len(outputs), len(outputs) + 3))
    keys = {each.owner: str(next(added)) if each.owner in _ADDED else each.owner for each in ran}
    return Simulated(requested, ran, {keys[each.owner]: digest_of(each.owner) for each in ran if each.makes_image})


_ADDED = frozenset(("pushed", "loaded", "default"))


def _as_told(output: Output, engine: Engine) -> Ran:
    attributes = dict(output.attributes)
    if output.id is not None and engine.keeps_ids:
        attributes["id"] = output.id
    if output.type == "registry":
        return Ran(output.id or str(output.index), "image", {**attributes, "push": "true"}, output.dest)
    return Ran(output.id or str(output.index), output.type, attributes, output.dest)


def _added(ran: list[Ran], asked: Asked, engine: Engine) -> list[Ran]:
    added = []
    if asked.push and not any(each.type == "image" for each in ran):
        added.append(Ran("pushed", "image", {}))
    docker = [each for each in ran if each.type == "docker"]
    if asked.load and (not docker or (engine.load_beside_docker_tar and all(each.dest for each in docker))):
        added.append(Ran("loaded", "docker", {}))
    if not (ran or added) and engine.moby:
        added.append(Ran("default", "image", {}))
    return added


def _changed(each: Ran, asked: Asked, engine: Engine) -> Ran:
    attributes, kind = dict(each.attributes), each.type
    if asked.push and kind == "image":
        attributes["push"] = "true"
    if asked.tags and kind in {"image", "oci", "docker"}:
        attributes["name"] = ",".join(asked.tags)
    if kind == "docker" and each.dest is None and engine.moby:
        kind = "image"
    if kind == "image" and engine.moby and engine.names_moby:
        kind = "moby"
    return Ran(each.owner, kind, attributes, each.dest)


def merged(simulated: Simulated) -> Response:
    """The flat response: the last exporter wins."""
    values: dict[str, object] = {"buildx.build.ref": "b/n/r"}
    for each in simulated.ran:
        if each.makes_image:
            values["containerimage.digest"] = digest_of(each.owner)
            values["containerimage.config.digest"] = digest_of(each.owner + " config")
            values["image.name"] = each.attributes.get("name", "")
    return Response(values)


def record(simulated: Simulated) -> Record:
    images = {}
    for place, each in enumerate(simulated.ran):
        if each.makes_image:
            descriptor = ManifestDescriptor(media_type=MANIFEST, digest=digest_of(each.owner), size=1)
            images[place] = Image(descriptor.digest, None, descriptor)
    exporters = tuple(RecordedExporter(each.type, each.attributes) for each in simulated.ran)
    return Record("record", "r", exporters, images, {})


def artifacts(simulated: Simulated) -> dict[int, Image]:
    own = {each.owner: each for each in simulated.ran}
    return {
        exporter.index: Image(digest_of(exporter.key))
        for exporter in simulated.requested.exporters
        if exporter.type in {"oci", "docker"} and exporter.dest and own[exporter.key].dest
    }


def separate(simulated: Simulated, *, ids: bool, types: bool) -> tuple[Response, ...]:
    responses = []
    for each in simulated.ran:
        values: dict[str, Any] = {"containerimage.digest": digest_of(each.owner)} if each.makes_image else {}
        identifier = each.attributes.get("id") if ids else None
        responses.append(Response(values, identifier, each.type if types else None))
    return tuple(responses)


def seen(simulated: Simulated) -> BuildEvidence:
    """All evidence that today's engines give."""
    return BuildEvidence(Metadata("b/n/r", merged(simulated)), record(simulated), artifacts(simulated))


def without_config(observed: BuildEvidence) -> BuildEvidence:
    return replace(observed, metadata=Metadata("b/n/r", Response({"buildx.build.ref": "b/n/r"})))
