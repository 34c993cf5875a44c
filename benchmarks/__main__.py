"""Measure what the action adds to a bare build, cold and warm; with `PEER=DIR` also docker/build-push-action.

The cases take turns, round after round, in one run on one machine: a bare build, then each step that builds the same
with the same arguments and a warm build cache. The figures are medians. Times differ between machines, so compare
ratios, and only those of one run.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.builds import fill, slow_server
from benchmarks.cases import Bench, Case, Peer
from benchmarks.chart import draw
from benchmarks.figures import figures_of, print_table, slower, write
from benchmarks.index import near_index
from benchmarks.processes import Measured, measured
from tests.github_api import TOKEN, github_api

_FIRST_LINE = b"#0 building with"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every case and print a table; return the exit code, 1 if a comparison finds a slower case."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="how often each case runs (20)")
    parser.add_argument(
        "--only", default="", metavar="PATTERN", help="run the cases with a matching name, and their bare builds"
    )
    parser.add_argument("--skip", default="", metavar="PATTERN", help="leave out the cases with a matching name")
    parser.add_argument("--peer", default="", metavar="DIR", help="a checkout of docker/build-push-action")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE as well")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the figures in an SVG picture")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="compare ratios with an earlier run's figures")
    parser.add_argument("--tolerance", type=float, default=0.25, help="how much a ratio may grow (0.25)")
    options = parser.parse_args(arguments)
    registry = os.environ.get("BUILD_DIGESTS_REGISTRY")
    if not registry:
        print("run this with: make bench", file=sys.stderr)
        return 2
    peer = Peer(Path(options.peer).resolve()) if options.peer else None
    with tempfile.TemporaryDirectory() as name, github_api() as github, slow_server() as slow, near_index() as index:
        folder, beside = Path(name, "workspace"), Path(name, "runner")
        folder.mkdir()
        (beside / "temp").mkdir(parents=True)
        fill(folder, registry, slow)
        bench = Bench(folder, beside, registry, index, github.url, TOKEN, peer)
        cases = _chosen(bench.cases(), options.only, options.skip)
        bench.install()
        runs = _run(cases, folder, options.rounds)
    figures = [figures_of(case.name, runs[case.name], runs[case.against]) for case in cases]
    print_table(figures)
    if options.json:
        write(figures, options.json)
    if options.chart:
        draw(figures, options.chart)
    worse = slower(options.compare, figures, options.tolerance) if options.compare else []
    for line in worse:
        print(f"slower: {line}", file=sys.stderr)
    return 1 if worse else 0


def _chosen(cases: Sequence[Case], only: str, skip: str) -> list[Case]:
    """Return the cases whose name matches, and those that they are compared with."""
    skipped = re.compile(skip or "(?!)")
    wanted = [case for case in cases if re.search(only, case.name) and not skipped.search(case.name)]
    against = {case.name: case.against for case in cases}
    names = {case.name for case in wanted} | {case.against for case in wanted}
    names |= {against[name] for name in names}
    return [case for case in cases if case.name in names]


def _run(cases: Sequence[Case], folder: Path, rounds: int) -> dict[str, list[Measured]]:
    runs: dict[str, list[Measured]] = {case.name: [] for case in cases}
    # The first round is not measured: it fills the build cache.
    for number in range(-1, rounds):
        print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
        for case in cases:
            if number >= (case.rounds or rounds):
                continue
            for file in ("outputs", "state", "summary.md"):
                (folder / file).write_bytes(b"")
            if case.before:
                case.before()
            one = measured(case.command, folder, case.environment, _FIRST_LINE)
            if number >= 0:
                runs[case.name].append(one)
    print(file=sys.stderr)
    return runs


if __name__ == "__main__":
    sys.exit(main())
