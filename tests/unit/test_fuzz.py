"""Every fuzz target runs on its seeds and its earlier finds, so that it stays usable and no find comes back."""

from __future__ import annotations

import pytest

from fuzz.__main__ import kept
from fuzz.readers import READERS

CASES = [
    pytest.param(name, data, id=f"{name}-{kind}-{place}")
    for name, reader in READERS.items()
    for kind, inputs in (("seed", reader.seeds), ("find", kept(name)))
    for place, data in enumerate(inputs)
]


@pytest.mark.parametrize(("name", "data"), CASES)
def test_a_reader_keeps_its_promises(name: str, data: bytes) -> None:
    READERS[name].attempt(data)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_keeps_its_promises_on_empty_and_random_input(name: str) -> None:
    for data in (b"", b"\0", b"\n%%\n" * 12, b"\xff\xfe" * 300, "\u202e::\x1b[31m".encode(), bytes(range(256)) * 4):
        READERS[name].attempt(data)
