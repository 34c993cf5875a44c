"""A bake applies its overrides in an order that is random in each run: once for the definition that it prints, once for
the build. Whatever the two orders are, no exporter gets the digest of another one.

The overrides are told from the source of buildx 0.38, bake/bake.go (AddOverrides, setPushOverride, setLoadOverride).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import TypeAlias

import pytest

from action.buildx.bake_overrides import adds_push_and_load, has_varying_outputs, with_reversed_defaults
from action.buildx.definition import read_definition, targets_of
from action.evidence.record import Record, RecordedExporter
from action.evidence.responses import Metadata, Response
from action.exporters.attribution import attribute
from action.exporters.build_evidence import BuildEvidence, needs_record
from action.oci.image import Image, ManifestDescriptor
from tests.unit.exporters.simulation import MANIFEST, digest_of

Written: TypeAlias = dict[str, str]
Owned: TypeAlias = tuple[str, Written]
"""An output, and whose it is: its place in the file, or the override that added it."""

_OUTPUTS: tuple[Written, ...] = (
    {"type": "image", "push": "true"},
    {"type": "registry"},
    {"type": "oci", "dest": "o.tar"},
    {"type": "docker"},
    {"type": "docker", "dest": "d.tar"},
    {"type": "local", "dest": "out"},
)
_OVERRIDES = ("*.push=true", "*.push=false", "*.load=true", "*.output=type=oci,dest=set.tar", "*.output+=type=docker")


def _overridden(outputs: list[Owned], override: str) -> list[Owned]:
    types = [each["type"] for _, each in outputs]
    if override == "*.push=true":
        pushed = [(owner, {**each, "push": "true"} if each["type"] == "image" else each) for owner, each in outputs]
        alone = all(kind == "docker" for kind in types)
        return [*pushed, *([("push", {"type": "image", "push": "true"})] if alone else [])]
    if override == "*.push=false":
        kept = [(owner, {**each, "push": "false"} if each["type"] == "image" else each) for owner, each in outputs]
        place = 0
        while place < len(kept):
            if kept[place][1]["type"] == "registry":
                kept[place] = kept[-1]
                kept.pop()
            else:
                place += 1
        return kept
    if override == "*.load=true":
        loads = any(each["type"] == "docker" and "dest" not in each for _, each in outputs)
        fits = all(kind in {"docker", "image", "registry", "oci"} for kind in types)
        return outputs if loads or not fits else [*outputs, ("load", {"type": "docker"})]
    if override.startswith("*.output+="):
        # The same output as that of `load`; buildx leaves out an output that is there already.
        has_it = any(each == {"type": "docker"} for _, each in outputs)
        return outputs if has_it else [*outputs, ("load", {"type": "docker"})]
    return [("set", {"type": "oci", "dest": "set.tar"})]


def _record(outputs: list[Owned], *, moby: bool, loads_oci: bool) -> tuple[Record, dict[str, str]]:
    """Return the record of a build of a target with a tag, and the digest of each owner."""
    exporters: list[RecordedExporter] = []
    images: dict[int, Image] = {}
    digests: dict[str, str] = {}
    for owner, written in outputs:
        kind = "image" if written["type"] == "registry" else written["type"]
        attributes = {name: value for name, value in written.items() if name not in {"type", "dest"}} | {"name": "a:1"}
        if written["type"] == "registry":
            attributes["push"] = "true"
        if kind == "docker" and "dest" not in written:
            kind = "image" if moby else "oci" if loads_oci else "docker"
        if kind != "local":
            # Two exporters of the engine that differ only in the push make the same image.
            digests[owner] = digest_of("added" if moby and owner in {"push", "load"} else owner)
            descriptor = ManifestDescriptor(MANIFEST, digests[owner], 1)
            images[len(exporters)] = Image(digests[owner], None, descriptor)
        exporters.append(RecordedExporter(kind, attributes))
    return Record("record", "r", tuple(exporters), images, {}, succeeded=True), digests


def _cases() -> Iterator[tuple[list[Owned], tuple[str, ...]]]:
    for count in range(3):
        for written in itertools.product(_OUTPUTS, repeat=count):
            for overrides in itertools.permutations(_OVERRIDES, 2):
                yield [(str(place), each) for place, each in enumerate(written)], overrides


@pytest.mark.parametrize(("moby", "loads_oci"), [(True, False), (False, True), (False, False)])
def test_no_order_of_overrides_gives_an_exporter_the_digest_of_another(*, moby: bool, loads_oci: bool) -> None:
    for outputs, overrides in _cases():
        if {each.partition("=")[0].rstrip("+") for each in overrides} in ({"*.push"}, {"*.output"}):
            continue  # One replaces the other in the map.
        arguments = ("bake", "--print", *(f"--set={each}" for each in overrides))
        printed, ran = outputs, outputs
        for first, second in zip(overrides, reversed(overrides), strict=True):
            printed, ran = _overridden(printed, first), _overridden(ran, second)
        text = json.dumps({"target": {"web": {"tags": ["a:1"], "output": [each for _, each in printed]}}})
        both = adds_push_and_load(arguments)
        is_reversed = both and not outputs and bool(with_reversed_defaults(targets_of(text)))
        may_vary = has_varying_outputs(arguments)
        requested = read_definition(text, {"web"} if is_reversed else (), outputs_may_vary=may_vary)["web"].requested
        record, digests = _record(ran, moby=moby, loads_oci=loads_oci)
        last = list(digests.values())[-1:]
        metadata = Metadata("b/n/r", Response({"containerimage.digest": last[0]} if last else {}))
        evidence = BuildEvidence(metadata, record if needs_record(requested, metadata) else None, docker=moby)
        owners = [owner for owner, _ in printed]
        if is_reversed:
            owners.reverse()
        for exporter in attribute(requested, evidence).exporters:
            if exporter.digest is None or exporter.index >= len(owners):
                continue
            assert exporter.digest == digests.get(owners[exporter.index]), (arguments, printed, ran)
