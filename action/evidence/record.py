"""BuildKit's history record of a build, the status log of the build, and the artifacts of its exporters, as plain data.

Standard library only; `record_file`, `buildkit_api`, `status_log` and `artifact_file` read them.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from action.dataclass import dataclass
from action.oci.image import Image


@dataclass(frozen=True)
class RecordedExporter:
    """An exporter that BuildKit ran; records of older releases leave type and attributes out."""

    type: str = ""
    attributes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class RecordedRun:
    """What a record contains about the build as a whole; no digest depends on it.

    Attributes:
        created: when it started, in seconds since 1970, or None.
        ended: whether it has ended.
        failed: whether it ended with an error.
        error: the message of its error, or empty.
        target: the stage of the Dockerfile that was built, or empty.
    """

    created: int | None = None
    ended: bool = False
    failed: bool = False
    error: str = ""
    target: str = ""


@dataclass(frozen=True)
class Record:
    """One build's record.

    Attributes:
        source: the file that it was read from.
        ref: the build's reference, the last part of `buildx.build.ref`; empty if the record does not name it.
        exporters: the exporters that BuildKit ran, in its order; empty if the record does not name them.
        images: an exporter's position in `exporters` to the image that it made; an exporter without one is left out.
        blobs: digest to bytes of the manifests and indexes in the record.
        succeeded: whether the build ended without an error, including its exporters and the pushes by BuildKit.
        run: what it contains about the build as a whole.
    """

    source: str
    ref: str
    exporters: tuple[RecordedExporter, ...]
    images: dict[int, Image]
    blobs: dict[str, bytes]
    succeeded: bool = False
    run: RecordedRun = RecordedRun()


@dataclass(frozen=True)
class Step:
    """A step of a build.

    Attributes:
        name: its name in the log, such as `[2/3] RUN make`.
        started: the time of its start in seconds since 1970, or None if it did not start.
        completed: the time of its end in seconds since 1970, or None.
        cached: whether its result came from the cache.
        error: its error, or empty.
        caches: the digests of the manifests that it wrote as a cache exporter.
    """

    name: str
    started: float | None = None
    completed: float | None = None
    cached: bool = False
    error: str = ""
    caches: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Its duration in seconds; 0 if it did not start or end."""
        if self.started is None or self.completed is None:
            return 0.0
        return max(0.0, self.completed - self.started)


@dataclass(frozen=True)
class StatusLog:
    """The status log of a build.

    Attributes:
        ref: the build's reference, the last part of `builder/node/ref`.
        created: the time of its start in seconds since 1970, or None.
        completed: the time of its end in seconds since 1970, or None.
        steps: its steps in the order in which they started, then those that did not start.
    """

    ref: str
    created: float | None
    completed: float | None
    steps: tuple[Step, ...]


def is_pipe_or_device(path: Path) -> bool:
    """Return whether a path is a pipe or a device: nothing can be read from it later, and a pipe would block."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
