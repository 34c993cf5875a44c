"""The true digest of each exporter, read from the place it exported to: registry, tar, folder, engine or record.

If only one exporter pushed a name, wrote a path, or named an image in the engine, the digest found there is the true
one. Otherwise the step's digest is taken as a claim: it is true if its content is in the place the exporter wrote to,
and if its images are those that the same output makes in a build of its own.

A digest may be absent only on the classic image store, and there only for an image that was not pushed, because that
store keeps the config and no manifest. Every other engine of the soak is new enough to record each exporter's digest,
and builds on one node, so no digest may be absent there.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from soak import images
from soak.case import Case, Target
from soak.command import LABEL, alone
from soak.exporters import Exporter
from soak.images import Blobs, Image, full_name
from soak.place import Place
from soak.run import run_bare

Pushed = frozenset[tuple[str, str]]
"""Pairs of a repository, with its registry, and a digest."""


@dataclass(frozen=True)
class Truth:
    """The truth about an exporter.

    Attributes:
        digests: the correct digests; empty if the step cannot know one.
        knowable: whether an absent digest is a fault.
        imageids: the correct image IDs; empty if they are not known.
        pushed: the repositories and digests that registries serve for it.
        image: the manifest or index with the digest, or None if its bytes cannot be read.
        source: the place that the truth was read from.
    """

    digests: frozenset[str] = frozenset()
    knowable: bool = False
    imageids: frozenset[str] = frozenset()
    pushed: Pushed = frozenset()
    image: Image | None = None
    source: str = ""


@dataclass(frozen=True)
class Claim:
    """The digest and the image ID that a step reports for an exporter."""

    digest: str | None
    imageid: str | None


@dataclass
class OtherEnd:
    """The places that one successful build exported to.

    Attributes:
        case: the case.
        target: the build, with its matrix expanded.
        exporters: its exporters.
        place: the engine and the registries.
        folder: the folder that the paths of its outputs are relative to.
        ref: the last part of `builder/node/ref`, or empty.
        nonce: the value of its images' label.
    """

    case: Case
    target: Target
    exporters: Sequence[Exporter]
    place: Place
    folder: Path
    ref: str
    nonce: str
    _likenesses: dict[tuple[str, bool], frozenset[str]] = field(default_factory=dict)

    def truth(self, exporter: Exporter, claim: Claim) -> Truth:
        """Return the truth about an exporter, with the step's claim as a candidate."""
        if not exporter.is_image:
            return Truth()
        found = self._found(exporter, claim)
        return replace(found, imageids=self._imageids(exporter, claim, found))

    def _found(self, exporter: Exporter, claim: Claim) -> Truth:
        if exporter.dest is not None:
            return self._written(self.folder / exporter.dest)
        pushed = self._served(exporter, claim)
        if exporter.push and pushed and self._alone(exporter, lambda other: other.push):
            digests = frozenset(digest for _, digest in pushed)
            return Truth(
                digests, knowable=True, pushed=pushed, image=self._pushed_image(exporter, digests), source="tag"
            )
        if self.place.kind == "classic":
            # The classic store keeps the config and no manifest, so no place has the digest.
            return Truth()
        if not exporter.push and exporter.is_kept(self.place.kind) and exporter.names and self._keeps_alone(exporter):
            digests = frozenset(filter(None, (self._kept_digest(name) for name in exporter.names)))
            image = self._recorded(next(iter(digests))) if len(digests) == 1 else None
            return Truth(digests, knowable=True, pushed=pushed, image=image, source="engine")
        return self._likely(exporter, claim, pushed)

    def _written(self, path: Path) -> Truth:
        if path.is_dir():
            found, source = images.folder_images(path), "folder"
        else:
            found, source = [images.tar_image(path)], "tar"
        image = found[0] if len(found) == 1 else None
        return Truth(frozenset(each.digest for each in found), knowable=True, image=image, source=source)

    def _served(self, exporter: Exporter, claim: Claim) -> Pushed:
        found = set()
        by_digest = bool(exporter.output and exporter.output.attribute("push-by-digest"))
        for registry, repository, tag in map(full_name, exporter.names):
            if registry not in {self.place.first, self.place.second} or self._pushed_by_another(
                exporter, (registry, repository, tag)
            ):
                continue
            reference = claim.digest if by_digest else tag
            there = images.served(registry, repository, reference) if reference else None
            if there:
                found.add((f"{registry}/{repository}", there[0]))
        return frozenset(found)

    def _pushed_by_another(self, exporter: Exporter, name: tuple[str, str, str]) -> bool:
        others = (other for other in self.exporters if other.push and not exporter.push)
        return any(name in map(full_name, other.names) for other in others)

    def _pushed_image(self, exporter: Exporter, digests: frozenset[str]) -> Image | None:
        (registry, repository, _), *_ = map(full_name, exporter.names)
        if len(digests) != 1:
            return None
        there = images.served(registry, repository, next(iter(digests)))
        return images.image_of(there[1], images.served_blobs(registry, repository, there[1])) if there else None

    def _likely(self, exporter: Exporter, claim: Claim, pushed: Pushed) -> Truth:
        """Return the claimed digest as true if its content exists and equals what the output makes in its own build."""
        if claim.digest is None:
            return Truth(knowable=True, source="record")
        image = self._by_digest(exporter, claim.digest) if exporter.push else self._recorded(claim.digest)
        if image is None:
            return Truth(knowable=True, source="record")
        if exporter.push:
            places = [full_name(name)[:2] for name in exporter.names]
            pushed = frozenset((f"{registry}/{repository}", claim.digest) for registry, repository in places)
        truth = Truth(frozenset((claim.digest,)), knowable=True, pushed=pushed, image=image, source="record")
        if "no-cache" in self.case.flags or "docker" in exporter.types:
            # A second build cannot be compared: without a cache its config has another time, and a loaded image may
            # have layers that are compressed in another way.
            return truth
        alike = self._likeness(exporter, attested=image.attested)
        same = {child.digest for child in image.children} == alike
        return replace(truth, source="built alone") if same else Truth(knowable=True, source="built alone")

    def _by_digest(self, exporter: Exporter, digest: str) -> Image | None:
        for registry, repository, _ in map(full_name, exporter.names):
            if there := images.served(registry, repository, digest):
                return images.image_of(there[1], images.served_blobs(registry, repository, there[1]))
        return None

    def _recorded(self, digest: str) -> Image | None:
        content = self._record.get(digest)
        return images.image_of(content, self._record) if content else None

    @cached_property
    def _record(self) -> Blobs:
        return images.record_blobs(self.ref, self.folder, self.place.environment) if self.ref else {}

    def _likeness(self, exporter: Exporter, *, attested: bool) -> frozenset[str]:
        """Build the output alone, and return the digests of its images, one for each platform."""
        key = (exporter.key, attested)
        if key not in self._likenesses:
            repository = f"alone-{uuid.uuid4().hex}"
            name = f"{self.place.first}/{repository}:1"
            case = alone(self.case, self.target, exporter.output, name, attested=attested)
            code, log = run_bare(case, self.folder, self.place.environment)
            there = images.served(self.place.first, repository, "1")
            if code or there is None:
                raise RuntimeError(f"the output cannot be built alone: {log[-2000:]}")
            self._likenesses[key] = frozenset(child.digest for child in images.image_of(there[1], {}).children)
        return self._likenesses[key]

    def _imageids(self, exporter: Exporter, claim: Claim, found: Truth) -> frozenset[str]:
        """Return the correct image IDs: in an engine those of `docker image inspect`, else config or index digest."""
        own = frozenset((found.image.config or found.image.digest,)) if found.image else frozenset()
        if not exporter.is_kept(self.place.kind):
            return own
        if exporter.names and self._keeps_alone(exporter):
            inspected = [images.kept(name, self.place.environment) for name in exporter.names]
            return frozenset(str(each["Id"]) for each in inspected if each)
        inspected = [images.kept(each, self.place.environment) for each in (claim.imageid, claim.digest) if each]
        known = frozenset(str(each["Id"]) for each in inspected if each and self._is_own(each, own | found.digests))
        # The engine may have removed an image without a name, or one whose name another exporter took.
        return known or own | found.digests

    def _is_own(self, image: Mapping[str, Any], right: frozenset[str]) -> bool:
        """Return whether an image of the engine is from this build.

        The classic store has no digest, so its images are recognized by their label.
        """
        if self.place.kind == "classic":
            return bool(image["Config"]["Labels"][LABEL] == self.nonce)
        return image["Id"] in right

    def _kept_digest(self, name: str) -> str | None:
        image = images.kept(name, self.place.environment)
        return str(image["Descriptor"]["digest"]) if image else None

    def _keeps_alone(self, exporter: Exporter) -> bool:
        return self._alone(exporter, lambda other: other.is_kept(self.place.kind))

    def _alone(self, exporter: Exporter, does: Callable[[Exporter], bool]) -> bool:
        """Return whether no other exporter that satisfies `does` shares one of its names."""
        own = set(map(full_name, exporter.names))
        others = [each for each in self.exporters if each is not exporter and does(each)]
        return not any(own & set(map(full_name, each.names)) for each in others)
