"""The text of a pull request's comment: a part for each step of a job, under a marker that is not seen."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from action.report.markdown import code

LIMIT = 60_000
"""Longest comment that is written, in bytes; GitHub takes 65,536 characters."""

_PART = re.compile(r"<!-- part ([0-9a-f]+) ([0-9a-f]*) -->\n(.*?)<!-- end -->\n", re.DOTALL)
_HASH = 16


@dataclass(frozen=True)
class Place:
    """What a comment is of.

    Attributes:
        workflow: the workflow's name.
        job: the job's ID.
        leg: the matrix leg: variable to value; empty where there is no matrix.
        step: what tells the step from others of its job.
        commit: the commit that was built.
    """

    workflow: str
    job: str
    leg: Mapping[str, str]
    step: str
    commit: str

    @property
    def marker(self) -> str:
        """How the text of the comment begins."""
        leg = "\0".join(f"{name}={value}" for name, value in sorted(self.leg.items()))
        return f"<!-- build-digests {_hash(self.workflow, self.job, leg)} -->"


def comment_text(place: Place, section: str, known: str) -> str:
    """The comment's text, with a step's section.

    Args:
        place: what the section is of.
        section: Markdown.
        known: the comment's text until now, or empty. Parts of other commits are left out.
    """
    own = _hash(place.step)
    commit = re.sub(r"[^0-9a-f]", "", place.commit)
    parts = {part: text for part, of_commit, text in _PART.findall(known) if of_commit == commit}
    parts[own] = section
    leg = ", ".join(f"{name}: {value}" for name, value in place.leg.items())
    title = f"{code(place.workflow)} / {code(place.job)}{f' / {code(leg)}' if leg else ''}"
    where = f" at {code(commit[:7])}" if commit else ""
    written = "".join(f"<!-- part {part} {commit} -->\n{text}<!-- end -->\n" for part, text in parts.items())
    return f"{place.marker}\n{title}{where}\n\n{written}"


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()[:_HASH]
