"""The results document (`schemas/results.schema.json`) as models."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from action.oci.image import DIGEST_PATTERN, MAX_DIGEST_LENGTH

Evidence = Literal["response", "record", "artifact"]
"""Where a digest comes from."""


Digest = Annotated[str, Meta(pattern=DIGEST_PATTERN, max_length=MAX_DIGEST_LENGTH)]


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
    """Return the results document as text, indented by two spaces."""
    return msgspec.json.format(msgspec.json.encode(results), indent=2).decode()
