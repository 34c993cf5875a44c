"""Runs a case and says what is wrong with it."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import EngineError
from soak.answer import Answer
from soak.case import Case
from soak.command import fill
from soak.exporters import expected_exporters
from soak.judge import Counts, Fault, judge_pushed, judge_target, paired
from soak.place import Place, new_nonce
from soak.run import run_bare, run_step
from soak.truth import Claim, OtherEnd, Truth

_TRIES = 2
"""How often a step that fails is run again: exporters that give one name at once race, in the bare build as well."""


_RACE = re.compile(r'^ERROR: .*image "[^"]+": already exists$', re.MULTILINE)
"""The Docker Engine's message to who loses that race."""

_RACES = 8
"""How often buildx alone is run to see that it loses the race as well."""


@dataclass(frozen=True)
class Verdict:
    """What came of a case.

    Attributes:
        faults: what is wrong.
        counts: how much was compared.
        log: the step's log.
        refused: the last line of buildx, if it refuses the case with and without the step.
    """

    faults: tuple[Fault, ...]
    counts: Counts = field(default_factory=Counts)
    log: str = ""
    refused: str = ""


def tried(case: Case, place: Place) -> Verdict:
    """Run a case as a step in a folder of its own, and compare what it says with the other end."""
    nonce = new_nonce()
    tries = 0
    while True:
        tries += 1
        # A new folder for each try: a layout in a folder keeps the blobs of the try before.
        with _folder() as folder:
            fill(folder, case, nonce)
            answer = run_step(case, folder, place.environment)
            if "Traceback (most recent call last)" in answer.log:
                return Verdict((Fault("traceback", "the step prints a traceback"),), Counts(builds=1), answer.log)
            if not answer.code:
                return _succeeded(case, place, folder, nonce, answer)
        if tries > _TRIES:
            return _failed(case, place, answer)


def _failed(case: Case, place: Place, answer: Answer) -> Verdict:
    """A step may fail only where buildx by itself fails as well."""
    code, log = _bare(case, place)
    for _ in range(_RACES if _RACE.search(answer.log) else 0):
        if code == 0:
            code, log = _bare(case, place)
    if "Cannot connect to the Docker daemon" in log:
        raise EngineError(f"the engine is gone: {log[-500:]}")
    if code == 0:
        errors = [line for line in answer.log.splitlines() if line.startswith("::error")]
        return Verdict(
            (Fault("failed", f"the step fails, buildx alone does not: {errors}"),), Counts(builds=1), answer.log
        )
    said = [line for line in log.splitlines() if line.startswith("ERROR: ")]
    return Verdict((), Counts(builds=1, refused=1), answer.log, said[-1] if said else log[-300:])


def _bare(case: Case, place: Place) -> tuple[int, str]:
    """Run buildx alone, with names that the engine does not have yet: only for those is there a race."""
    nonce = new_nonce()
    with _folder() as folder:
        fill(folder, case, nonce)
        return run_bare(case.renamed(nonce), folder, place.environment)


def _succeeded(case: Case, place: Place, folder: Path, nonce: str, answer: Answer) -> Verdict:
    counts = Counts(builds=1)
    faults: list[Fault] = []
    everywhere: list[Truth] = []
    for target in case.builds:
        said = answer.of(target.name)
        expected = expected_exporters(case, target, place.kind)
        pairs, odd = paired(expected, said)
        faults += odd
        metadata = answer.metadata.get(target.name, {}) if target.name else answer.metadata
        ref = str(metadata.get("buildx.build.ref", "")).rpartition("/")[2]
        end = OtherEnd(case, target, [exporter for exporter, _ in pairs], place, folder, ref, nonce)
        truths = [end.truth(exporter, Claim(each["digest"], each["imageid"])) for exporter, each in pairs]
        everywhere += truths
        found = judge_target(pairs, said, truths)
        if not target.name:
            found += _legacy(answer)
        faults += found
        counts.outputs += len(pairs)
        counts.digests += sum(1 for _, each in pairs if each["digest"])
        counts.imageids += sum(1 for _, each in pairs if each["imageid"])
        counts.wrong += sum(1 for fault in found if fault.kind == "wrong digest")
        counts.absent += sum(1 for fault in found if fault.kind == "absent digest")
        faults += [
            Fault("file", f"{exporter.dest} is not there")
            for exporter, _ in pairs
            if exporter.dest is not None and not _is_written(folder / exporter.dest)
        ]
    counts.refs += len(answer.refs)
    if not any(fault.kind in {"exporters", "wrong digest"} for fault in faults):
        faults += judge_pushed(answer.refs, answer.checksums, everywhere)
    return Verdict(tuple(faults), counts, answer.log)


def _legacy(answer: Answer) -> list[Fault]:
    """The outputs of a build that docker/build-push-action has as well are those of the results."""
    results = answer.results or {}
    faults = []
    for name in ("digest", "imageid", "ref"):
        found, right = answer.outputs.get(name, ""), results.get(name) or ""
        if found != right:
            faults.append(Fault("outputs", f"the output {name} is {found!r}, expected {right!r}"))
    if answer.outputs.get("ref", "") != answer.metadata.get("buildx.build.ref", ""):
        faults.append(Fault("outputs", f"the output ref is {answer.outputs.get('ref')!r}, and the metadata differ"))
    return faults


def _is_written(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.is_file() and path.stat().st_size > 0


@contextmanager
def _folder() -> Iterator[Path]:
    name = tempfile.mkdtemp(prefix="bd-soak-")
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)
