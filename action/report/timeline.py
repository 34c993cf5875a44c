"""A build's steps for people: over time, and the slowest.

GitHub draws the steps over time from a Mermaid Gantt diagram (https://mermaid.js.org/syntax/gantt.html).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from action.evidence.record import Step
from action.report.safe_text import block, code, details, one_line, table

MAX_STEPS = 30
"""Largest number of steps in a diagram."""

_MAX_NAME = 60
# A record may contain any number, and Python raises OverflowError for a date after the year 9999.
_MAX_SECONDS = 10 * 365 * 86400.0
# Every character that may have a meaning in a task's name. They become spaces, because Mermaid's Gantt diagrams have no
# way to escape them.
_MARKUP = re.compile(r"[^\w \[\]()/.,=+*@!?$&|~^'-]")
_TENTHS_UNTIL = 10
_SECONDS_UNTIL = 60
_MINUTES_UNTIL = 3600


def timeline(steps: Sequence[tuple[str, Step]]) -> str:
    """Return a Gantt diagram of the longest steps, ordered by target and start; empty if no step has completed.

    Args:
        steps: pairs of a target's name, empty for a build, and one of its steps.
    """
    timed = [(target, step) for target, step in steps if step.started is not None and step.completed is not None]
    if not timed:
        return ""
    longest = sorted(timed, key=lambda each: -each[1].seconds)[:MAX_STEPS]
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
        # Mermaid does not draw a task whose start and end are equal, so each takes a millisecond at least.
        lines.append(
            f"{number} - {mark}{_name(step.name, number)} :{tag}{_time(start)}, {_time(max(end, start + 0.001))}"
        )
    return "\n".join(lines) + "\n"


def timeline_part(steps: Sequence[tuple[str, Step]]) -> str:
    """Return the part of a summary with the steps over time, in Markdown, or empty if no step has completed.

    Args:
        steps: pairs of a target's name, empty for a build, and one of its steps.
    """
    drawn = timeline(steps)
    return f"#### Steps over time\n\n{block(drawn, 'mermaid')}{_legend(steps)}" if drawn else ""


def slowest_steps(steps: Sequence[tuple[str, Step]]) -> str:
    """Return the part of a summary with the slowest steps, in Markdown, or empty if no step took time.

    Args:
        steps: pairs of a target's name, empty for a build, and one of its steps.
    """
    timed = sorted((each for each in steps if each[1].seconds > 0), key=lambda each: -each[1].seconds)[:MAX_STEPS]
    bake = any(target for target, _ in steps)
    rows = [
        [
            *([code(target)] if bake else []),
            code(step.name),
            duration(step.seconds),
            "cached" if step.cached else "failed" if step.error else "",
        ]
        for target, step in timed
    ]
    if not rows:
        return ""
    return details("Slowest steps", table([*(["Target"] if bake else []), "Step", "Time", ""], rows))


def duration(seconds: float) -> str:
    """Return a number of seconds for people, such as `2 min 5 s`."""
    if seconds < _SECONDS_UNTIL:
        # The times come from a record, which may contain an end before the start.
        return f"{max(seconds, 0.0):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _legend(steps: Sequence[tuple[str, Step]]) -> str:
    sentences = [
        *([f"The {MAX_STEPS} longest of {len(steps)} steps."] if len(steps) > MAX_STEPS else []),
        *(["Grey: from the cache."] if any(step.cached for _, step in steps) else []),
        *(["Red: failed."] if any(step.error for _, step in steps) else []),
    ]
    return f"\n{' '.join(sentences)}\n" if sentences else ""


def _axis(seconds: float) -> str:
    """Return the format of the times below the diagram."""
    if seconds < _TENTHS_UNTIL:
        return "%S.%L"
    return "%M:%S" if seconds < _MINUTES_UNTIL else "%H:%M"


def _name(text: str, number: int) -> str:
    name = _MARKUP.sub(" ", one_line(text, _MAX_NAME).replace(":", " ").replace("…", ".."))
    return " ".join(name.split()) or f"step {number}"


def _time(seconds: float) -> str:
    """Return the time since the first step as a date and time, because a Gantt diagram has no relative times.

    The axis shows only the time of day, which starts at midnight of an arbitrary day.
    """
    moment = datetime(2000, 1, 1, tzinfo=timezone.utc) + timedelta(
        milliseconds=round(min(seconds, _MAX_SECONDS) * 1000)
    )
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
