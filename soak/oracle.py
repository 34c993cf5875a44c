"""Run a case as a step, and compare its result with the truth."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine import EngineError
from soak.case import Case
from soak.command import fill
from soak.exporters import expected_exporters
from soak.judge import Counts, Fault, judge_pushed, judge_target, paired
from soak.place import Place, new_nonce
from soak.run import run_bare, run_step
from soak.step_result import StepResult
from soak.truth import Claim, OtherEnd, Truth

_TRIES = 2
"""How often a failed step is retried: exporters that set the same image name at once race, with buildx alone too."""


_RACE = re.compile(r'^ERROR: .*image "[^"]+": already exists$', re.MULTILINE)
"""The Docker Engine's message to the exporter that loses that race."""

_RACES = 8
"""How often buildx alone runs until it loses the race too."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a case.

    Attributes:
        faults: what is wrong.
        counts: how much was compared.
        log: the step's log.
        refused: the last error line of buildx if it fails without the step too, else empty.
    """

    faults: tuple[Fault, ...]
    counts: Counts = field(default_factory=Counts)
    log: str = ""
    refused: str = ""


def run_case(case: Case, place: Place) -> Verdict:
    """Run a case as a step in a new folder, and compare its result with the registries, the files and the engine."""
    nonce = new_nonce()
    tries = 0
    while True:
        tries += 1
        # Each try has a new folder: BuildKit adds to an OCI layout in a folder, and keeps the blobs of the last try.
        with _folder() as folder:
            fill(folder, case, nonce)
            result = run_step(case, folder, place.environment)
            if "Traceback (most recent call last)" in result.log:
                return Verdict((Fault("traceback", "the step prints a traceback"),), Counts(builds=1), result.log)
            if not result.code:
                return _succeeded(case, place, folder, nonce, result)
        if tries > _TRIES:
            return _failed(case, place, result)


def _failed(case: Case, place: Place, result: StepResult) -> Verdict:
    """Judge a failed step: it may fail only if buildx alone fails too."""
    code, log = _bare(case, place)
    for _ in range(_RACES if _RACE.search(result.log) else 0):
        if code == 0:
            code, log = _bare(case, place)
    if "Cannot connect to the Docker daemon" in log:
        raise EngineError(f"the engine has stopped: {log[-500:]}")
    if code == 0:
        errors = [line for line in result.log.splitlines() if line.startswith("::error")]
        return Verdict(
            (Fault("failed", f"the step fails, but buildx alone does not: {errors}"),), Counts(builds=1), result.log
        )
    errors = [line for line in log.splitlines() if line.startswith("ERROR: ")]
    return Verdict((), Counts(builds=1, refused=1), result.log, errors[-1] if errors else log[-300:])


def _bare(case: Case, place: Place) -> tuple[int, str]:
    """Run buildx alone with new image names, because the race exists only for names that the engine does not have."""
    nonce = new_nonce()
    with _folder() as folder:
        fill(folder, case, nonce)
        return run_bare(case.renamed(nonce), folder, place.environment)


def _succeeded(case: Case, place: Place, folder: Path, nonce: str, result: StepResult) -> Verdict:
    counts = Counts(builds=1)
    faults: list[Fault] = []
    everywhere: list[Truth] = []
    for target in case.builds:
        actual = result.of(target.name)
        expected = expected_exporters(case, target, place.kind)
        pairs, odd = paired(expected, actual)
        faults += odd
        metadata = result.metadata.get(target.name, {}) if target.name else result.metadata
        ref = str(metadata.get("buildx.build.ref", "")).rpartition("/")[2]
        end = OtherEnd(case, target, [exporter for exporter, _ in pairs], place, folder, ref, nonce)
        truths = [end.truth(exporter, Claim(each["digest"], each["imageid"])) for exporter, each in pairs]
        everywhere += truths
        found = judge_target(pairs, actual, truths)
        if not target.name:
            found += _legacy(result)
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
    counts.refs += len(result.refs)
    if not any(fault.kind in {"exporters", "wrong digest"} for fault in faults):
        faults += judge_pushed(result.refs, result.checksums, everywhere)
    return Verdict(tuple(faults), counts, result.log)


def _legacy(result: StepResult) -> list[Fault]:
    """Compare the outputs that docker/build-push-action has too with the results document."""
    results = result.results or {}
    faults = []
    for name in ("digest", "imageid", "ref"):
        found, right = result.outputs.get(name, ""), results.get(name) or ""
        if found != right:
            faults.append(Fault("outputs", f"the output {name} is {found!r}, expected {right!r}"))
    if result.outputs.get("ref", "") != result.metadata.get("buildx.build.ref", ""):
        faults.append(Fault("outputs", f"the output ref is {result.outputs.get('ref')!r}, and the metadata differ"))
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
