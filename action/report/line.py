"""A text from outside on one line of a terminal, or of a workflow's log."""

from __future__ import annotations

import re

from action.report.markdown import seen

_BREAKS = re.compile(r"[\n\t]+")


def line(text: str) -> str:
    """The text on one line that is no workflow command, without what is not seen."""
    shown = _BREAKS.sub(" ", seen(text)).replace("##[", "## [")
    return f": :{shown.lstrip()[2:]}" if shown.lstrip().startswith("::") else shown
