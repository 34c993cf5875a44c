"""The content of images, read from files, from BuildKit or from registries: the configs and layers of each platform."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from action.buildx.imagetools import Registries
from action.dataclass import dataclass
from action.errors import EvidenceError
from action.evidence.record import is_pipe_or_device
from action.exporters.attributed import AttributedExporter, references
from action.exporters.output import ARTIFACT_TYPES, STDOUT
from action.oci.comparison import PlatformContent
from action.oci.content import read_contents
from action.oci.layout import open_layout, read_blob
from action.oci.models import Document, parse
from action.oci.reference import check_digest
from action.pipeline.live_source import LiveSource

_ENGINE_SECONDS = 5.0
_NOWHERE = "BuildKit does not give its config, and it is in no registry and no file; add push, or an output with dest"


class EngineBlobs:
    """The blobs that BuildKit keeps of a run's builds.

    Only one thread at a time asks for them: `LiveSource` is not made for several.

    Args:
        live: reads from BuildKit's API.
    """

    def __init__(self, live: LiveSource) -> None:
        self._live: LiveSource | None = live
        self._lock = threading.Lock()

    def blob(self, ref: str | None, digest: str) -> bytes | None:
        """Return a blob, or None if BuildKit does not have it or does not answer.

        Args:
            ref: `builder/node/ref` of the build, or None.
            digest: the digest of the blob.
        """
        with self._lock:
            if self._live is None or ref is None:
                return None
            try:
                return self._live.blobs(ref, (digest,), seconds=_ENGINE_SECONDS).get(digest)
            except EvidenceError:
                # Not asked again: it could take as long for each blob.
                self._live = None
                return None


@dataclass(frozen=True)
class BuiltImages:
    """The images that a run built, read from files, from BuildKit or from registries.

    Attributes:
        folder: the folder that paths in outputs are relative to.
        engine: the blobs that BuildKit keeps.
        registries: the registries that images were pushed to.
    """

    folder: Path
    engine: EngineBlobs
    registries: Registries

    def contents(self, exporter: AttributedExporter, ref: str | None) -> Mapping[str | None, PlatformContent]:
        """Return the platforms of the image that an exporter made.

        Args:
            exporter: the exporter.
            ref: `builder/node/ref` of its build, or None.

        Raises:
            BuildDigestsError: the image cannot be read anywhere, or is not a container image.
        """
        if exporter.digest is None:
            raise EvidenceError("it has no digest by which its config and layers could be found")
        if exporter.type in ARTIFACT_TYPES and exporter.dest not in {None, STDOUT}:
            file = self.folder / str(exporter.dest)
            if not is_pipe_or_device(file):
                with open_layout(file) as layout:
                    return read_contents(exporter.digest, partial(read_blob, layout), str(exporter.dest))
        pushed = references((exporter,))
        served = RegistryBlobs(self.registries, pushed[0].partition("@")[0], {}) if pushed else None

        def blob(digest: str) -> bytes | None:
            # BuildKit first: a registry limits the number of requests, and each request starts buildx.
            data = self.engine.blob(ref, digest)
            if data is None and served:
                return served.blob(digest)
            if data is None:
                raise EvidenceError(_NOWHERE)
            return data

        return read_contents(exporter.digest, blob, pushed[0] if pushed else "BuildKit's store")


class RegistryBlobs:
    """The manifests and configs of a repository.

    Args:
        registries: reads from registries.
        repository: the full name of the repository.
        known: digest to the bytes of what is known already.
    """

    def __init__(self, registries: Registries, repository: str, known: Mapping[str, bytes]) -> None:
        self._registries = registries
        self._repository = repository
        self._known = known
        self._manifests = {config: digest for digest, data in known.items() for config in _config_of(data)}

    def blob(self, digest: str) -> bytes:
        """Return a manifest, an index, or the config of a manifest that was returned before.

        Raises:
            BuildDigestsError: the registry does not serve it, or serves other bytes.
        """
        if digest in self._known:
            return self._known[digest]
        if digest in self._manifests:
            # Not with `imagetools inspect --raw`: some registries answer 500 if a config is requested as a manifest,
            # and buildx 0.38 then does not request it as a blob.
            return self._registries.config(f"{self._repository}@{self._manifests[digest]}")
        reference = f"{self._repository}@{digest}"
        data = self._registries.manifest(reference)
        check_digest(data, digest, reference)
        self._manifests |= dict.fromkeys(_config_of(data), digest)
        return data


def _config_of(data: bytes) -> tuple[str, ...]:
    """Return the digest of the config that a manifest names; nothing for other documents."""
    try:
        config = parse(Document, data, "").config
    except EvidenceError:
        return ()
    return (config.digest,) if config else ()
