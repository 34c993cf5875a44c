"""The text of a pull request comment: a hidden marker, then a part for each step of a job."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from action.dataclass import dataclass
from action.report.safe_text import code

LIMIT = 60_000
"""Largest size of a comment in bytes; GitHub accepts 65,536 characters."""

_PART = re.compile(r"<!-- part ([0-9a-f]+) ([0-9a-f]*) -->\n(.*?)<!-- end -->\n", re.DOTALL)
_HASH_LENGTH = 16


@dataclass(frozen=True)
class CommentSource:
    """The step that a part of a comment comes from.

    Attributes:
        workflow: the workflow's name.
        job: the job's ID.
        leg: the matrix leg, variable to value; empty if the job has no matrix.
        step: a text that distinguishes the step from others of its job.
        commit: the commit that was built.
    """

    workflow: str
    job: str
    leg: Mapping[str, str]
    step: str
    commit: str

    @property
    def marker(self) -> str:
        """The hidden first line of the comment, the same for all steps and runs of one job and matrix leg."""
        leg = "\0".join(f"{name}={value}" for name, value in sorted(self.leg.items()))
        return f"<!-- build-digests {_hash(self.workflow, self.job, leg)} -->"


def comment_text(source: CommentSource, section: str, known: str) -> str:
    """Return a comment's text with a step's section added or replaced.

    Args:
        source: the step that the section comes from.
        section: the section, in Markdown.
        known: the comment's current text, or empty. Its parts of other commits are removed.
    """
    own = _hash(source.step)
    # The commit is part of an HTML comment, which other characters could end.
    commit = re.sub(r"[^0-9a-f]", "", source.commit)
    # The digests of an older commit are no longer those of the pull request.
    parts = {part: text for part, of_commit, text in _PART.findall(known) if of_commit == commit}
    parts[own] = section
    leg = ", ".join(f"{name}: {value}" for name, value in source.leg.items())
    title = f"{code(source.workflow)} / {code(source.job)}{f' / {code(leg)}' if leg else ''}"
    at_commit = f" at {code(commit[:7])}" if commit else ""
    written = "".join(f"<!-- part {part} {commit} -->\n{text}<!-- end -->\n" for part, text in parts.items())
    return f"{source.marker}\n{title}{at_commit}\n\n{written}"


def _hash(*texts: str) -> str:
    # Names come from anybody and could end the HTML comment; a hash cannot.
    return hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()[:_HASH_LENGTH]
