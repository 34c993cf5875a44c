"""The references of a run's builds, as buildx keeps them on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from action.buildx.history import Records
from action.pipeline.run_result import RunResult, Trace, refs_of


@pytest.mark.parametrize("builds", [True, False])
def test_a_run_that_only_calls_has_no_build_and_takes_no_other_that_began_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, builds: bool
) -> None:
    state = tmp_path / "refs/default/default/other"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path))
    trace = Trace(frozenset(), {}, tmp_path, "", Records(("buildx",), os.environ, tmp_path), builds)
    result = RunResult(None, None, trace=trace)
    assert refs_of(result) == ({"": "default/default/other"} if builds else {})
