"""What the action adds to a bare `docker buildx build`, as a ratio and in seconds.

Each case is run in pairs, a bare build and then a whole step of the action (`python start.py build`, as action.yml
calls it) with the same arguments, on the same machine, in one run, with a warm build cache and the action's packages
installed. The figures are medians. Times of one machine say nothing about another: compare ratios. Run it with
`make bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
START = ROOT / "action" / "start.py"


@dataclass(frozen=True)
class Case:
    """A build: its name, and the action's `outputs`."""

    name: str
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """The medians of a case; seconds, and MiB of the action's own process at its peak."""

    name: str
    pairs: int
    bare: float
    step: float
    overhead: float
    ratio: float
    memory: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every case and print a table; JSON where asked."""
    parser = argparse.ArgumentParser(description="Measure what the action adds to a bare build.")
    parser.add_argument("--pairs", type=int, default=20, help="pairs of runs for each case")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    options = parser.parse_args(arguments)
    registry = os.environ.get("BUILD_DIGESTS_REGISTRY")
    if not registry:
        print("run this with: make bench", file=sys.stderr)
        return 2
    cases = (
        Case("one output", (f"type=image,name={registry}/bench:one,push=true",)),
        Case(
            "three outputs",
            (
                f"type=image,name={registry}/bench:three,push=true,id=release",
                "type=oci,dest=oci.tar",
                "type=docker,dest=docker.tar",
            ),
        ),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY hello.txt /hello.txt\n", encoding="utf-8")
        (folder / "hello.txt").write_text("hello\n", encoding="utf-8")
        figures = [_measure(case, folder, options.pairs) for case in cases]
    _print(figures)
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n", encoding="utf-8")
    return 0


def _measure(case: Case, folder: Path, pairs: int) -> Figures:
    bare = [
        *("docker", "buildx", "build", "--metadata-file", str(folder / "metadata.json"), "--provenance", "false"),
        *(part for output in case.outputs for part in ("--output", output)),
        ".",
    ]
    inputs = {"context": ".", "outputs": "\n".join(case.outputs), "provenance": "false"}
    environment = {
        **os.environ,
        "INPUTS": json.dumps(inputs),
        "GITHUB_OUTPUT": str(folder / "outputs"),
        "RUNNER_TOOL_CACHE": str(folder / "tools"),
        "RUNNER_TEMP": str(folder),
        "BUILDX_METADATA_WARNINGS": "true",
    }
    (folder / "outputs").touch()
    step = [sys.executable, str(START), "build"]
    # Once each, so that the build's cache is warm and the action's packages are installed.
    _run(bare, folder, environment)
    _run(step, folder, environment)
    runs = [(_run(bare, folder, environment), _run(step, folder, environment)) for _ in range(pairs)]
    bare_seconds = statistics.median(seconds for (seconds, _), _ in runs)
    step_seconds = statistics.median(seconds for _, (seconds, _) in runs)
    return Figures(
        name=case.name,
        pairs=pairs,
        bare=bare_seconds,
        step=step_seconds,
        overhead=statistics.median(step - bare for (bare, _), (step, _) in runs),
        ratio=step_seconds / bare_seconds,
        memory=max(memory for _, (_, memory) in runs),
    )


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[float, float]:
    """Run a program; its seconds, and the MiB of its own process at the peak."""
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        memory = 0.0
        while process.poll() is None:
            memory = max(memory, _peak(process.pid))
            time.sleep(0.005)
        seconds = time.perf_counter() - started
        if process.returncode:
            log.seek(0)
            sys.exit(f"{command[0]} failed:\n{log.read().decode(errors='replace')}")
    return seconds, memory


def _peak(process: int) -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(sizes[0]) / 1024 if sizes else 0.0


def _print(figures: Sequence[Figures]) -> None:
    table = Table("case", "pairs", "bare build", "whole step", "added", "ratio", "peak memory")
    for each in figures:
        table.add_row(
            each.name,
            str(each.pairs),
            f"{each.bare:.3f} s",
            f"{each.step:.3f} s",
            f"{each.overhead:.3f} s",
            f"{each.ratio:.2f}",
            f"{each.memory:.0f} MiB",
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    sys.exit(main())
