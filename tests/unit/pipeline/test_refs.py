"""The references of a run's builds, as buildx keeps them on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from action.buildx.history import Records
from action.buildx.live_connection import LiveConnections
from action.packages.preload import Preloader
from action.pipeline.live_source import LiveSource
from action.pipeline.run_result import RunResult, Trace, refs_of


@pytest.mark.parametrize("builds", [True, False])
def test_a_run_that_only_calls_has_no_build_and_takes_no_other_that_began_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, builds: bool
) -> None:
    state = tmp_path / "refs/default/default/other"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path))
    trace = Trace(
        known_refs=frozenset(),
        contexts={},
        folder=tmp_path,
        log="",
        records=Records(("buildx",), os.environ, tmp_path),
        live=LiveSource(LiveConnections({}, wanted=False), ("buildx",), Preloader()),
        builds=builds,
    )
    result = RunResult(None, None, trace=trace)
    assert refs_of(result) == ({"": "default/default/other"} if builds else {})
