"""On every engine a digest is right or absent, and what is too old says so in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.engine.conftest import Workplace
from tests.matrix.conftest import Started
from tests.matrix.engines import ENGINES
from tests.matrix.outcome import outcome
from tests.matrix.scenarios import SCENARIOS, Scenario

EXPECTED: dict[str, dict[str, str]] = yaml.safe_load(
    Path(__file__).with_name("expected.yml").read_text(encoding="utf-8")
)


pytestmark = pytest.mark.timeout(3600)
"""An engine that is not there yet is fetched or built; each step of that, and of a build, has a limit of its own."""


def test_every_digest_is_right_or_absent(
    running: Started, work: Workplace, scenario: Scenario, results: dict[tuple[str, str], str]
) -> None:
    step = scenario.run(work)
    came = outcome(step, lambda: scenario.truths(work, running.engine))
    results[running.engine.name, scenario.name] = came
    assert came == EXPECTED[running.engine.name][scenario.name], step.log


def test_each_engine_and_scenario_has_an_expectation() -> None:
    assert list(EXPECTED) == [engine.name for engine in ENGINES]
    for engine, scenarios in EXPECTED.items():
        assert list(scenarios) == [scenario.name for scenario in SCENARIOS], engine
