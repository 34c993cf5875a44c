"""The definition of a bake, as `docker buildx bake --print` tells it: groups, matrices and overrides resolved."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from action.buildx.command_line import read_options
from action.buildx.failures import failure
from action.buildx.version import LAZY_OUTPUTS, Version, ask_version, satisfies
from action.documents.strict_json import parse_document
from action.errors import DocumentError, InputError, ProgramError
from action.exporters.output import Output, check_ids, output_of, parse_output
from action.exporters.requested import Requested, requested_exporters
from action.process.program import CompletedProgram, ProgramGroup, capture_output

_PRINT_SECONDS = 120.0
"""How long printing may take: a remote definition is fetched."""

_ADDED_BACKWARDS: tuple[list[object], ...] = (
    [{"type": "docker"}, {"type": "image", "push": "true"}],
    ["type=docker", "type=image,push=true"],
)
"""What `--push` and `--load` add to a target without outputs, in the order that `buildx build` does not have."""


@dataclass(frozen=True)
class Target:
    """One target of a bake.

    Attributes:
        requested: the exporters that it asks for; `--push` and `--load` are in its outputs already.
        docker_exporter: whether one of them is the docker exporter, which takes no attestations.
        provenance: whether it asks for a provenance attestation itself.
        context: its context, as written.
    """

    requested: Requested
    docker_exporter: bool
    provenance: bool
    context: str = "."


def ask_definition(  # noqa: PLR0913  # a question to a program, and what it may not do
    buildx: tuple[str, ...],
    environment: Mapping[str, str],
    arguments: Sequence[str],
    folder: str,
    *,
    version: Version | None = None,
    dry_run: bool = False,
) -> dict[str, Target]:
    """Ask buildx for the definition of a bake. The files that outputs name are not touched.

    Args:
        buildx: the command that runs buildx.
        environment: its whole environment.
        arguments: `bake`, its options, `--print` and its targets.
        folder: the folder that the bake runs in.
        version: buildx's version, or None if it is not known.
        dry_run: whether the bake itself does not follow, which would write the files anyway.

    Raises:
        BuildDigestsError: buildx finds a fault in it, wrote none that can be read, or would empty files in a dry run.
        InputError: a target's output has an `id` that breaks a rule.
    """
    ended = _print(buildx, environment, (*buildx, *arguments), folder, version, dry_run=dry_run)
    if ended.code:
        raise failure(ended, call="")
    by_chance = outputs_by_chance(arguments)
    return read_definition(ended.stdout, adds_both={"--push", "--load"}.issubset(arguments), by_chance=by_chance)


def outputs_by_chance(arguments: Sequence[str]) -> bool:
    """Tell whether each evaluation of a bake may give its targets other outputs.

    buildx applies the overrides of a target in an order that is chance, anew in each run (0.38, bake/bake.go,
    AddOverrides): `--set=*.output=…` takes back what `--push` and `--load`, which are overrides too, did before it.

    Args:
        arguments: `bake`, its options and its targets.
    """
    # For a bake `--print` has no value, for a build of old it has.
    given = read_options([argument for argument in arguments if argument != "--print"])
    keys = {value.partition("=")[0].rstrip("+").partition(".")[2] for value in given.options.get("set", ())}
    return "output" in keys and bool({"push", "load"} & (keys | given.options.keys()))


def _print(  # noqa: PLR0913  # the same
    buildx: tuple[str, ...],
    environment: Mapping[str, str],
    command: tuple[str, ...],
    folder: str,
    version: Version | None,
    *,
    dry_run: bool,
) -> CompletedProgram:
    def print_definition(programs: ProgramGroup | None = None) -> CompletedProgram:
        return capture_output(command, environment, seconds=_PRINT_SECONDS, folder=folder, programs=programs)

    if satisfies(version, LAZY_OUTPUTS):
        return print_definition()
    from action.buildx.untouched import CannotBeKeptError, can_start, without_touching  # noqa: PLC0415  # old buildx

    if can_start(buildx[0]):
        with contextlib.suppress(CannotBeKeptError):
            return without_touching(print_definition)
    if dry_run and not satisfies(version or ask_version(buildx, environment), LAZY_OUTPUTS):
        message = (
            "this buildx empties the files that outputs name when it prints a definition, and nothing on this system "
            "keeps it from that: install buildx 0.30 or later (https://docs.docker.com/go/buildx)"
        )
        raise ProgramError(message)
    # The bake itself opens the same files in the next moment.
    return print_definition()


def read_definition(text: str, *, adds_both: bool = False, by_chance: bool = False) -> dict[str, Target]:
    """Read the JSON that `bake --print` wrote.

    Args:
        text: the JSON.
        adds_both: whether the bake was asked both to push and to load.
        by_chance: whether the bake itself may have other outputs, as `outputs_by_chance` tells.

    Returns:
        Target name to target, in the order of the text.

    Raises:
        ProgramError: it is no such JSON.
        InputError: a target's output has an `id` that breaks a rule.
    """
    try:
        definition: Any = parse_document(text, "its JSON")
        targets = definition["target"]
        read = {name: _target(name, target, adds_both=adds_both) for name, target in targets.items()}
    except DocumentError as error:
        raise ProgramError(f"buildx bake --print wrote no definition that can be read: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise ProgramError(f"buildx bake --print wrote no definition that can be read ({error!r})") from None
    return {
        name: replace(target, requested=replace(target.requested, reevaluated=True, by_chance=by_chance))
        for name, target in read.items()
    }


def _target(name: str, target: Mapping[str, object], *, adds_both: bool) -> Target:
    source = f"output of bake target {name}"
    written = target.get("output")
    listed = written if isinstance(written, list) else []
    # buildx orders the two by chance, anew in each run (0.38, bake/bake.go, AddOverrides): keys must not depend on it.
    if adds_both and listed in _ADDED_BACKWARDS:
        listed = listed[::-1]
    outputs = tuple(_output(output, index, source) for index, output in enumerate(listed))
    check_ids(outputs, source=source)
    tags, annotations = target.get("tags"), target.get("annotations")
    requested = requested_exporters(
        outputs,
        tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
        call=str(target.get("call") or ""),
        annotations=tuple(map(str, annotations)) if isinstance(annotations, list) else (),
    )
    attests = target.get("attest")
    provenance = any(_is_provenance(attest) for attest in (attests if isinstance(attests, list) else ()))
    docker_exporter = any(output.type == "docker" for output in outputs)
    return Target(requested, docker_exporter, provenance, str(target.get("context") or "."))


def _output(written: object, index: int, source: str) -> Output:
    # Objects since buildx 0.20, texts before.
    if isinstance(written, dict):
        return output_of({str(key): str(value) for key, value in written.items()}, index, source=source)
    if isinstance(written, str):
        return parse_output(written, index, source=source)
    raise InputError(source, f"{written!r} is no output", "write a text or an object")


def _is_provenance(attest: object) -> bool:
    if isinstance(attest, dict):
        return attest.get("type") == "provenance"
    return isinstance(attest, str) and "type=provenance" in attest.split(",")
