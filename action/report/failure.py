"""The part of buildx's log that says what failed."""

from __future__ import annotations

import re

from action.report.markdown import seen

_RULE = re.compile(r"^-{5,}$")
_STEP = re.compile(r"^ > ")
_MOST_LINES = 100
_FEW_LINES = 20


def failure_excerpt(log: str) -> str:
    """The failed step, its last log lines and the Dockerfile's lines around it, as buildx prints them at its end.

    Args:
        log: the end of buildx's standard error, in plain progress.
    """
    lines = [line.rstrip() for line in seen(log).rstrip().split("\n")]
    begun = [place for place, line in enumerate(lines[:-1]) if _RULE.match(line) and _STEP.match(lines[place + 1])]
    # Each step that failed has such a part; its log stands between two rules.
    excerpt = lines[begun[0] + 1 :] if begun else lines[-_FEW_LINES:]
    return "\n".join(line for line in excerpt[-_MOST_LINES:] if not _RULE.match(line)).strip("\n")
