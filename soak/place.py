"""Where a case runs: the kind of engine, what it can do, and where images are pushed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

EngineKind = Literal["containerd", "classic", "container", "remote"]
"""Docker with the containerd image store, Docker with the classic one, docker-container, remote."""


@dataclass(frozen=True)
class Abilities:
    """What an engine can do; the generator seldom asks for more, since buildx refuses it.

    Attributes:
        images: how many outputs that make an image one build may have.
        archives: whether it writes OCI and docker tars.
        attests: whether it takes attestations.
        platforms: whether it builds for several platforms at once.
        caches: whether it writes caches of the types registry and local.
        own_driver: whether the builder is not the Docker Engine itself: it then pushes by digest and keeps no image.
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
    """The parts of image names that the generator cannot know.

    Attributes:
        first: a registry's address.
        second: another's.
        nonce: what makes the names of this run unlike those of every other.
    """

    first: str = "first.test:5000"
    second: str = "second.test:5000"
    nonce: str = "nonce"


@dataclass(frozen=True)
class Place:
    """A running engine, and two registries.

    Attributes:
        kind: the kind of engine.
        environment: the environment of who uses it.
        first: a registry's address.
        second: another's.
    """

    kind: EngineKind
    environment: Mapping[str, str]
    first: str
    second: str


def new_nonce() -> str:
    """Text that no other run has in its names."""
    return uuid.uuid4().hex[:12]
