"""A build to run: buildx's arguments, and what of them matters after the build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from action.outputs.exporters import Requested


@dataclass(frozen=True)
class BuildRequest:
    """One `docker buildx build`.

    Attributes:
        arguments: everything after `docker buildx`.
        requested: the exporters that the arguments ask for.
        environment: variables for the buildx process alone; they hold secrets.
        metadata_file: the path of a `--metadata-file` that the arguments already name, or None.
        call: what the build is asked for instead of a build (`check`, `outline`, …), or empty.
        platforms: the platforms asked for.
        without_defaults: the arguments without attestations that are only our default; None where they hold none. Some
            builders refuse any attestation.
    """

    arguments: tuple[str, ...]
    requested: Requested
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    metadata_file: str | None = None
    call: str = ""
    platforms: tuple[str, ...] = ()
    without_defaults: tuple[str, ...] | None = None


def with_metadata_file(arguments: tuple[str, ...], path: str) -> tuple[str, ...]:
    """Arguments of a build with a metadata file at `path`."""
    return (arguments[0], "--metadata-file", path, *arguments[1:])
