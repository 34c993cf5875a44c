"""Whether a repository is private, which decides how much a provenance says."""

from __future__ import annotations

from collections.abc import Mapping

from action.errors import GitHubError
from action.github.client import connected
from action.github.context import WorkflowRun


def is_private(run: WorkflowRun, token: str, environment: Mapping[str, str]) -> bool:
    """Say whether the run's repository is private: what the event says, else GitHub, else it counts as private.

    Args:
        run: the workflow run.
        token: the token to ask GitHub with, or empty, which asks nothing.
        environment: GITHUB_API_URL is read.
    """
    if run.private is not None:
        return run.private
    if not run.repository or not token:
        return True
    try:
        with connected(token, environment) as client:
            return bool(client.get_repo(run.repository).private)
    except GitHubError:
        return True
