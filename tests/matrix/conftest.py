"""Fixtures that start each engine once, for all its tests, and stop it before the next one starts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.capture import CaptureManager

from action.process.docker import find_buildx
from engine import EngineError
from engine.docker import Docker
from engine.registry import registry as served_registry
from tests.engine.conftest import Workplace, fake_docker, workplace
from tests.matrix import table
from tests.matrix.engines import ENGINES, Engine, started
from tests.matrix.scenarios import SCENARIOS, Scenario

RESULTS = pytest.StashKey[dict[tuple[str, str], str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RESULTS] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    results = config.stash[RESULTS]
    if not results:
        return
    terminalreporter.section("results")
    if exitstatus == 0 and table.is_complete(results):
        table.write(results)
        terminalreporter.write_line(f"written to {table.FILE}")
    else:
        terminalreporter.write_line(table.table(results))
        terminalreporter.write_line(f"{table.FILE.name} is unchanged: only a complete run without failures updates it")


@pytest.fixture
def results(request: pytest.FixtureRequest) -> dict[tuple[str, str], str]:
    return request.config.stash[RESULTS]


@pytest.fixture(scope="session")
def registry() -> Iterator[str]:
    with served_registry(Docker(dict(os.environ), "containerd")) as address:
        yield address


_CAPABILITIES = "unable to apply caps: operation not permitted"
"""runc's message if Docker 20.10 gives a privileged container a capability that this machine does not have."""

NO_PRIVILEGES = "not run: this machine lacks a capability that Docker 20.10 gives to a privileged container"


@dataclass(frozen=True)
class Started:
    """An engine that was started.

    Attributes:
        engine: the engine.
        environment: the environment variables with which docker reaches it; empty if it did not start.
        fault: why it did not start, or empty.
    """

    engine: Engine
    environment: Mapping[str, str]
    fault: str = ""

    @property
    def is_forbidden(self) -> bool:
        """Whether this machine lacks a capability that the engine needs."""
        return _CAPABILITIES in self.fault


@pytest.fixture(scope="session", params=ENGINES, ids=lambda engine: engine.name)
def running(request: pytest.FixtureRequest, registry: str) -> Iterator[Started]:
    engine: Engine = request.param
    capture: CaptureManager = request.config.pluginmanager.getplugin("capturemanager")
    with contextlib.ExitStack() as stack:
        try:
            # Starting may download and build an engine for minutes: show that progress while it happens.
            with capture.global_and_fixture_disabled():
                environment = stack.enter_context(started(engine, registry)).environment
        except EngineError as error:
            yield Started(engine, {}, str(error))
        else:
            yield Started(engine, environment)


@pytest.fixture(params=SCENARIOS, ids=lambda scenario: scenario.name)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    chosen: Scenario = request.param
    return chosen


MakeWorkplace = Callable[[Mapping[str, str]], Workplace]
"""Makes a workplace for an engine that an environment leads to."""


@pytest.fixture(params=["plugin", "docker"])
def make_workplace(request: pytest.FixtureRequest, tmp_path: Path, registry: str) -> MakeWorkplace:
    """Return a function that makes a workplace whose step runs docker, or the plugin that docker would run."""

    def make(environment: Mapping[str, str]) -> Workplace:
        work = workplace(tmp_path, environment, registry)
        if request.param == "docker":
            # A docker that is a script may do more than docker, so a step does not leave it out.
            fake_docker(work, 'exec "$REAL" "$@"')
        name = Path(find_buildx(work.environment)[0]).name
        assert name == {"plugin": "docker-buildx", "docker": "docker"}[request.param]
        return work

    return make


@pytest.fixture
def work(
    running: Started, make_workplace: MakeWorkplace, scenario: Scenario, results: dict[tuple[str, str], str]
) -> Workplace:
    if running.is_forbidden:
        results[running.engine.name, scenario.name] = NO_PRIVILEGES
        pytest.skip(NO_PRIVILEGES)
    if running.fault:
        pytest.fail(running.fault)
    return make_workplace(running.environment)
