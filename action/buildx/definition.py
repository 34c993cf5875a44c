"""The definition of a bake that `docker buildx bake --print` prints: groups, matrices and overrides are resolved."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from action.buildx.bake_overrides import (
    adds_push_and_load,
    has_varying_outputs,
    with_reversed_defaults,
    without_push_and_load,
)
from action.buildx.builder import LAZY_OUTPUTS, Version, query_version, satisfies
from action.buildx.failures import failure
from action.dataclass import dataclass, replace
from action.documents.strict_json import parse_document
from action.errors import DocumentError, InputError, ProgramError
from action.exporters.output import CacheEntry, Output, caches_of, check_ids, output_of, parse_caches, parse_output
from action.exporters.requested import Requested, requested_exporters
from action.process.program import CompletedProgram, ProgramGroup, capture_output

# The time limit is long because buildx may have to fetch a remote definition.
_PRINT_SECONDS = 120.0

_UNREADABLE = "buildx bake --print printed no definition that can be read"


@dataclass(frozen=True)
class Target:
    """One target of a bake.

    Attributes:
        requested: the exporters that the target requests; buildx has added `--push` and `--load` to its outputs.
        docker_exporter: whether one of them is the docker exporter, which does not support attestations.
        provenance: whether the definition itself requests a provenance attestation.
        context: the target's context as the user wrote it.
    """

    requested: Requested
    docker_exporter: bool
    provenance: bool
    context: str = "."


def query_definition(
    buildx: tuple[str, ...],
    environment: Mapping[str, str],
    arguments: Sequence[str],
    folder: str,
    *,
    version: Version | None = None,
    dry_run: bool = False,
) -> dict[str, Target]:
    """Return the definition of a bake from buildx, without changing the files that outputs name.

    Args:
        buildx: the command that runs buildx.
        environment: buildx's whole environment.
        arguments: `bake`, its options, `--print` and its targets.
        folder: the folder that the bake runs in.
        version: buildx's version, or None if it is not known.
        dry_run: whether the definition is only shown. Otherwise the bake follows and writes the files.

    Returns:
        Target name to target.

    Raises:
        BuildDigestsError: buildx rejects the definition, printed none that can be read, or would empty files in a dry
            run.
        InputError: the `id` of a target's output breaks a rule.
    """
    text = print_definition(buildx, environment, arguments, folder, version=version, dry_run=dry_run)
    reversed_targets = with_reversed_defaults(targets_of(text)) if adds_push_and_load(arguments) else frozenset()
    if reversed_targets:
        # A target may have the same outputs without `--push` and `--load`, and then their order is the user's.
        plain = without_push_and_load(arguments)
        own = targets_of(print_definition(buildx, environment, plain, folder, version=version, dry_run=dry_run))
        reversed_targets = frozenset(name for name in reversed_targets if not own.get(name, {}).get("output"))
    return read_definition(text, reversed_targets, outputs_may_vary=has_varying_outputs(arguments))


def print_definition(
    buildx: tuple[str, ...],
    environment: Mapping[str, str],
    arguments: Sequence[str],
    folder: str,
    *,
    version: Version | None = None,
    dry_run: bool = False,
) -> str:
    """Return the JSON of a bake's definition that buildx prints, without changing the files that outputs name.

    Args:
        buildx: the command that runs buildx.
        environment: buildx's whole environment.
        arguments: `bake`, its options, `--print` and its targets.
        folder: the folder that the bake runs in.
        version: buildx's version, or None if it is not known.
        dry_run: whether the definition is only shown. Otherwise the bake follows and writes the files.

    Raises:
        BuildDigestsError: buildx rejects the definition, or would empty files in a dry run.
    """

    def run(programs: ProgramGroup | None) -> CompletedProgram:
        command = (*buildx, *arguments)
        return capture_output(command, environment, seconds=_PRINT_SECONDS, folder=folder, programs=programs)

    ended = _print_without_touching_files(run, buildx, environment, version, dry_run=dry_run)
    if ended.code:
        raise failure(ended, call="")
    return ended.stdout


def _print_without_touching_files(
    print_definition: Callable[[ProgramGroup | None], CompletedProgram],
    buildx: tuple[str, ...],
    environment: Mapping[str, str],
    version: Version | None,
    *,
    dry_run: bool,
) -> CompletedProgram:
    if satisfies(version, LAZY_OUTPUTS):
        return print_definition(None)
    from action.buildx.protected_files import (  # noqa: PLC0415  # ctypes and threads, which only an old buildx needs
        UnsupportedError,
        can_start,
        protecting_files,
    )

    if can_start(buildx[0]):
        with contextlib.suppress(UnsupportedError):
            return protecting_files(print_definition)
    if dry_run and not satisfies(version or query_version(buildx, environment), LAZY_OUTPUTS):
        raise ProgramError(
            "this buildx empties the files that outputs name when it prints a definition, and this system cannot "
            "prevent it: install buildx 0.30 or later (https://docs.docker.com/go/buildx)"
        )
    # Without protection: the bake itself follows and opens the same files.
    return print_definition(None)


def read_definition(
    text: str, reversed_targets: Collection[str] = (), *, outputs_may_vary: bool = False
) -> dict[str, Target]:
    """Read the JSON that `bake --print` printed.

    Args:
        text: the JSON.
        reversed_targets: the targets of which buildx has added the outputs of `--push` and `--load` in reverse.
        outputs_may_vary: whether the bake itself may have other outputs; the return value of `has_varying_outputs`.

    Returns:
        Target name to target, in the order of the text.

    Raises:
        ProgramError: the text is not the JSON of a definition.
        InputError: the `id` of a target's output breaks a rule.
    """
    try:
        read = {
            name: _target(name, target, is_reversed=name in reversed_targets)
            for name, target in targets_of(text).items()
        }
    except (TypeError, AttributeError) as error:
        raise ProgramError(f"{_UNREADABLE} ({error!r})") from None
    return {
        name: replace(target, requested=replace(target.requested, reevaluated=True, outputs_may_vary=outputs_may_vary))
        for name, target in read.items()
    }


def targets_of(text: str) -> dict[str, dict[str, Any]]:
    """Return the definition of each target in the JSON that `bake --print` printed, in the order of the text.

    Args:
        text: the JSON.

    Raises:
        ProgramError: the text is not the JSON of a definition.
    """
    try:
        definition: Any = parse_document(text, "its JSON")
        targets = definition["target"]
        return {name: dict(target) for name, target in targets.items()}
    except DocumentError as error:
        raise ProgramError(f"{_UNREADABLE}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProgramError(f"{_UNREADABLE} ({error!r})") from None


def _target(name: str, target: Mapping[str, object], *, is_reversed: bool) -> Target:
    source = f"output of bake target {name}"
    written = target.get("output")
    listed = written if isinstance(written, list) else []
    # Overrides are applied in random order, see `has_varying_outputs`; a key must not depend on it.
    listed = listed[::-1] if is_reversed else listed
    outputs = tuple(_output(output, index, source) for index, output in enumerate(listed))
    check_ids([output.id for output in outputs], source=source)
    tags, annotations = target.get("tags"), target.get("annotations")
    requested = requested_exporters(
        outputs,
        tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
        call=str(target.get("call") or ""),
        annotations=tuple(map(str, annotations)) if isinstance(annotations, list) else (),
        caches=_caches(name, target.get("cache-to")),
    )
    attests = target.get("attest")
    provenance = any(_is_provenance(attest) for attest in (attests if isinstance(attests, list) else ()))
    docker_exporter = any(output.type == "docker" for output in outputs)
    return Target(requested, docker_exporter, provenance, str(target.get("context") or "."))


def _output(written: object, index: int, source: str) -> Output:
    if isinstance(written, dict):
        return output_of({str(key): str(value) for key, value in written.items()}, index, source=source)
    if isinstance(written, str):
        return parse_output(written, index, source=source)
    raise InputError(source, f"{written!r} is not an output", "write a string or an object")


def _caches(name: str, written: object) -> tuple[CacheEntry, ...]:
    """Return the cache exporters of a target: a list of objects since buildx 0.20, and of texts before."""
    source = f"cache-to of bake target {name}"
    listed = written if isinstance(written, list) else []
    if all(isinstance(each, str) for each in listed):
        return parse_caches(listed, source=source)
    return caches_of([{str(key): str(value) for key, value in each.items()} for each in listed], source=source)


def _is_provenance(attest: object) -> bool:
    if isinstance(attest, dict):
        return attest.get("type") == "provenance"
    return isinstance(attest, str) and "type=provenance" in attest.split(",")
