"""The place where cases run: the kind of engine, its features, and the registries."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

EngineKind = Literal["containerd", "classic", "container", "remote"]
"""Docker with the containerd image store, Docker with the classic store, or a builder of the named driver."""


@dataclass(frozen=True)
class Abilities:
    """The features of an engine; buildx rejects a build that needs others.

    Attributes:
        images: how many image outputs one build may have.
        archives: whether it writes OCI and docker tars.
        attests: whether it supports attestations.
        platforms: whether it builds for several platforms at once.
        caches: whether it writes caches of the types registry and local.
        own_driver: whether the builder is not the Docker Engine itself: it can push by digest, and keeps no image.
    """

    images: int = 4
    archives: bool = True
    attests: bool = True
    platforms: bool = True
    caches: bool = True
    own_driver: bool = False


ABILITIES: Mapping[EngineKind, Abilities] = {
    "containerd": Abilities(),
    "classic": Abilities(images=1, archives=False, attests=False, platforms=False, caches=False),
    "container": Abilities(own_driver=True),
    "remote": Abilities(own_driver=True),
}


@dataclass(frozen=True)
class Names:
    """The parts of image names that differ between runs.

    Attributes:
        first: the address of a registry.
        second: the address of another registry.
        nonce: a text that makes the names unique to the run.
    """

    first: str = "first.test:5000"
    second: str = "second.test:5000"
    nonce: str = "nonce"


@dataclass(frozen=True)
class Place:
    """A running engine, and two registries.

    Attributes:
        kind: the kind of engine.
        environment: the environment variables with which docker reaches the engine.
        first: the address of a registry.
        second: the address of another registry.
    """

    kind: EngineKind
    environment: Mapping[str, str]
    first: str
    second: str


def new_nonce() -> str:
    """Return a random text for the names of one run."""
    return uuid.uuid4().hex[:12]
