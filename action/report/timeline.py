"""A build's steps over time, as a Mermaid gantt, which GitHub draws (https://mermaid.js.org/syntax/gantt.html)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from action.evidence.status_log import Step
from action.report.markdown import one_line

MOST = 30
"""Most steps that are drawn."""

_LONGEST_NAME = 60
_LATEST = 10 * 365 * 86400.0
"""No build takes ten years, but a record may say so."""

_MEANS = re.compile(r"[^\w \[\]()/.,=+*@!?$&|~^'-]")
"""Everything but what is mere text in the name of a task."""


def timeline(steps: Sequence[tuple[str, Step]]) -> str:
    """The longest steps over time, in the order in which they started; empty where no step took any time.

    Args:
        steps: a target's name, or empty, and a step of it.
    """
    timed = [(target, step) for target, step in steps if step.started is not None and step.completed is not None]
    if not timed:
        return ""
    longest = sorted(timed, key=lambda each: -each[1].seconds)[:MOST]
    begin = min(step.started or 0.0 for _, step in longest)
    span = max(step.completed or 0.0 for _, step in longest) - begin
    lines = ["gantt", "dateFormat YYYY-MM-DD HH:mm:ss.SSS", f"axisFormat {_axis(span)}"]
    section = None
    places = {target: place for place, target in enumerate(dict.fromkeys(target for target, _ in steps))}
    ordered = sorted(longest, key=lambda each: (places[each[0]], each[1].started or 0.0))
    for number, (target, step) in enumerate(ordered, 1):
        if target != section:
            section = target
            if target:
                lines.append(f"section {_name(target, number)}")
        tag = "crit, " if step.error else "done, " if step.cached else ""
        mark = "cached " if step.cached else ""
        start, end = (step.started or 0.0) - begin, (step.completed or 0.0) - begin
        # A task that takes no time is not drawn.
        lines.append(
            f"{number} - {mark}{_name(step.name, number)} :{tag}{_time(start)}, {_time(max(end, start + 0.001))}"
        )
    return "\n".join(lines) + "\n"


def _axis(seconds: float) -> str:
    """How times are written below the drawing."""
    if seconds < 10:  # noqa: PLR2004
        return "%S.%L"
    return "%M:%S" if seconds < 3600 else "%H:%M"  # noqa: PLR2004


def _name(text: str, number: int) -> str:
    name = _MEANS.sub(" ", one_line(text, _LONGEST_NAME).replace(":", " ").replace("…", ".."))
    return " ".join(name.split()) or f"step {number}"


def _time(seconds: float) -> str:
    """A time of day that the build could have begun at midnight of: what is drawn is the time since then."""
    moment = datetime(2000, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=round(min(seconds, _LATEST) * 1000))
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
