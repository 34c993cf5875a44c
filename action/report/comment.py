"""The comment on a pull request: a hidden marker, then a part for each step of a job."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping

from action.dataclass import dataclass
from action.errors import GitHubError
from action.github import workflow_commands
from action.github.context import read_workflow_run
from action.report.model import Report
from action.report.request import ReportRequest
from action.report.safe_text import code
from action.report.summary import outputs_table

LIMIT = 60_000
"""Largest size of a comment in bytes; GitHub accepts 65,536 characters."""

_PART = re.compile(r"<!-- part ([0-9a-f]+) ([0-9a-f]*) -->\n(.*?)<!-- end -->\n", re.DOTALL)
_HASH_LENGTH = 16

# Inputs that tell the steps of one job apart, so that each step replaces only its own part of a comment.
_DISTINGUISHING_INPUTS = ("context", "file", "target", "source", "targets", "workdir", "keys")


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
    # The commit becomes part of an HTML comment, which other characters could end.
    commit = re.sub(r"[^0-9a-f]", "", source.commit)
    # The digests of an older commit are no longer those of the pull request.
    parts = {part: text for part, of_commit, text in _PART.findall(known) if of_commit == commit}
    parts[own] = section
    leg = ", ".join(f"{name}: {value}" for name, value in source.leg.items())
    title = f"{code(source.workflow)} / {code(source.job)}{f' / {code(leg)}' if leg else ''}"
    at_commit = f" at {code(commit[:7])}" if commit else ""
    written = "".join(f"<!-- part {part} {commit} -->\n{text}<!-- end -->\n" for part, text in parts.items())
    return f"{source.marker}\n{title}{at_commit}\n\n{written}"


def write_comment(request: ReportRequest, report: Report) -> None:
    """Write a run's part of the comment on the workflow run's pull request; without a pull request, say so.

    Args:
        request: the inputs of the step, and its token.
        report: the content.

    Raises:
        GitHubError: GitHub does not accept the comment.
    """
    run = read_workflow_run(os.environ)
    if run.pull_request is None:
        workflow_commands.say("no comment is written: this run does not belong to a pull request")
        return
    if not request.token:
        raise GitHubError("the input github-token is empty")
    step = (request.title, *(request.inputs.get(name, "") for name in _DISTINGUISHING_INPUTS))
    source = CommentSource(
        workflow=os.environ.get("GITHUB_WORKFLOW", ""),
        job=os.environ.get("GITHUB_JOB", ""),
        leg=_leg(request.inputs.get("matrix", "")),
        step="\0".join(step),
        # In a pull request GITHUB_SHA is a merge commit that GitHub made, which the reader does not know.
        commit=run.pull_request_head or run.sha,
    )

    def text(known: str) -> str:
        others = len(comment_text(source, "", known).encode())
        return comment_text(source, outputs_table(report, LIMIT - others), known)

    from action.github.api import put_comment  # noqa: PLC0415  # PyGithub: imported while the build ran

    try:
        put_comment(run.repository, run.pull_request, request.token, os.environ, marker=source.marker, body=text)
    except GitHubError as error:
        rule = "a comment needs the permission pull-requests: write, which a fork's token does not have"
        raise GitHubError(f"{error}; {rule}") from None


def _leg(text: str) -> dict[str, str]:
    # The runner has no variable for the matrix leg: action.yml makes `toJSON(matrix)`, which is `null` without one, the
    # default of an input.
    try:
        leg = json.loads(text or "null")
    except (ValueError, RecursionError):
        return {}
    return {name: str(value) for name, value in leg.items()} if isinstance(leg, dict) else {}


def _hash(*texts: str) -> str:
    # Anybody can choose the names, which could end the HTML comment. A hash cannot.
    return hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()[:_HASH_LENGTH]
