"""The timeline, parsed by Mermaid."""

from __future__ import annotations

import random

import pytest

from action.evidence.record import Step
from action.report.timeline import timeline
from tests.unit.report.conftest import Mermaid
from tests.unit.report.test_safe_text import HOSTILE

NAMES = [
    *HOSTILE,
    *(
        "section x",
        "title x",
        "click a href",
        "dateFormat x",
        "axisFormat %S",
        "excludes weekends",
        "gantt",
        "%% comment",
    ),
    *("a :done, 1d", "x; y", "# c", "%%{init: {}}%%", "---\ntitle: x\n---", "vert", "todayMarker off", "accTitle: x"),
    *(
        '[2/3] RUN echo "a: b; c" > /x # y',
        "2000-01-01",
        "é ü 漢字 emoji 🎉",
        "",
        " ",
        "done",
        "crit",
        "milestone",
        "}{",
    ),
]


def steps(*names: str, target: str = "") -> list[tuple[str, Step]]:
    return [(target, Step(name, float(number), number + 1.0)) for number, name in enumerate(names)]


def test_times_cached_steps_and_failed_steps_are_drawn(mermaid: Mermaid) -> None:
    drawn = timeline(
        [
            ("", Step("[1/3] FROM x", 100.0, 100.0, cached=True)),
            ("", Step("[2/3] RUN make", 100.5, 165.25)),
            ("", Step("[3/3] RUN false", 165.25, 166.0, error="exit code 1")),
            ("", Step("never started")),
        ]
    )
    (answer,) = mermaid([drawn])
    assert answer["tasks"] == [
        {"name": "1 - cached [1/3] FROM x", "section": "", "seconds": 0.001, "done": True, "crit": False},
        {"name": "2 - [2/3] RUN make", "section": "", "seconds": 64.75, "done": False, "crit": False},
        {"name": "3 - [3/3] RUN false", "section": "", "seconds": 0.75, "done": False, "crit": True},
    ]


def test_a_hostile_step_name_stays_the_name_of_one_task(mermaid: Mermaid) -> None:
    diagrams = [timeline(steps("before", name, "after")) for name in NAMES]
    for name, answer in zip(NAMES, mermaid(diagrams), strict=True):
        assert "error" not in answer, (name, answer)
        assert [task["name"][:4] for task in answer["tasks"]][::2] == ["1 - ", "3 - "], name
        assert [(task["seconds"], task["section"]) for task in answer["tasks"]] == [(1, "")] * 3, name


def test_a_hostile_target_name_stays_the_name_of_one_section(mermaid: Mermaid) -> None:
    diagrams = [timeline([*steps("a", "b", target=name), *steps("c", target="last")]) for name in NAMES if name.strip()]
    for answer in mermaid(diagrams):
        assert "error" not in answer, answer
        first, second, third = (task["section"] for task in answer["tasks"])
        assert first == second != third == "last"


def test_random_step_names_stay_names(mermaid: Mermaid) -> None:
    rng = random.Random(20260324)
    alphabet = "ab 1:;#%,{}[]()<>\"'`|&-=\\/\n\t.@!?$*~^_é\u202e"
    names = ["".join(rng.choices(alphabet, k=rng.randrange(30))) for _ in range(900)]
    chunks = [names[start : start + 30] for start in range(0, len(names), 30)]
    for chunk, answer in zip(chunks, mermaid([timeline(steps(*chunk)) for chunk in chunks]), strict=True):
        assert "error" not in answer, answer
        assert [task["seconds"] for task in answer["tasks"]] == [1] * 30, chunk


def test_the_longest_thirty_are_drawn_in_the_order_in_which_they_started(mermaid: Mermaid) -> None:
    listed = [
        ("", Step(f"s{number}", float(number), number + (2.0 if number % 10 == 0 else 0.5))) for number in range(300)
    ]
    (answer,) = mermaid([timeline(listed)])
    assert [task["name"].split()[-1] for task in answer["tasks"]] == [f"s{number}" for number in range(0, 300, 10)]


def test_a_build_of_more_than_an_hour_is_drawn(mermaid: Mermaid) -> None:
    (answer,) = mermaid([timeline([("", Step("long", 0.0, 2 * 3600.0))])])
    assert answer["tasks"][0]["seconds"] == 7200


@pytest.mark.parametrize(("seconds", "axis"), [(0.4, "%S.%L"), (30.0, "%M:%S"), (4000.0, "%H:%M")])
def test_the_axis_format_depends_on_the_duration(seconds: float, axis: str) -> None:
    assert f"axisFormat {axis}\n" in timeline([("", Step("a", 5.0, 5.0 + seconds))])


def test_without_a_completed_step_there_is_no_diagram() -> None:
    assert timeline([]) == timeline([("", Step("never started"))]) == ""


def test_an_impossible_time_gives_a_diagram_that_mermaid_can_read(mermaid: Mermaid) -> None:
    drawn = timeline([("", Step("a", 0.0, 2.0**62)), ("", Step("b", 2.0**61, 1.0)), ("", Step("c", -(2.0**62), 0.0))])
    (answer,) = mermaid([drawn])
    assert "error" not in answer
