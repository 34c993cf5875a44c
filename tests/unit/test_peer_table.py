"""The table of the peers' own CI jobs names tests that exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TABLE: dict[str, Any] = yaml.safe_load((ROOT / "tests/peers/jobs.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("peer", TABLE)
def test_each_job_has_tests_that_exist(peer: str) -> None:
    jobs = TABLE[peer]["jobs"]
    assert len(jobs) == {"docker/build-push-action": 45, "docker/bake-action": 31}[peer]
    for name, job in jobs.items():
        assert job["tests"], name
        for each in job["tests"]:
            file, _, test = each.partition("::")
            assert f"\ndef {test}(" in (ROOT / "tests/engine" / file).read_text(encoding="utf-8"), each
