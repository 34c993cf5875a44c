"""Run random builds and bakes on a real engine, and compare each digest with its registry, file or engine.

The seed and a case's number determine the case, so the same seed with `--only NUMBER` repeats a fault.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from engine import EngineError
from engine.docker import Docker
from engine.registry import registry
from soak.case import Case
from soak.generate import generate
from soak.judge import Counts, Fault
from soak.oracle import Verdict, run_case
from soak.place import ABILITIES, EngineKind, Names, Place, new_nonce
from soak.reduce import reduced
from soak.show import HEADING, case_text, faults_text, figures
from tests.matrix.engines import Engine, started

ENGINES: dict[EngineKind, Engine] = {
    "containerd": Engine("0.38", docker="28.5"),
    "classic": Engine("0.38", docker="28.5", store="classic"),
    "container": Engine("0.38", docker="28.5", driver="docker-container", buildkit="0.34"),
    "remote": Engine("0.38", docker="28.5", driver="remote", buildkit="0.34"),
}
"""The newest releases, for each kind of engine."""

_PROGRESS = 25
"""Number of cases between two lines of progress."""


@dataclass
class Soak:
    """A run of many cases.

    Attributes:
        seed: its seed.
        place: the engine and the registries.
        reduces: whether a failing case is reduced to a smaller one.
        counts: the totals of all cases so far.
        failed: the numbers of the cases that failed.
    """

    seed: str
    place: Place
    reduces: bool = True
    counts: Counts = field(default_factory=Counts)
    failed: list[int] = field(default_factory=list)

    def run(self, numbers: Sequence[int], at_once: int = 1) -> None:
        """Run cases and print each one that fails.

        Args:
            numbers: the numbers of the cases.
            at_once: how many cases run at the same time.
        """
        with ThreadPoolExecutor(at_once) as pool:
            for number, (case, verdict) in zip(numbers, pool.map(self._generate_and_run, numbers), strict=True):
                self.counts.add(verdict.counts)
                if verdict.refused:
                    _print(f"case {number} fails, with buildx alone too: {verdict.refused}")
                if verdict.faults:
                    self.failed.append(number)
                    self._show(number, case, verdict)
                if self.counts.builds % _PROGRESS == 0:
                    _print(f"{self.counts.builds} of {len(numbers)}")

    def _generate_and_run(self, number: int) -> tuple[Case, Verdict]:
        names = Names(self.place.first, self.place.second, new_nonce())
        case = generate(self.seed, number, ABILITIES[self.place.kind], names)
        return case, _run_case(case, self.place)

    def _show(self, number: int, case: Case, verdict: Verdict) -> None:
        _print(f"\nFAULT: make soak ENGINE={self.place.kind} SEED={self.seed} ONLY={number}")
        _print(faults_text(verdict.faults))
        if self.reduces:
            case, verdict = self._reduced(case, verdict)
            _print(f"reduced:\n{faults_text(verdict.faults)}")
        _print(case_text(case))
        marks = ("::error", "::warning", "::notice", "ERROR")
        _print("\n".join(f"  {line}" for line in verdict.log.splitlines() if line.startswith(marks)))

    def _reduced(self, case: Case, verdict: Verdict) -> tuple[Case, Verdict]:
        """Return the smallest case found that fails in the same way, with its verdict."""
        kinds = {fault.kind for fault in verdict.faults}
        found = (case, verdict)

        def fails(smaller: Case) -> bool:
            nonlocal found
            # With the same image names, the registries would still serve the images of the previous run.
            again = _run_case(smaller.renamed(new_nonce()), self.place)
            same = bool(kinds & {fault.kind for fault in again.faults})
            if same:
                found = (smaller, again)
            return same

        reduced(case, fails)
        return found


def _run_case(case: Case, place: Place) -> Verdict:
    try:
        return run_case(case, place)
    except (RuntimeError, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        return Verdict((Fault("oracle", f"{type(error).__name__}: {error}"),), Counts(builds=1))


@contextmanager
def start_place(kind: EngineKind) -> Iterator[Place]:
    """Start an engine and two registries.

    Raises:
        EngineError: one of them cannot be started.
    """
    with contextlib.ExitStack() as stack:
        here = Docker(dict(os.environ), "containerd")
        first, second = stack.enter_context(registry(here)), stack.enter_context(registry(here))
        docker = stack.enter_context(started(ENGINES[kind], first))
        yield Place(kind, docker.environment, first, second)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak and return the exit code: 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--engine", choices=tuple(ENGINES), default="containerd")
    parser.add_argument(
        "--seed", default=uuid.uuid4().hex[:8], help="any text; another one each time if it is not given"
    )
    parser.add_argument("--count", type=int, default=300, help="how many cases are run (300)")
    parser.add_argument("--at-once", type=int, default=2, help="how many run at the same time (2)")
    parser.add_argument("--only", type=int, action="append", metavar="NUMBER", help="run the case with this number")
    parser.add_argument("--whole", action="store_true", help="show a case that fails as it is instead of reducing it")
    parser.add_argument("--print", action="store_true", help="print the cases and run nothing")
    options = parser.parse_args(arguments)
    numbers = options.only or range(options.count)
    if options.print:
        for number in numbers:
            _print(f"{number} {case_text(generate(options.seed, number, ABILITIES[options.engine], Names()))}")
        return 0
    # By default SIGTERM ends Python without running `finally` blocks, and the engine would keep running.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        with start_place(options.engine) as place:
            soak, begun = Soak(options.seed, place, reduces=not options.whole), time.monotonic()
            _print(f"soak: engine {options.engine}, seed {options.seed}, {len(numbers)} cases")
            soak.run(numbers, options.at_once)
    except EngineError as error:
        _print(str(error))
        return 1
    _print(HEADING)
    _print(figures(options.engine, soak.counts, time.monotonic() - begun))
    _print(f"{len(soak.failed)} cases failed: {soak.failed}")
    return 1 if soak.failed else 0


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
