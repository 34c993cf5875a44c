"""On every engine each digest is right or absent, and a release that is too old is named in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.engine.conftest import Workplace
from tests.matrix.conftest import Started
from tests.matrix.engines import ENGINES
from tests.matrix.result import describe_result
from tests.matrix.scenarios import SCENARIOS, Scenario

EXPECTED: dict[str, dict[str, str]] = yaml.safe_load(
    Path(__file__).with_name("expected.yml").read_text(encoding="utf-8")
)


pytestmark = pytest.mark.timeout(3600)
"""Long, because a missing engine is downloaded or built first; each step of that has its own shorter limit."""


def test_every_digest_is_right_or_absent(
    running: Started, work: Workplace, scenario: Scenario, results: dict[tuple[str, str], str]
) -> None:
    step = scenario.run(work)
    result = describe_result(step, lambda: scenario.truths(work, running.engine))
    results[running.engine.name, scenario.name] = result
    assert result == EXPECTED[running.engine.name][scenario.name], step.log


def test_each_engine_and_scenario_has_an_expectation() -> None:
    assert list(EXPECTED) == [engine.name for engine in ENGINES]
    for engine, scenarios in EXPECTED.items():
        assert list(scenarios) == [scenario.name for scenario in SCENARIOS], engine
