"""What differs between two images: config, layers and size of each platform.

Config and layers are compared, and these do not count:

- attestations and annotations: they are beside config and layers;
- times: `created` of the config and of its history, and the label `org.opencontainers.image.created`. BuildKit takes
  the times of cached steps from the cache, but a build without that cache makes the same layers at another time;
- members of the config that the OCI specification does not define, such as the inline cache, and empty members: buildx
  prints neither;
- how a layer is compressed: layers are compared by their diff IDs, the digests of their uncompressed tars.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from action.dataclass import dataclass

_COMPARED = frozenset(
    ("author", "architecture", "os", "os.version", "os.features", "variant", "config", "rootfs", "history")
)
_DOCKER_MEMBERS = {"Healthcheck": "HEALTHCHECK", "OnBuild": "ONBUILD", "Shell": "SHELL"}
"""Members of a config that only Docker defines, to the instruction in the history that sets them. buildx does not print
them (docker/buildx 0.38, util/imagetools/loader.go)."""

_CREATED_LABEL = "org.opencontainers.image.created"


@dataclass(frozen=True)
class Layer:
    """A layer of an image.

    Attributes:
        digest: the digest of the compressed layer.
        size: its compressed size in bytes.
        diff_id: the digest of the uncompressed layer, or None if the config does not name it.
        created_by: the beginning of the instruction that made it, or empty if the config does not name it.
    """

    digest: str
    size: int
    diff_id: str | None = None
    created_by: str = ""

    def document(self) -> dict[str, object]:
        """Return the layer as an object of the results document, in JSON values."""
        return {"digest": self.digest, "size": self.size, "created_by": self.created_by or None}


@dataclass(frozen=True)
class PlatformContent:
    """The image of one platform.

    Attributes:
        config: its config, in JSON values.
        config_size: the size of the config in bytes.
        layers: its layers, the first one at the bottom.
        printed: whether the config is what buildx prints of it, without the members that only Docker defines.
    """

    config: Mapping[str, object]
    config_size: int
    layers: tuple[Layer, ...]
    printed: bool = False

    @property
    def size(self) -> int:
        """The compressed size of config and layers, in bytes."""
        return self.config_size + sum(layer.size for layer in self.layers)


@dataclass(frozen=True, kw_only=True)
class PlatformComparison:
    """What differs between the images of one platform.

    Attributes:
        platform: the platform, or None if it is unknown.
        changed: whether config or layers differ.
        size: the compressed size of config and layers of the build's image in bytes, or None without such an image.
        compared_size: the size of the compared image, or None without such an image.
        added: the layers that only the build's image has.
        removed: the layers that only the compared image has.
    """

    platform: str | None
    changed: bool
    size: int | None
    compared_size: int | None
    added: tuple[Layer, ...] = ()
    removed: tuple[Layer, ...] = ()

    def document(self) -> dict[str, object]:
        """Return it as an object of the results document, in JSON values."""
        return {
            "platform": self.platform,
            "changed": self.changed,
            "size": self.size,
            "compared_size": self.compared_size,
            "added": [layer.document() for layer in self.added],
            "removed": [layer.document() for layer in self.removed],
        }


@dataclass(frozen=True)
class Comparison:
    """The comparison of an exporter's image with another image.

    Attributes:
        image: the name of the other image, as the user wrote it.
        digest: its digest; None if it does not exist or is not known.
        changed: whether config or layers differ for a platform, or a platform is missing in one of the two; None if it
            is not known.
        platforms: the platforms of both images; empty if they are not known.
    """

    image: str
    digest: str | None
    changed: bool | None
    platforms: tuple[PlatformComparison, ...] = ()

    def document(self) -> dict[str, object]:
        """Return it as an object of the results document, in JSON values."""
        return {
            "image": self.image,
            "digest": self.digest,
            "changed": self.changed,
            "platforms": [each.document() for each in self.platforms],
        }


def compare_platforms(
    built: Mapping[str | None, PlatformContent], other: Mapping[str | None, PlatformContent]
) -> tuple[PlatformComparison, ...]:
    """Compare two images platform by platform.

    Args:
        built: platform to the image that was built.
        other: platform to the image that it is compared with.

    Returns:
        A comparison for each platform of the first image, and then for each that only the second has.
    """
    return tuple(_compare(name, built.get(name), other.get(name)) for name in dict.fromkeys((*built, *other)))


def _compare(platform: str | None, built: PlatformContent | None, other: PlatformContent | None) -> PlatformComparison:
    layers = (built.layers if built else (), other.layers if other else ())
    added, removed = _difference(*layers), _difference(*reversed(layers))
    changed = True
    if built is not None and other is not None:
        # The order of layers counts too; a config names it only if it has diff IDs.
        same = [_identity(layer) for layer in built.layers] == [_identity(layer) for layer in other.layers]
        changed = not same or not _same_configs(built, other)
    return PlatformComparison(
        platform=platform,
        changed=changed,
        size=built.size if built else None,
        compared_size=other.size if other else None,
        added=added,
        removed=removed,
    )


def _same_configs(built: PlatformContent, other: PlatformContent) -> bool:
    configs = [comparable(built.config), comparable(other.config)]
    if built.printed or other.printed:
        # BuildKit writes the instruction with its whole value into the history (frontend/dockerfile/dockerfile2llb,
        # `commitToHistory`), which is compared.
        if not all(map(_is_recorded, configs)):
            return False
        configs = [_without_docker_members(config) for config in configs]
    return configs[0] == configs[1]


def _is_recorded(config: Mapping[str, object]) -> bool:
    """Return whether the history of a config has each member that only Docker defines."""
    inner, history = config.get("config"), config.get("history")
    made_by = " ".join(str(entry) for entry in history) if isinstance(history, list) else ""
    members = inner if isinstance(inner, dict) else {}
    return all(instruction in made_by for member, instruction in _DOCKER_MEMBERS.items() if member in members)


def _without_docker_members(config: Mapping[str, object]) -> Mapping[str, object]:
    inner = config.get("config")
    if not isinstance(inner, dict):
        return config
    return {**config, "config": {name: value for name, value in inner.items() if name not in _DOCKER_MEMBERS}}


def comparable(config: Mapping[str, object]) -> Mapping[str, object]:
    """Return a config without what does not count."""
    kept = {key: value for key, value in config.items() if key in _COMPARED and value}
    if isinstance(history := kept.get("history"), list):
        kept["history"] = [_without(entry, "created") for entry in history]
    if isinstance(inner := kept.get("config"), dict):
        kept["config"] = _without({**inner, "Labels": _without(inner.get("Labels"), _CREATED_LABEL)}, "")
    return kept


def _without(value: object, key: str) -> object:
    """Return an object without a member and without empty ones; any other value as it is."""
    return {name: each for name, each in value.items() if name != key and each} if isinstance(value, dict) else value


def _difference(layers: Sequence[Layer], others: Sequence[Layer]) -> tuple[Layer, ...]:
    """Return the layers that are not among the others; a layer can be in an image several times."""
    left = Counter(map(_identity, others))
    found = []
    for layer in layers:
        if left[_identity(layer)] > 0:
            left[_identity(layer)] -= 1
        else:
            found.append(layer)
    return tuple(found)


def _identity(layer: Layer) -> str:
    return layer.diff_id or layer.digest
