"""The exporters of a build with their digests, and the source of each digest.

Plain data classes, so that a step can report its digests without any package. `action.results` has the same members as
models of the results document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Literal

from action.dataclass import dataclass
from action.exporters.output import FILE_TYPES
from action.oci.comparison import Comparison
from action.oci.image import ManifestDescriptor, PlatformImage
from action.oci.reference import parse_reference

Evidence = Literal["response", "record", "artifact"]
"""The source of a digest."""


@dataclass(frozen=True, kw_only=True)
class AttributedExporter:
    """One exporter of a build; the results schema describes each member.

    Attributes:
        key: its exporter ID, or its index as text.
        index: the zero-based position of its output; exporters that buildx adds come after the outputs.
        id: its exporter ID, or None.
        type: its type, such as `image`.
        names: the image names that it was given.
        push: whether its image was pushed.
        dest: the path that it writes to, or None.
        digest: the digest of the manifest or index that it made, or None if it is not known.
        imageid: the image ID, or None.
        descriptor: the descriptor of the manifest or index, or None.
        platforms: the platforms of its image, empty if they are not known.
        evidence: the source of the digest, or None.
        comparison: the comparison with another image, or None if there was none.
        size: the size of the configs and layers of all platforms, in bytes, or None if it is not known.
    """

    key: str
    index: int
    id: str | None
    type: str
    names: tuple[str, ...]
    push: bool
    dest: str | None
    digest: str | None
    imageid: str | None
    descriptor: ManifestDescriptor | None
    platforms: tuple[PlatformImage, ...]
    evidence: Evidence | None
    comparison: Comparison | None = None
    size: int | None = None

    def document(self) -> dict[str, object]:
        """Return the exporter as an object of the results document, in JSON values."""
        descriptor = self.descriptor and {
            "mediaType": self.descriptor.media_type,
            "digest": self.descriptor.digest,
            "size": self.descriptor.size,
        }
        platforms = [
            {"platform": each.platform, "digest": each.digest, "imageid": each.imageid, "size": each.size}
            for each in self.platforms
        ]
        return {
            "key": self.key,
            "index": self.index,
            "id": self.id,
            "type": self.type,
            "names": list(self.names),
            "push": self.push,
            "dest": self.dest,
            "digest": self.digest,
            "imageid": self.imageid,
            "size": self.size,
            "descriptor": descriptor,
            "platforms": platforms,
            "evidence": self.evidence,
            **({"comparison": self.comparison.document()} if self.comparison else {}),
        }


@dataclass(frozen=True, kw_only=True)
class AttributedCache:
    """One cache exporter of a build; the results schema describes each member.

    Attributes:
        key: its ID, or its index as text.
        index: the zero-based position of its entry in `cache-to`.
        id: its ID, or None.
        type: its type, such as `registry`.
        ref: the image name of a cache in a registry, or None.
        dest: the folder of a local cache, or None.
        digest: the digest of the manifest or index that it wrote, or None if there is none or it is not known.
        evidence: the source of the digest, or None.
    """

    key: str
    index: int
    id: str | None
    type: str
    ref: str | None
    dest: str | None
    digest: str | None
    evidence: Evidence | None

    def document(self) -> dict[str, object]:
        """Return the cache exporter as an object of the results document, in JSON values."""
        return {name: getattr(self, name) for name in _CACHE_MEMBERS}


_CACHE_MEMBERS = ("key", "index", "id", "type", "ref", "dest", "digest", "evidence")


@dataclass(frozen=True)
class AttributedBuild:
    """One build with its exporters.

    Attributes:
        ref: `builder/node/ref`, or None if it is not known.
        exporters: its exporters: those of the outputs in the user's order, then those that buildx added.
        caches: its cache exporters, in the user's order.
    """

    ref: str | None
    exporters: tuple[AttributedExporter, ...] = ()
    caches: tuple[AttributedCache, ...] = ()

    @property
    def digest(self) -> str | None:
        """The digest of the first exporter that makes an image, or None if that is not known."""
        first = first_image_exporter(self.exporters)
        return first.digest if first else None

    @property
    def imageid(self) -> str | None:
        """The image ID of the first exporter that makes an image, or None if that is not known."""
        first = first_image_exporter(self.exporters)
        return first.imageid if first else None

    @property
    def digests(self) -> dict[str, str]:
        """Key to digest, in the user's order, of every exporter that has one."""
        return {exporter.key: exporter.digest for exporter in self.exporters if exporter.digest}

    @property
    def imageids(self) -> dict[str, str]:
        """Key to image ID, in the user's order, of every exporter that has one."""
        return {exporter.key: exporter.imageid for exporter in self.exporters if exporter.imageid}

    @property
    def changed(self) -> dict[str, bool]:
        """Key to whether the image changed, in the user's order, of every exporter for which that is known."""
        compared = {exporter.key: exporter.comparison for exporter in self.exporters if exporter.comparison}
        return {key: each.changed for key, each in compared.items() if each.changed is not None}

    @property
    def cache_digests(self) -> dict[str, str]:
        """Key to digest, in the user's order, of every cache exporter that has one."""
        return {cache.key: cache.digest for cache in self.caches if cache.digest}

    def document(self) -> dict[str, object]:
        """Return the results document of the build, in JSON values."""
        return {
            "version": 1,
            "ref": self.ref,
            "digest": self.digest,
            "imageid": self.imageid,
            "exporters": [exporter.document() for exporter in self.exporters],
            "caches": [cache.document() for cache in self.caches],
        }


def document_text(builds: Mapping[str, AttributedBuild], *, bake: bool) -> str:
    """Return the results document as text, indented by two spaces.

    Args:
        builds: target name to what its build made; a build that is not of a bake has an empty name.
        bake: whether the builds are those of a bake.
    """
    # Not by the models: they would refuse a document that breaks a rule, after its images were pushed.
    targets = {name: build.document() for name, build in builds.items()}
    document = {"version": 1, "targets": targets} if bake else targets[""]
    return json.dumps(document, indent=2, ensure_ascii=False)


def first_image_exporter(exporters: Iterable[AttributedExporter]) -> AttributedExporter | None:
    """Return the first exporter that makes an image, or None; `digest` and `imageid` of a build are this one's."""
    return next((exporter for exporter in exporters if exporter.type not in FILE_TYPES), None)


def other_pushed(build: AttributedBuild) -> str | None:
    """Return a notice if `digest` is of an image that was not pushed although another image was; otherwise None."""
    first = first_image_exporter(build.exporters)
    pushed_exporters = [exporter for exporter in build.exporters if exporter.push]
    if first is None or first.push or not pushed_exporters:
        return None
    keys = " and ".join(exporter.key for exporter in pushed_exporters)
    several = len(pushed_exporters) > 1
    return (
        f"`digest` is of exporter {first.key} ({first.type}), the first that makes an image, which was not pushed; "
        f"{'exporters' if several else 'exporter'} {keys} {'were' if several else 'was'}: use the digest under that "
        "key in `digests`"
    )


def pushed(exporters: Iterable[AttributedExporter], *, platforms: bool = False) -> tuple[tuple[str, str], ...]:
    """Return `(repository, digest)` of each pushed image, each pair once; a repository includes its registry.

    Args:
        exporters: the exporters.
        platforms: whether the image of each platform follows the index that names it.
    """
    pairs = [
        (reference.repository, digest)
        for exporter in exporters
        if exporter.push and exporter.digest
        for name in exporter.names
        if (reference := parse_reference(name))
        for digest in (exporter.digest, *(each.digest for each in exporter.platforms if platforms))
    ]
    return tuple(dict.fromkeys(pairs))


def references(exporters: Iterable[AttributedExporter], *, platforms: bool = False) -> list[str]:
    """Return `name@digest` of each pushed image; arguments as for `pushed`."""
    return [f"{repository}@{digest}" for repository, digest in pushed(exporters, platforms=platforms)]


def checksums(exporters: Iterable[AttributedExporter], *, platforms: bool = False) -> str:
    """Return a line for each pushed image in the form of `sha256sum`: the hash in hexadecimal, two spaces, the name.

    actions/attest takes this form as `subject-checksums`. Arguments as for `pushed`.
    """
    pairs = pushed(exporters, platforms=platforms)
    return "".join(f"{digest.partition(':')[2]}  {repository}\n" for repository, digest in pairs)
