"""What tests of the engine and of workflows share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from engine import EngineError
from engine.docker import Docker, private_docker
from engine.registry import registry
from tests.cache_service import CacheService, serve
from tests.input_coverage import pytest_configure, pytest_sessionfinish, pytest_terminal_summary

__all__ = [
    "cache_service",
    "empty_engine",
    "other_engine",
    "pytest_configure",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "second_registry",
]

# Images for containers often set this variable. With it each process of the test run, and each program that a test
# starts, compiles the same modules again, and pytest rewrites each assertion again: 2.8 s for each process.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session")
def second_registry() -> Iterator[str]:
    """Another registry, on another port."""
    with registry(Docker(dict(os.environ), "containerd")) as address:
        yield address


@pytest.fixture
def cache_service() -> Iterator[CacheService]:
    """A cache service of GitHub's on loopback."""
    with serve() as service:
        yield service


@pytest.fixture(scope="session")
def other_engine() -> Iterator[Mapping[str, str]]:
    """The environment of another engine, for what a later job on another machine does."""
    try:
        with private_docker("containerd") as docker:
            yield docker.environment
    except EngineError as error:
        pytest.skip(f"no second engine: {error}")


@pytest.fixture
def empty_engine(other_engine: Mapping[str, str]) -> Mapping[str, str]:
    """That engine, with nothing in its build cache."""
    prune = ("docker", "builder", "prune", "--all", "--force")
    subprocess.run(prune, env=dict(other_engine), check=True, capture_output=True, timeout=60)
    return other_engine
