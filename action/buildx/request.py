"""What to run: buildx's arguments, and what of them matters afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from action.outputs.exporters import Requested


@dataclass(frozen=True, kw_only=True)
class Command:
    """One run of buildx.

    Attributes:
        arguments: everything after `docker buildx`.
        environment: variables for the buildx process alone; they hold secrets.
        metadata_file: the path of a `--metadata-file` that the arguments already name, or None.
        call: what buildx is asked for instead of a build (`check`, `outline`, …), or empty.
        without_defaults: the arguments without attestations that are only our default; None where they hold none. Some
            builders refuse any attestation.
        folder: the folder that buildx runs in, and that paths in outputs start from.
        contexts: bake target, or empty for a build, to its context as written: by it a build is told from others that
            run at once; empty where it is not known.
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    metadata_file: str | None = None
    call: str = ""
    without_defaults: tuple[str, ...] | None = None
    folder: str = "."
    contexts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class BuildRequest(Command):
    """One `docker buildx build`.

    Attributes:
        requested: the exporters that the arguments ask for.
    """

    requested: Requested


@dataclass(frozen=True, kw_only=True)
class BakeRequest(Command):
    """One `docker buildx bake`.

    Attributes:
        targets: target name to the exporters that it asks for.
    """

    targets: Mapping[str, Requested]


def with_metadata_file(arguments: tuple[str, ...], path: str) -> tuple[str, ...]:
    """Arguments of a run with a metadata file at `path`."""
    return (arguments[0], "--metadata-file", path, *arguments[1:])
