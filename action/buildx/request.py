"""The request for a run of buildx: its arguments, and what the results depend on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from action.dataclass import dataclass, field, replace
from action.exporters.requested import Requested

FLAGS = frozenset(("--load", "--no-cache", "--pull", "--push"))
"""The options without a value among the arguments that this package makes."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One run of `docker buildx build` or `docker buildx bake`. A build is a bake of one target without a name.

    Attributes:
        arguments: everything after `docker buildx`.
        targets: target name to the exporters that the target requests; the name is empty for a build.
        bake: whether the request is for a bake.
        environment: environment variables for buildx only, because they contain secrets.
        metadata_file: the path of a `--metadata-file` that the arguments already have, or None.
        image_id_file: the path of an `--iidfile` that the arguments have, or None.
        call: the method of `--call`, such as `check` or `outline`, or empty for a build.
        without_defaults: the arguments without the attestations that are added by default, because some builders refuse
            to build with any; None if none were added.
        droppable: option to a warning. If buildx does not know the option, the build runs without it, and the warning
            is shown. The option and its value must be two arguments.
        folder: the folder that buildx runs in, and that relative paths in outputs start from.
        writes_stdout: whether buildx prints data such as the image ID of `--quiet`; outputs and `call` do not count.
        contexts: target name to its context as the user wrote it, by which a build is distinguished from others that
            run at the same time; empty if it is not known.
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

    def with_variables(self, variables: Mapping[str, str]) -> Request:
        """Return the request with more environment variables for buildx only."""
        return replace(self, environment={**variables, **self.environment})

    @property
    def builds(self) -> bool:
        """Whether anything is built. With `call` a frontend only reports, and buildx keeps no files of that."""
        return any(requested.exports for requested in self.targets.values())


def repeated(option: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return an option once for each value: `("--tag", "a", "--tag", "b")`."""
    return tuple(argument for value in values for argument in (option, value))


def optional(option: str, value: str) -> tuple[str, ...]:
    """Return an option with its value, or nothing if the value is empty."""
    return (option, value) if value else ()


def manifest_query(builder: str, reference: str) -> tuple[str, ...]:
    """Return the arguments with which buildx prints the manifest or index of a reference, byte for byte.

    Args:
        builder: the builder whose registry settings apply, or empty for the current one.
        reference: the name of an image with a tag or digest.
    """
    return ("imagetools", "inspect", *optional("--builder", builder), "--raw", reference)


def flags(values: Mapping[str, bool]) -> tuple[str, ...]:
    """Return the options whose value is true; all are in `FLAGS`."""
    return tuple(option for option, value in values.items() if value)


def without_option(arguments: tuple[str, ...], option: str) -> tuple[str, ...]:
    """Return arguments that this package made, without an option and its values.

    Args:
        arguments: `build` or `bake`, its options, each apart from its value, and what follows them.
        option: the option, such as `--annotation`.
    """
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
