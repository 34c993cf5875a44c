"""A client of GitHub's API, through PyGithub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from action.errors import GitHubError, PackagesError
from action.packages.sets import GITHUB, provide

if TYPE_CHECKING:
    from github import Github

_TIMEOUT = 10
_DEFAULT_API = "https://api.github.com"


@contextmanager
def connected(token: str, environment: Mapping[str, str]) -> Iterator[Github]:
    """A client, for as long as the block runs; nothing is asked yet.

    Args:
        token: the token to ask with.
        environment: GITHUB_API_URL is read.

    Raises:
        GitHubError: PyGithub is not there, or, in the block, GitHub refuses or cannot be reached.
    """
    try:
        provide(GITHUB)
    except PackagesError as error:
        raise GitHubError(str(error)) from None
    import requests  # noqa: PLC0415  # not importable before
    from github import Auth, Github, GithubException  # noqa: PLC0415  # the same

    # Without a retry: PyGithub's own waits for as long as an hour where a rate limit is reached.
    client: Github = Github(
        auth=Auth.Token(token),
        base_url=(environment.get("GITHUB_API_URL") or _DEFAULT_API).rstrip("/"),
        timeout=_TIMEOUT,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
        per_page=100,
        lazy=True,
    )
    try:
        with client:
            yield client
    except GithubException as error:
        raise GitHubError(_said(error.status, error.data)) from None
    except requests.RequestException as error:
        raise GitHubError(f"GitHub cannot be reached ({type(error).__name__})") from None


def _said(status: int, data: object) -> str:
    message = str(data.get("message", "")) if isinstance(data, dict) else ""
    return f"GitHub answers {status}{f' ({message})' if message else ''}"
