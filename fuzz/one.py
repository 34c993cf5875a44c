"""Fuzzes one reader with atheris, in a process of its own: `python -m fuzz.one READER LIBFUZZER-ARGUMENT…`."""

from __future__ import annotations

import sys

import atheris


def main(arguments: list[str]) -> None:
    """Fuzz a reader; never returns."""
    name, *flags = arguments
    with atheris.instrument_imports(include=["action", "tarfile", "csv", "json"]):
        from fuzz.readers import READERS  # noqa: PLC0415  # atheris counts what is imported here
    atheris.Setup([f"fuzz-{name}", *flags], READERS[name].attempt)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
