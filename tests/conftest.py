"""What tests of the engine and of workflows share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from engine.docker import Docker
from engine.registry import registry
from tests.input_coverage import pytest_configure, pytest_sessionfinish, pytest_terminal_summary

__all__ = ["pytest_configure", "pytest_sessionfinish", "pytest_terminal_summary", "second_registry"]


@pytest.fixture(scope="session")
def second_registry() -> Iterator[str]:
    """Another registry, on another port."""
    with registry(Docker(dict(os.environ), "containerd")) as address:
        yield address
