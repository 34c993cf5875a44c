"""Fuzz readers with atheris: `python -m fuzz [READER…] [--seconds N]`. Finds are written to .cache/fuzz."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fuzz.readers import READERS

_ROOT = Path(__file__).resolve().parents[1]
_CACHE = _ROOT / ".cache/fuzz"
_MAX_INPUT_BYTES = 16 * 1024
_FIND = ("crash-*", "leak-*", "oom-*", "timeout-*")


@dataclass(frozen=True)
class Run:
    """The result of fuzzing one reader.

    Attributes:
        inputs: the number of inputs.
        coverage: the number of code edges that they reached, at the beginning and at the end.
        finds: the files of inputs that broke a promise.
    """

    inputs: int
    coverage: tuple[int, int]
    finds: tuple[Path, ...]


def _fuzz(name: str, seconds: int) -> Run:
    """Fuzz one reader in a process of its own."""
    reader = READERS[name]
    folder = _CACHE / name
    corpus, finds = folder / "corpus", folder / "finds"
    corpus.mkdir(parents=True, exist_ok=True)
    finds.mkdir(exist_ok=True)
    for place, seed in enumerate((*reader.seeds, *kept(name))):
        (corpus / f"seed-{place}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f"{_quoted(word)}\n" for word in reader.words), encoding="ascii")
    flags = (
        *(f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", f"-max_len={_MAX_INPUT_BYTES}"),
        *(f"-dict={words}", f"-artifact_prefix={finds}/", "-print_final_stats=1"),
    )
    with (folder / "log").open("wb") as log:
        subprocess.run(  # noqa: S603  # this project's own program
            [sys.executable, "-m", "fuzz.one", name, *flags, str(corpus)],
            cwd=_ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    text = (folder / "log").read_text(encoding="utf-8", errors="replace")
    counts = [int(match) for match in re.findall(r"\bcov: (\d+)", text)] or [0]
    inputs = re.search(r"number_of_executed_units: (\d+)", text) or re.search(r"#(\d+)\D*\Z", text)
    found = tuple(sorted(path for pattern in _FIND for path in finds.glob(pattern)))
    if inputs is None and not found:
        sys.exit(f"{name} was not fuzzed: read {folder / 'log'}")
    return Run(int(inputs[1]) if inputs else 0, (counts[0], counts[-1]), found)


def kept(name: str) -> tuple[bytes, ...]:
    """Return the earlier finds of a reader, which are tests now."""
    folder = _ROOT / "fuzz/finds" / name
    return tuple(path.read_bytes() for path in sorted(folder.glob("*")))


def _quoted(word: str) -> str:
    """Return a word in the syntax of libFuzzer's dictionaries (https://llvm.org/docs/LibFuzzer.html#dictionaries)."""
    shown = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word.encode()
    )
    return f'"{shown}"'


def main(arguments: Sequence[str]) -> int:
    """Fuzz readers and print a line for each; return the exit code, 1 if a reader broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz what reads bytes from outside.")
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"one of {', '.join(READERS)}; default: all")
    parser.add_argument("--seconds", type=int, default=600, help="seconds for each reader (600)")
    parser.add_argument("--at-once", type=int, default=2, help="how many to fuzz at the same time (2)")
    given = parser.parse_args(arguments)
    names = given.readers or list(READERS)
    if unknown := sorted(set(names) - set(READERS)):
        parser.error(f"there is no reader {', '.join(unknown)}; there are {', '.join(READERS)}")
    if find_spec("atheris") is None:
        parser.error("atheris is not installed: it has wheels for Python 3.11 to 3.13 on Linux, x86-64 (make fuzz)")
    broken = False
    with ThreadPoolExecutor(given.at_once) as pool:
        for name, run in zip(names, pool.map(lambda name: _fuzz(name, given.seconds), names), strict=True):
            first, last = run.coverage
            figures = f"{run.inputs} inputs, coverage {first} to {last}, {len(run.finds)} finds"
            sys.stdout.write(f"{name}: {figures}{''.join(f'{chr(10)}  {path}' for path in run.finds)}\n")
            sys.stdout.flush()
            broken = broken or bool(run.finds)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
