"""What to run: buildx's arguments, and what of them matters afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from action.exporters.requested import Requested

FLAGS = frozenset(("--load", "--no-cache", "--pull", "--push"))
"""The options that this program gives to buildx without a value."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One run of `docker buildx build` or `docker buildx bake`. A build is a bake of one target without a name.

    Attributes:
        arguments: everything after `docker buildx`.
        targets: target name to the exporters that it asks for; the name is empty for a build.
        bake: whether it is a bake.
        environment: variables for the buildx process alone; they hold secrets.
        metadata_file: the path of a `--metadata-file` that the arguments already name, or None.
        image_id_file: the path of an `--iidfile` that the arguments name, or None.
        call: what buildx is asked for instead of a build (`check`, `outline`, …), or empty.
        without_defaults: the arguments without attestations that are only our default; None if they hold none. Some
            builders refuse any attestation.
        droppable: option to a warning: if buildx does not know the option, the build runs without it. The option and
            its value must be two arguments.
        folder: the folder that buildx runs in, and that paths in outputs start from.
        writes_stdout: whether buildx prints data of its own, such as the image ID that `--quiet` prints; what outputs
            and `call` write is not counted.
        contexts: target name to its context as written, which tells a build from others that run at once; empty if it
            is not known.
    """

    arguments: tuple[str, ...]
    targets: Mapping[str, Requested]
    bake: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    metadata_file: str | None = None
    image_id_file: str | None = None
    call: str = ""
    without_defaults: tuple[str, ...] | None = None
    droppable: Mapping[str, str] = field(default_factory=dict)
    folder: str = "."
    writes_stdout: bool = False
    contexts: Mapping[str, str] = field(default_factory=dict)

    @property
    def builds(self) -> bool:
        """Whether it builds anything: with `call` a frontend only answers, and buildx keeps nothing of that."""
        return any(requested.exports for requested in self.targets.values())


def without_option(arguments: tuple[str, ...], option: str) -> tuple[str, ...]:
    """Return arguments that this program made without an option and its values."""
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        values = (next(rest),) if argument.startswith("--") and argument not in FLAGS else ()
        if argument != option:
            kept += (argument, *values)
    return tuple(kept)


def with_metadata_file(arguments: tuple[str, ...], path: str) -> tuple[str, ...]:
    """Return the arguments of a run with a metadata file at `path`."""
    return (arguments[0], "--metadata-file", path, *arguments[1:])
