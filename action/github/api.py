"""Requests to GitHub's API, through PyGithub.

This module imports PyGithub, so `provide(GITHUB)` must have made that importable before this module is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import requests
from github import Auth, Github, GithubException
from github.Issue import Issue
from github.IssueComment import IssueComment
from github.NamedUser import NamedUser

from action.errors import GitHubError

_TIMEOUT = 10
"""Seconds to wait for a connection, and for each part of an answer."""

_DEFAULT_API = "https://api.github.com"


def put_comment(
    name: str,
    number: int,
    token: str,
    environment: Mapping[str, str],
    *,
    marker: str,
    body: Callable[[str], str],
) -> None:
    """Create a comment on a pull request, or update the one that the token's author wrote with the same marker.

    Args:
        name: the repository, `owner/name`.
        number: the number of the pull request.
        token: the token to write the comment with.
        environment: environment variables; GITHUB_API_URL is read.
        marker: the text that the comment begins with.
        body: gets the present text, which is empty if there is no comment yet, and returns the new one.

    Raises:
        GitHubError: GitHub refuses a request or cannot be reached.
    """
    with _connected(token, environment) as client:
        issue = client.get_repo(name).get_issue(number)
        comment = _own_comment(client, issue, marker)
        if comment is None:
            issue.create_comment(body(""))
        elif (text := body(comment.body)) != comment.body:
            comment.edit(text)


@contextmanager
def _connected(token: str, environment: Mapping[str, str]) -> Iterator[Github]:
    """Yield a client; an error of PyGithub or of the network in the block becomes a GitHubError."""
    # No retries: PyGithub's Retry class sleeps until a rate limit is reset, which can take an hour.
    client = Github(
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
        message = str(error.data.get("message", "")) if isinstance(error.data, dict) else ""
        detail = f" ({message})" if message else ""
        raise GitHubError(f"GitHub returned {error.status}{detail}") from None
    except requests.RequestException as error:
        raise GitHubError(f"GitHub cannot be reached ({type(error).__name__})") from None


def _own_comment(client: Github, issue: Issue, marker: str) -> IssueComment | None:
    """Return the first comment that begins with the marker and was written by the token's author, or None."""
    login: str | None = None
    for comment in issue.get_comments():
        if not (comment.body or "").startswith(marker):
            continue
        # The marker alone is no proof: anyone who can comment can write it.
        if login is None:
            login = _login(client)
        # By PyGithub's types it is never None, but it is if the account was deleted.
        author = cast("NamedUser | None", comment.user)
        if login and author is not None and author.login == login:
            return comment
    return None


def _login(client: Github) -> str:
    """Return the login of the token's owner, or an empty string if GitHub does not give it."""
    # Not `GET /user`: the token of an app, such as GITHUB_TOKEN, may not read it. GraphQL gives the login that the
    # app's comments have, `github-actions[bot]` or `APP[bot]`.
    _, answer = client.requester.graphql_query("query { viewer { login } }", {})
    viewer = (answer.get("data") or {}).get("viewer") or {}
    login = viewer.get("login")
    return login if isinstance(login, str) else ""
