"""A client of GitHub's API. PyGithub and all that it draws in are installed when they are needed first."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from action import start
from action.errors import GitHubError

if TYPE_CHECKING:
    from github import Github

_TIMEOUT = 10
_DEFAULT_API = "https://api.github.com"


def load_pygithub() -> None:
    """Make PyGithub importable.

    Raises:
        GitHubError: it is not there and cannot be installed.
    """
    if importlib.util.find_spec("github") is not None:
        return
    if not start.GITHUB_LOCK.is_file():
        raise GitHubError("PyGithub is missing: pip install 'build-digests[github]'")
    folder = start.packages_folder(start.GITHUB_LOCK)
    try:
        if not folder.is_dir():
            start.install(folder, start.GITHUB_LOCK)
    except start.StartError as error:
        raise GitHubError(str(error)) from None
    sys.path.append(str(folder))
    importlib.invalidate_caches()


@contextmanager
def connected(token: str, environment: Mapping[str, str]) -> Iterator[Github]:
    """A client, for as long as the block runs; nothing is asked yet.

    Args:
        token: the token to ask with.
        environment: GITHUB_API_URL is read.

    Raises:
        GitHubError: PyGithub is not there, or, in the block, GitHub refuses or cannot be reached.
    """
    load_pygithub()
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
