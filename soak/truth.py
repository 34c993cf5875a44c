"""What is true of each exporter of a build, as the other end tells it: registry, tar, folder, engine, record.

If an exporter alone pushed a name, wrote a tar or a folder, or named an image in the engine, what is there now is its
digest. Otherwise the digest that the step gives is taken, and counts as true only if its bytes are where the exporter
put them and the images in it are those that the same output makes in a build of its own.

A digest may be absent only on the classic image store, and there only if the image was not pushed: that store keeps a
config and no manifest. On every other engine of the soak each exporter that makes an image has a digest that could be
known: each is new enough to record what every exporter made, and one node builds it all.
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
"""Pairs of a repository, its registry included, and a digest."""


@dataclass(frozen=True)
class Truth:
    """What is true of an exporter.

    Attributes:
        digests: the digests that are right; none where the step can have none.
        knowable: whether a digest that is absent could have been known.
        imageids: the image IDs that are right; none where nothing can be said.
        pushed: what registries serve of it.
        image: what the bytes of the digest say, or None where the bytes are not at hand.
        source: which other end tells it.
    """

    digests: frozenset[str] = frozenset()
    knowable: bool = False
    imageids: frozenset[str] = frozenset()
    pushed: Pushed = frozenset()
    image: Image | None = None
    source: str = ""


@dataclass(frozen=True)
class Claim:
    """The digest and the image ID that a step gives an exporter, and the build's reference."""

    digest: str | None
    imageid: str | None


@dataclass
class OtherEnd:
    """The other end of one build that succeeded.

    Attributes:
        case: the case.
        target: the build, its matrix expanded.
        exporters: its exporters.
        place: where it ran.
        folder: where the paths of its outputs start.
        ref: the last part of its reference, or nothing.
        nonce: what the label of its images says.
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
        """Tell what is true of an exporter."""
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
            # That store keeps a config and no manifest.
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
        """The digest that is claimed, if its bytes are there and what is in it is what the output makes by itself."""
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
            # Built again without a cache it has another time in it; loaded it may be packed in another way.
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
        """The digests of the images, one for each platform, that the output makes by itself."""
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
        """The image ID: in an engine what `docker image inspect` says, else the config's digest or the index's own."""
        own = frozenset((found.image.config or found.image.digest,)) if found.image else frozenset()
        if not exporter.is_kept(self.place.kind):
            return own
        if exporter.names and self._keeps_alone(exporter):
            inspected = [images.kept(name, self.place.environment) for name in exporter.names]
            return frozenset(str(each["Id"]) for each in inspected if each)
        inspected = [images.kept(each, self.place.environment) for each in (claim.imageid, claim.digest) if each]
        known = frozenset(str(each["Id"]) for each in inspected if each and self._is_own(each, own | found.digests))
        # An image that has no name, or whose name another one took, may be gone from the engine.
        return known or own | found.digests

    def _is_own(self, image: Mapping[str, Any], right: frozenset[str]) -> bool:
        """Whether an image of the engine is of this build: the classic store has no digest, so that its label tells."""
        if self.place.kind == "classic":
            return bool(image["Config"]["Labels"][LABEL] == self.nonce)
        return image["Id"] in right

    def _kept_digest(self, name: str) -> str | None:
        image = images.kept(name, self.place.environment)
        return str(image["Descriptor"]["digest"]) if image else None

    def _keeps_alone(self, exporter: Exporter) -> bool:
        return self._alone(exporter, lambda other: other.is_kept(self.place.kind))

    def _alone(self, exporter: Exporter, does: Callable[[Exporter], bool]) -> bool:
        """Whether no other exporter that does the same has one of its names."""
        own = set(map(full_name, exporter.names))
        others = [each for each in self.exporters if each is not exporter and does(each)]
        return not any(own & set(map(full_name, each.names)) for each in others)
