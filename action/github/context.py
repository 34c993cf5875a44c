"""What GitHub says of the run that a step belongs to: repository, commit, event.

https://docs.github.com/en/actions/reference/workflows-and-actions/variables
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class WorkflowRun:
    """One workflow run; every text is empty where the variable is not set.

    Attributes:
        server_url: `https://github.com`, or the Enterprise Server's URL.
        repository: `owner/name`.
        run_id: the run's number.
        run_attempt: the attempt's number, from 1.
        ref: the full ref that triggered the run.
        sha: the commit that triggered the run.
        private: whether the event's repository is private; None where the event does not say.
        pull_request_head: the head commit of the event's pull request, or empty.
        pull_request: the number of the event's pull request, or None.
    """

    server_url: str
    repository: str
    run_id: str
    run_attempt: str
    ref: str
    sha: str
    private: bool | None
    pull_request_head: str
    pull_request: int | None = None

    @property
    def host(self) -> str:
        """The server's host, with its port where it has one."""
        return urlsplit(self.server_url).netloc

    @property
    def url(self) -> str:
        """The URL of this attempt of the run; empty outside of a run."""
        if not (self.repository and self.run_id):
            return ""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}/attempts/{self.run_attempt or 1}"


def counts_as_private(run: WorkflowRun) -> bool:
    """Whether the run's repository is private by the event alone: where that does not say, it counts as private."""
    return run.private is not False


def read_workflow_run(environment: Mapping[str, str]) -> WorkflowRun:
    """Read the run from GitHub's default variables and its event file; what is not there stays empty."""
    event = _event(environment.get("GITHUB_EVENT_PATH", ""))
    pull_request = _member(event, "pull_request")
    sha = _member(_member(pull_request, "head"), "sha")
    issue = _member(event, "issue")
    number = _member(pull_request, "number") or (_member(issue, "pull_request") and _member(issue, "number"))
    private = _member(_member(event, "repository"), "private")
    return WorkflowRun(
        server_url=(environment.get("GITHUB_SERVER_URL") or "https://github.com").rstrip("/"),
        repository=environment.get("GITHUB_REPOSITORY", ""),
        run_id=environment.get("GITHUB_RUN_ID", ""),
        run_attempt=environment.get("GITHUB_RUN_ATTEMPT", ""),
        ref=environment.get("GITHUB_REF", ""),
        sha=environment.get("GITHUB_SHA", ""),
        private=private if isinstance(private, bool) else None,
        pull_request_head=sha if isinstance(sha, str) else "",
        pull_request=number if isinstance(number, int) else None,
    )


def _event(path: str) -> object:
    try:
        return json.loads(Path(path).read_bytes()) if path else None
    except (OSError, ValueError, RecursionError):
        # What it would have said stays unknown.
        return None


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None
