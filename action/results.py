"""The results document (`schemas/results.schema.json`) as models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from msgspec import Struct

from action.oci.models import Descriptor, Digest
from action.oci.reference import parse_reference

FILE_TYPES = frozenset(("local", "tar"))
"""Exporter types that make files and no image. Any other type may make an image."""

Evidence = Literal["response", "record", "artifact"]
"""Where a digest comes from."""


class ResultDescriptor(Struct, frozen=True, kw_only=True):
    """The descriptor of a manifest or index; `size` in bytes."""

    mediaType: str  # noqa: N815  # the name in the OCI specification, and in the document
    digest: Digest
    size: int


class PlatformResult(Struct, frozen=True, kw_only=True):
    """One platform's image: its manifest's digest, and its image ID where that is known."""

    platform: str | None
    digest: Digest
    imageid: Digest | None


class ExporterResult(Struct, frozen=True, kw_only=True):
    """One exporter of a build; see the schema for each member's meaning."""

    key: str
    index: int
    id: str | None
    type: str
    names: tuple[str, ...]
    push: bool
    dest: str | None
    digest: Digest | None
    imageid: Digest | None
    descriptor: ResultDescriptor | None
    platforms: tuple[PlatformResult, ...]
    evidence: Evidence | None


class BuildResults(Struct, frozen=True, kw_only=True):
    """The results of one build: `ref` is `builder/node/ref`."""

    version: Literal[1] = 1
    ref: str | None
    digest: Digest | None
    imageid: Digest | None
    exporters: tuple[ExporterResult, ...]

    @property
    def digests(self) -> dict[str, str]:
        """Key to digest, in the user's order, of every exporter that has one."""
        return {exporter.key: exporter.digest for exporter in self.exporters if exporter.digest}

    @property
    def imageids(self) -> dict[str, str]:
        """Key to image ID, in the user's order, of every exporter that has one."""
        return {exporter.key: exporter.imageid for exporter in self.exporters if exporter.imageid}


class BakeResults(Struct, frozen=True, kw_only=True):
    """The results of a bake: target name to the results of its build."""

    version: Literal[1] = 1
    targets: dict[str, BuildResults]


def json_text(results: BuildResults | BakeResults) -> str:
    """The results document as text, indented."""
    return msgspec.json.format(msgspec.json.encode(results), indent=2).decode()


def json_values(part: tuple[ExporterResult, ...] | ResultDescriptor | None) -> Any:  # noqa: ANN401  # JSON
    """A part of the document as plain JSON values."""
    return msgspec.to_builtins(part)


def legacy_exporter(exporters: tuple[ExporterResult, ...]) -> ExporterResult | None:
    """Return the exporter that `digest` and `imageid` are of: the first that makes an image, known or not."""
    return next((exporter for exporter in exporters if exporter.type not in FILE_TYPES), None)


def results_of(ref: str | None, exporters: tuple[ExporterResult, ...]) -> BuildResults:
    """Return the results of one build; `digest` and `imageid` are those of its first exporter that makes an image."""
    first = legacy_exporter(exporters)
    return BuildResults(
        ref=ref,
        digest=first.digest if first else None,
        imageid=first.imageid if first else None,
        exporters=exporters,
    )


def result_descriptor(descriptor: Descriptor | None) -> ResultDescriptor | None:
    """The part of a descriptor that the document shows."""
    if descriptor is None:
        return None
    return ResultDescriptor(mediaType=descriptor.media_type, digest=descriptor.digest, size=descriptor.size)


def other_pushed(results: BuildResults) -> str | None:
    """Return a notice if `digest` is of an image that was not pushed, and another image was."""
    first = legacy_exporter(results.exporters)
    pushed = [exporter for exporter in results.exporters if exporter.push]
    if first is None or first.push or not pushed:
        return None
    keys = " and ".join(exporter.key for exporter in pushed)
    kind = "exporters" if len(pushed) > 1 else "exporter"
    return (
        f"`digest` is that of exporter {first.key} ({first.type}), the first that makes an image, which was not "
        f"pushed; {kind} {keys} {'were' if len(pushed) > 1 else 'was'}: take `digests` at that key"
    )


def pushed(exporters: Iterable[ExporterResult]) -> tuple[tuple[str, str], ...]:
    """The repository, registry included, and the digest of everything that was pushed; each pair once."""
    pairs = [
        (reference.repository, exporter.digest)
        for exporter in exporters
        if exporter.push and exporter.digest
        for name in exporter.names
        if (reference := parse_reference(name))
    ]
    return tuple(dict.fromkeys(pairs))


def references(exporters: Iterable[ExporterResult]) -> list[str]:
    """`name@digest` of everything that was pushed."""
    return [f"{repository}@{digest}" for repository, digest in pushed(exporters)]


def checksums(exporters: Iterable[ExporterResult]) -> str:
    """A line for everything that was pushed, as `sha256sum` writes them: the hash in hexadecimal, and the name.

    actions/attest takes this form as `subject-checksums`.
    """
    return "".join(f"{digest.partition(':')[2]}  {repository}\n" for repository, digest in pushed(exporters))
