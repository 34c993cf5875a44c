"""The workflow run that a step belongs to: its repository, commit and event.

https://docs.github.com/en/actions/reference/workflows-and-actions/variables
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from action.dataclass import dataclass
from action.lazy import http_client, urllib_request

_TIMEOUT = 10
"""Seconds to wait for a connection, and for each part of an answer."""

# The description of a repository has a few kilobytes.
_MAX_BYTES = 1024 * 1024
_DEFAULT_API = "https://api.github.com"


@dataclass(frozen=True)
class WorkflowRun:
    """A workflow run; a string is empty if its environment variable is not set.

    Attributes:
        server_url: the URL of the GitHub server, without a slash at its end: `https://github.com`.
        repository: the repository, `owner/name`.
        run_id: the ID of the run.
        run_attempt: the number of the attempt, from 1.
        ref: the full ref that triggered the run: `refs/heads/main`.
        sha: the commit that triggered the run.
        private: whether the repository is private; None if the event does not contain it.
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
        """The host of the server, with a port if its URL has one: `github.com`."""
        return urlsplit(self.server_url).netloc

    @property
    def url(self) -> str:
        """The URL of this attempt of the run; empty outside a workflow run."""
        if not (self.repository and self.run_id):
            return ""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}/attempts/{self.run_attempt or 1}"


def read_workflow_run(environment: Mapping[str, str]) -> WorkflowRun:
    """Read the run from GitHub's default environment variables and the event file.

    Args:
        environment: environment variables, such as `os.environ`.
    """
    event = _read_event(environment.get("GITHUB_EVENT_PATH", ""))
    pull_request = _member(event, "pull_request")
    sha = _member(_member(pull_request, "head"), "sha")
    # An `issue_comment` event on a pull request has the number in `issue`, and no `pull_request` at the top.
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


def counts_as_private(run: WorkflowRun) -> bool:
    """Return whether the repository is private by the event alone; True if the event does not contain it."""
    # docker/build-push-action 7 takes such a repository for a public one (src/context.ts, `private ?? false`). The
    # default provenance would then contain the values of build arguments.
    return run.private is not False


def is_private(run: WorkflowRun, token: str, environment: Mapping[str, str]) -> bool:
    """Return whether the run's repository is private: by the event, else by GitHub's API, else True.

    Args:
        run: the workflow run.
        token: the token for GitHub's API; if it is empty, GitHub is not contacted.
        environment: environment variables; GITHUB_API_URL is read.
    """
    if run.private is not None:
        return run.private
    if not run.repository or not token:
        return True
    return _is_private_by_api(run.repository, token, environment)


def _is_private_by_api(repository: str, token: str, environment: Mapping[str, str]) -> bool:
    """Ask GitHub's API whether a repository is private; return True if it gives no answer."""
    # Not PyGithub, which `action.github.api` uses: the build would wait for the installation of its packages.
    api = (environment.get("GITHUB_API_URL") or _DEFAULT_API).rstrip("/")
    try:
        request = urllib_request.Request(
            f"{api}/repos/{quote(repository)}", headers={"Accept": "application/vnd.github+json"}
        )
        # urllib would send an ordinary header to the host of a redirection too.
        request.add_unredirected_header("Authorization", f"Bearer {token}")
        with urllib_request.build_opener().open(request, timeout=_TIMEOUT) as answer:
            document = json.loads(answer.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError, http_client.HTTPException):
        return True
    return _member(document, "private") is not False


def _read_event(path: str) -> object:
    """Return the JSON document of the event file, or None if there is none or it cannot be read."""
    try:
        return json.loads(Path(path).read_bytes()) if path else None
    except (OSError, ValueError, RecursionError):
        # No warning: a build needs nothing of the event.
        return None


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None
