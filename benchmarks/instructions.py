"""`make instructions BASE=REF`: count the instructions of a step before buildx starts, here and in another commit.

Instructions, as valgrind counts them, depend neither on the machine's speed nor on its load; seconds do.

The comparison covers what delays a build: `action/start.py build`, from the start of Python until it executes buildx.
`inspect` is printed for information only. It includes the import of pydantic and msgspec, which a step does while
buildx runs. Both commands are stable, so that any two commits can be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.unit.evidence.records import record_of_two_images

ROOT = Path(__file__).resolve().parents[1]

# Python tells its audit hooks about each program that it is about to run. The process ends when that is the build, so
# that only what came before is counted. No part of the package has to be replaced for that.
_UNTIL_BUILDX = """
import os, sys
def end_at_build(event, arguments):
    if event == "subprocess.Popen" and "build" in arguments[1]:
        os._exit(0)
sys.addaudithook(end_at_build)
sys.argv = [sys.argv[1] + "/action/start.py", "build"]
with open(sys.argv[0]) as file:
    code = compile(file.read(), sys.argv[0], "exec")
exec(code, {"__name__": "__main__", "__file__": sys.argv[0]})
sys.exit("buildx was not started")
"""

_COMMAND = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("action", run_name="__main__", alter_sys=True)
"""

# A step asks buildx for its version before it knows which options that version has.
_DOCKER = """#!/bin/sh
echo "github.com/docker/buildx v0.30.0 0000000"
"""

MAX_START = 215e6
"""Largest number of instructions of a step before buildx starts, which take 0.05 s of processor time.

On the machine of docs/performance.md 300 million took 0.07 s. Python 3.12 and 3.13 take a seventh more than 3.11.
"""

_INPUTS = {
    "context": ".",
    "labels": "\n".join(f"org.example.label-{number}=a value, with a comma" for number in range(20)),
    "outputs": "type=image,name=localhost:5000/app:1,push=true,id=release\ntype=oci,dest=app.tar,id=archive",
    "tags": "localhost:5000/app:1,localhost:5000/app:2",
}


@dataclass(frozen=True)
class Counts:
    """Instructions of one checkout.

    Attributes:
        start: those of a step until it executes buildx.
        inspect: those of `inspect` with a record.
    """

    start: int
    inspect: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the counts; return 1 if a step takes more than MAX_START before buildx starts, or more than in `--base`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--base", default="", metavar="REF", help="the commit to compare with")
    parser.add_argument("--tolerance", type=float, default=0.03, help="the accepted increase, as a share (0.03)")
    options = parser.parse_args(arguments)
    if shutil.which("valgrind") is None:
        print("valgrind is needed: apt-get install valgrind", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        metadata, record = record_of_two_images(folder)
        now = count(ROOT, folder, metadata, record)
        _print("this checkout", now)
        if now.start > MAX_START:
            print(f"a step takes over {MAX_START / 1e6:.0f} million instructions before buildx starts", file=sys.stderr)
            return 1
        if not options.base:
            return 0
        with _checkout(options.base, folder / "base") as checkout:
            before = count(checkout, folder, metadata, record)
        _print(options.base, before)
    print(f"before buildx starts: ratio {now.start / before.start:.3f}")
    if now.start > before.start * (1 + options.tolerance):
        print(f"a step takes over {options.tolerance:.0%} more instructions before buildx starts", file=sys.stderr)
        return 1
    return 0


def count(checkout: Path, folder: Path, metadata: Path, record: Path) -> Counts:
    """Count the instructions of a checkout.

    Args:
        checkout: its root folder.
        folder: a folder for temporary files.
        metadata: the metadata file that is inspected.
        record: the build record that is inspected.
    """
    outputs = ("type=image,name=localhost:5000/app:1,push=true,id=release", "type=oci,dest=none.tar,id=archive")
    inspect = ["inspect", str(metadata), "--record", str(record), "--format", "json"]
    inspect += [part for output in outputs for part in ("--output", output)]
    # Counted twice, because the first run also compiles the modules.
    counts = [
        Counts(
            # As the launcher starts it: without the machine's own packages.
            _instructions(("-S", "-c", _UNTIL_BUILDX, str(checkout)), folder),
            _instructions(("-c", _COMMAND, str(checkout), *inspect), folder),
        )
        for _ in range(2)
    ]
    return counts[-1]


def _instructions(arguments: Sequence[str], folder: Path) -> int:
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    docker = programs / "docker"
    docker.write_text(_DOCKER)
    docker.chmod(0o755)
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(folder),
        "RUNNER_TEMP": str(folder),
        "INPUTS": json.dumps(_INPUTS),
        "PYTHONHASHSEED": "0",
    }
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(
        [*valgrind, sys.executable, "-I", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or counted is None:
        sys.exit(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return int(counted[1])


def _print(name: str, counts: Counts) -> None:
    start, inspect = counts.start / 1e6, counts.inspect / 1e6
    print(f"{name}: {start:.1f} million instructions before buildx starts; for information, inspect: {inspect:.1f}")


@contextmanager
def _checkout(ref: str, folder: Path) -> Iterator[Path]:
    """Extract the files of another commit into a folder, without its history."""
    archive = subprocess.run(["git", "archive", ref], cwd=ROOT, capture_output=True, check=True)  # noqa: S607  # a fixed command
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)  # noqa: S607  # the same
    yield folder


if __name__ == "__main__":
    sys.exit(main())
