"""A build to run: buildx's arguments, and what of them matters after the build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from action.outputs.exporters import Requested


@dataclass(frozen=True)
class BuildRequest:
    """One `docker buildx build`.

    Attributes:
        arguments: everything after `docker buildx`; no `--metadata-file` where `metadata_file` is None.
        requested: the exporters that the arguments ask for.
        environment: variables for the buildx process alone; they hold secrets.
        metadata_file: the path of a `--metadata-file` that the arguments already name, or None.
        call: what the build is asked for instead of a build (`check`, `outline`, …), or empty.
        platforms: the platforms asked for.
    """

    arguments: tuple[str, ...]
    requested: Requested
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    metadata_file: str | None = None
    call: str = ""
    platforms: tuple[str, ...] = ()

    def with_metadata_file(self, path: str) -> tuple[str, ...]:
        """The arguments with a metadata file, at `path` unless they name one already."""
        if self.metadata_file is not None:
            return self.arguments
        return (self.arguments[0], "--metadata-file", path, *self.arguments[1:])
