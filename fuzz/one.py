"""Fuzz one reader with atheris in this process: `python -m fuzz.one READER LIBFUZZER-ARGUMENT…`.

Each reader needs its own process, because libFuzzer ends the process when it is done.
"""

from __future__ import annotations

import sys

import atheris


def main(arguments: list[str]) -> None:
    """Fuzz a reader. Never returns."""
    name, *flags = arguments
    with atheris.instrument_imports(include=["action", "tarfile", "csv", "json"]):
        from fuzz.readers import READERS  # noqa: PLC0415  # atheris instruments what is imported here
    atheris.Setup([f"fuzz-{name}", *flags], READERS[name].attempt)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
