"""A record may come live, from an export, twice, in part or never: an exporter gets its own digest or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from action.dataclass import replace
from action.errors import EvidenceError, NoRecordsError, SlowEvidenceError
from action.evidence.record import Record
from action.evidence.responses import Metadata
from action.exporters.attribution import attribute
from action.oci.image import Image
from action.pipeline.collect import Readers, Sources, collect, records_of
from tests.unit.exporters.simulation import Asked, Engine, Simulated, digest_of, merged, record, simulate

Arrival = Literal["live", "twice", "late", "partly", "without exporters", "other build", "slow", "none", "never"]
_ARRIVALS: tuple[Arrival, ...] = get_args(Arrival)
_WHOLE = {"live", "twice", "late"}

_OUTPUTS = (
    ("type=image,name=localhost:5000/a,push=true", "type=oci,dest=o.tar"),
    ("type=image,name=localhost:5000/a", "type=image,name=localhost:5000/b", "type=docker,dest=d.tar"),
    ("type=local,dest=x", "type=oci,dest=o.tar,id=tar", "type=registry,name=localhost:5000/c"),
)


@dataclass(frozen=True)
class _Target:
    """One target of a bake, how its record arrives, and which of its images a partial record lacks."""

    simulated: Simulated
    arrival: Arrival
    lost: int
    has_tars: bool


@st.composite
def _targets(draw: st.DrawFn) -> list[_Target]:
    return [
        _Target(
            # Each target has digests of its own: those of the simulation are made from the keys.
            _named(simulate(Asked(draw(st.sampled_from(_OUTPUTS))), Engine()), f"t{number}"),
            draw(st.sampled_from(_ARRIVALS)),
            draw(st.integers(0, 2)),
            draw(st.booleans()),
        )
        for number in range(draw(st.integers(1, 4)))
    ]


def _named(simulated: Simulated, name: str) -> Simulated:
    for each in simulated.ran:
        each.owner = f"{name} {each.owner}"
    own = {key: digest_of(f"{name} {key}") for key in simulated.digests}
    return Simulated(simulated.requested, simulated.ran, own)


def _record(target: _Target, number: int) -> Record:
    whole = replace(record(target.simulated), ref=f"r{number}")
    if target.arrival == "partly":
        return replace(whole, images=dict(list(whole.images.items())[target.lost + 1 :]))
    if target.arrival == "without exporters":
        return replace(whole, exporters=(), images=dict(list(whole.images.items())[target.lost :]))
    return whole


def _ref(number: int) -> str:
    return f"b/n/r{number}"


class _Arriving:
    """The sources of the records and tars of some targets."""

    def __init__(self, targets: Sequence[_Target]) -> None:
        self._targets = {_ref(number): (number, target) for number, target in enumerate(targets)}

    def live(self, refs: Sequence[str]) -> dict[str, Record | EvidenceError]:
        answers = {ref: self._live(*self._targets[ref]) for ref in refs}
        return {ref: answer for ref, answer in answers.items() if answer is not None}

    def _live(self, number: int, target: _Target) -> Record | EvidenceError | None:
        errors: dict[str, EvidenceError | None] = {
            "late": EvidenceError("the connection ended"),
            "other build": EvidenceError("the connection ended"),
            "slow": SlowEvidenceError("slow"),
            "none": NoRecordsError("no record"),
            "never": None,
        }
        return errors[target.arrival] if target.arrival in errors else _record(target, number)

    def export(self, refs: Sequence[str]) -> Iterator[Path]:
        """Export several records together, without those that are missing, or one record or an error."""
        arrivals = [self._targets[ref][1].arrival for ref in refs]
        if len(refs) == 1 and arrivals[0] not in {"twice", "late", "other build"}:
            raise EvidenceError("no record found")
        yield Path(",".join(refs))

    def read(self, file: Path) -> Iterable[Record]:
        for number, target in (self._targets[ref] for ref in str(file).split(",")):
            if target.arrival in {"twice", "late"}:
                yield _record(target, number)
            elif target.arrival == "other build":
                yield replace(_record(target, number), ref="another")

    def artifact(self, file: Path) -> Image:
        _, target = self._targets[_ref(int(file.parent.name))]
        if not target.has_tars:
            raise EvidenceError("gone")
        (owner,) = [each.owner for each in target.simulated.ran if each.dest == file.name]
        return Image(digest_of(owner))


def _sources(targets: Sequence[_Target]) -> Sources:
    arriving = _Arriving(targets)
    readers = Readers(arriving.read, arriving.artifact, lambda _: frozenset())
    return Sources(arriving.export, lambda *_: frozenset(), readers, Path("/nowhere"), live=arriving.live)


@settings(max_examples=300, deadline=None)
@given(_targets())
def test_an_exporter_gets_its_own_digest_or_none_however_its_record_arrives(targets: list[_Target]) -> None:
    sources = _sources(targets)
    record_of = records_of([_ref(number) for number in range(len(targets))], sources)
    for number, target in enumerate(targets):
        simulated = target.simulated
        metadata = Metadata(_ref(number), merged(simulated))
        own = replace(sources, folder=Path(f"/nowhere/{number}"))
        attribution = attribute(simulated.requested, collect(simulated.requested, metadata, record_of, own))
        found = {each.key: each.digest for each in attribution.exporters if each.digest}
        assert found.items() <= simulated.digests.items()
        if target.arrival in _WHOLE:
            assert found == simulated.digests
        assert found.keys() | attribution.unknown.keys() == simulated.digests.keys()
