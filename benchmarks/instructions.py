"""`make instructions BASE=REF`: what importing and parsing costs, in instructions, here and in another commit.

Seconds depend on the machine and on what else it does; instructions, as valgrind counts them, do not. Counted is what
becomes of a build's values without the build: of inputs (`action build --dry-run`), and of metadata file and record
(`inspect`). Both are contracts, so that any two commits can be compared.
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
from pathlib import Path

from tests.unit.evidence.records import record_of_two_images

ROOT = Path(__file__).resolve().parents[1]
_RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from action.cli import run; run(sys.argv[1:])"
_INPUTS = {
    "context": ".",
    "labels": "\n".join(f"org.example.label-{number}=a value, with a comma" for number in range(20)),
    "outputs": "type=image,name=localhost:5000/app:1,push=true,id=release\ntype=oci,dest=app.tar,id=archive",
    "tags": "localhost:5000/app:1,localhost:5000/app:2",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, and compare where asked; the exit code is 1 where this checkout takes more than the other commit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--base", default="", metavar="REF", help="the commit to compare with")
    parser.add_argument("--tolerance", type=float, default=0.03, help="how much more it may be (0.03)")
    options = parser.parse_args(arguments)
    if shutil.which("valgrind") is None:
        print("valgrind is needed: apt-get install valgrind", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        metadata, record = record_of_two_images(folder)
        now = _count(ROOT, metadata, record)
        print(f"this checkout: {now / 1e6:.1f} million instructions")
        if not options.base:
            return 0
        with _checkout(options.base, folder / "base") as checkout:
            before = _count(checkout, metadata, record)
    print(f"{options.base}: {before / 1e6:.1f} million instructions; ratio {now / before:.3f}")
    if now > before * (1 + options.tolerance):
        print(f"importing and parsing takes over {options.tolerance:.0%} more than before", file=sys.stderr)
        return 1
    return 0


def _count(checkout: Path, metadata: Path, record: Path) -> int:
    inspect = ("inspect", str(metadata), "--record", str(record), "--format", "json")
    outputs = ("type=image,name=localhost:5000/app:1,push=true,id=release", "type=oci,dest=none.tar,id=archive")
    runs = (("action", "build", "--dry-run"), (*inspect, *(part for each in outputs for part in ("--output", each))))
    # The first run compiles the modules.
    return [sum(_instructions(checkout, arguments) for arguments in runs) for _ in range(2)][-1]


def _instructions(checkout: Path, arguments: Sequence[str]) -> int:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "INPUTS": json.dumps(_INPUTS),
        "PYTHONHASHSEED": "0",
    }
    command = [
        *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
        *(sys.executable, "-I", "-c", _RUN, str(checkout), *arguments),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or counted is None:
        sys.exit(f"{' '.join(arguments)} failed in {checkout}:\n{done.stderr}")
    return int(counted[1])


@contextmanager
def _checkout(ref: str, folder: Path) -> Iterator[Path]:
    """Another commit's files, without its history."""
    archive = subprocess.run(["git", "archive", ref], cwd=ROOT, capture_output=True, check=True)  # noqa: S607
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)  # noqa: S607
    yield folder


if __name__ == "__main__":
    sys.exit(main())
