"""What a step wants reported of its run. A module of its own, because it is needed before the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from action.inputs.report_options import ReportOptions


@dataclass(frozen=True)
class ReportRequest:
    """The parts of a report that a step wants, and what they need besides the run's result.

    Attributes:
        title: `Build`, `Bake` or `Merge`.
        report_options: the parts that the step wants.
        inputs: the step's inputs, input name to its text.
        secrets: texts that must not be shown.
        token: the token to write a comment with, or empty.
        folder: the folder that paths in outputs are relative to.
    """

    title: str
    report_options: ReportOptions
    inputs: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    token: str = field(default="", repr=False)
    folder: str = "."
