"""Texts of cases, faults and figures."""

from __future__ import annotations

import json
from collections.abc import Iterable

from soak.case import Case
from soak.command import step_inputs
from soak.definition import definition
from soak.judge import Counts, Fault

HEADING = "| engine | builds | refused | outputs | digests | image IDs | refs | wrong | absent though knowable | time |"
"""The first row of the table in docs/reliability.md."""


def faults_text(faults: Iterable[Fault]) -> str:
    """Return faults as text, one line each."""
    return "\n".join(f"  {fault.kind}: {fault.text}" for fault in faults)


def case_text(case: Case) -> str:
    """Return a case as text: the step's inputs, and a bake's definition."""
    text = json.dumps(step_inputs(case), indent=1, ensure_ascii=False)
    return f"{case.kind}: {text}" + (f"\n{definition(case)}" if case.kind == "bake" else "")


def figures(kind: str, counts: Counts, seconds: float) -> str:
    """Return the table row of one engine.

    Args:
        kind: the kind of engine.
        counts: what was compared.
        seconds: how long the run took.
    """
    return (
        f"| {kind} | {counts.builds} | {counts.refused} | {counts.outputs} | {counts.digests} | {counts.imageids} "
        f"| {counts.refs} | {counts.wrong} | {counts.absent} | {seconds:.0f} s |"
    )
