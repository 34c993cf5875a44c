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
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.github_api import TOKEN, github_api

ROOT = Path(__file__).resolve().parents[1]
START = ROOT / "action" / "start.py"


@dataclass(frozen=True)
class Case:
    """A build.

    Attributes:
        name: its name.
        outputs: the action's `outputs`.
        summary: whether the step writes a summary and annotates the warning of a check.
        comment: whether it comments too, on a GitHub of our own on loopback.
        waits: whether the build takes a second longer, for a file that a server on loopback is slow to send.
    """

    name: str
    outputs: tuple[str, ...]
    summary: bool = False
    comment: bool = False
    waits: bool = False


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
    one = (f"type=image,name={registry}/bench:one,push=true",)
    three = (
        f"type=image,name={registry}/bench:three,push=true,id=release",
        "type=oci,dest=oci.tar",
        "type=docker,dest=docker.tar",
    )
    cases = (
        Case("one output", one),
        Case("one output, summary", one, summary=True),
        Case("one output, summary, comment", one, summary=True, comment=True),
        Case("one output, 1 s longer", one, waits=True),
        Case("one output, 1 s longer, summary, comment", one, summary=True, comment=True, waits=True),
        Case("three outputs", three),
        Case("three outputs, summary, comment", three, summary=True, comment=True),
    )
    with tempfile.TemporaryDirectory() as name, github_api() as github, _slow_server() as slow:
        folder = Path(name)
        text = "FROM scratch\nCOPY hello.txt /\nMAINTAINER me\n"
        (folder / "Dockerfile").write_text(text, encoding="utf-8")
        (folder / "waits.Dockerfile").write_text(f"{text}ADD {slow} /\n", encoding="utf-8")
        (folder / "hello.txt").write_text("hello\n", encoding="utf-8")
        figures = [_measure(case, folder, options.pairs, github.url) for case in cases]
    _print(figures)
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n", encoding="utf-8")
    return 0


@contextmanager
def _slow_server() -> Iterator[str]:
    """A file that takes a second to come, and is another one each time."""

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(1)
            content = str(time.time_ns()).encode()
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/file"
        finally:
            server.shutdown()
            thread.join()


def _measure(case: Case, folder: Path, pairs: int, github_url: str) -> Figures:
    bare = [
        *("docker", "buildx", "build", "--metadata-file", str(folder / "metadata.json"), "--provenance", "false"),
        *(part for output in case.outputs for part in ("--output", output)),
        *("--file", "waits.Dockerfile" if case.waits else "Dockerfile"),
        ".",
    ]
    inputs = {
        "context": ".",
        "file": "waits.Dockerfile" if case.waits else "Dockerfile",
        "outputs": "\n".join(case.outputs),
        "provenance": "false",
        "comment": str(case.comment).lower(),
        "github-token": TOKEN,
    }
    (folder / "event.json").write_text(json.dumps({"pull_request": {"number": 7}}), encoding="utf-8")
    environment = {
        **os.environ,
        "INPUTS": json.dumps(inputs),
        "GITHUB_OUTPUT": str(folder / "outputs"),
        "RUNNER_TOOL_CACHE": str(folder / "tools"),
        "RUNNER_TEMP": str(folder),
        "BUILDX_METADATA_WARNINGS": "true",
        "DOCKER_BUILD_CHECKS_ANNOTATIONS": str(case.summary).lower(),
        **({"GITHUB_STEP_SUMMARY": str(folder / "summary.md")} if case.summary else {}),
        "GITHUB_API_URL": github_url,
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_REPOSITORY": "octo/app",
        "GITHUB_WORKSPACE": str(folder),
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
