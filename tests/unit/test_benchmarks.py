"""The figures of a benchmark, and the comparison with earlier ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.figures import Figures, figures_of, slower, write
from benchmarks.processes import Measured, measured


def runs(*seconds: float) -> list[Measured]:
    return [Measured(each, each / 2, 10.0) for each in seconds]


def test_figures_are_medians_of_pairs() -> None:
    figures = figures_of("x", runs(1.5, 3.0, 2.5), runs(1.0, 1.0, 2.0))
    assert (figures.rounds, figures.median, figures.minimum, figures.maximum) == (3, 2.5, 1.5, 3.0)
    assert figures.added == 0.5
    assert figures.ratio == 2.5
    assert (figures.first, figures.first_added, figures.memory) == (1.25, 0.25, 10.0)


@pytest.mark.parametrize(("now", "slow"), [(2.0, []), (2.4, []), (2.6, ["x: 2.00 times the bare build before, 2.60"])])
def test_a_ratio_above_the_tolerance_is_slower(tmp_path: Path, now: float, slow: list[str]) -> None:
    file = tmp_path / "before.json"
    write([_figures("x", 2.0), _figures("gone", 1.0)], file)
    lines = slower(file, [_figures("x", now), _figures("new", 9.0)], 0.25)
    assert [line.removesuffix(" times now") for line in lines] == slow


def _figures(name: str, ratio: float) -> Figures:
    return Figures(name, 1, 1.0, 1.0, 1.0, 0.0, ratio, None, None, 1.0)


def test_a_program_is_measured_from_outside(tmp_path: Path) -> None:
    script = "sleep 0.2; echo first; sleep 0.3"
    run = measured(["/bin/sh", "-c", script], tmp_path, {"PATH": "/bin:/usr/bin"}, b"first")
    assert run.seconds > 0.5
    assert run.first is not None
    assert 0.2 < run.first < run.seconds
    with pytest.raises(SystemExit, match="it says why"):
        measured(["/bin/sh", "-c", "echo it says why; exit 3"], tmp_path, {"PATH": "/bin:/usr/bin"}, b"first")
