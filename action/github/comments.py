"""The comment on a pull request: one for each workflow, job and matrix leg, brought up to date in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from action.github.client import connected

if TYPE_CHECKING:
    from github import Github
    from github.Issue import Issue
    from github.IssueComment import IssueComment
    from github.NamedUser import NamedUser


def put_comment(  # noqa: PLR0913  # where, as whom, and what
    name: str,
    number: int,
    token: str,
    environment: Mapping[str, str],
    *,
    marker: str,
    body: Callable[[str], str],
) -> None:
    """Write a comment, in place of the one that the token's author wrote with the same marker, if there is one.

    Args:
        name: the repository, `owner/name`.
        number: the pull request's number.
        token: the token to write with.
        environment: GITHUB_API_URL is read.
        marker: how the comment's text begins.
        body: makes the comment's text of the one that it replaces, or of an empty one.

    Raises:
        GitHubError: GitHub refuses, or cannot be reached.
    """
    with connected(token, environment) as client:
        issue = client.get_repo(name).get_issue(number)
        known = _own_comment(client, issue, marker)
        if known is None:
            issue.create_comment(body(""))
        elif (text := body(known.body)) != known.body:
            known.edit(text)


def _own_comment(client: Github, issue: Issue, marker: str) -> IssueComment | None:
    """Return the first comment with the marker that the token's own author wrote; anybody can write the marker."""
    login: str | None = None
    for comment in issue.get_comments():
        if not (comment.body or "").startswith(marker):
            continue
        if login is None:
            login = _login(client)
        # A user who has been deleted is None.
        author = cast("NamedUser | None", comment.user)
        if login and author is not None and author.login == login:
            return comment
    return None


def _login(client: Github) -> str:
    """Ask whose the token is; return the login, or an empty text if GitHub does not say.

    A token of an app, such as GITHUB_TOKEN, may not read `GET /user`; GraphQL answers it with the login that its
    comments carry, `github-actions[bot]` or `APP[bot]`.
    """
    _, answer = client.requester.graphql_query("query { viewer { login } }", {})
    viewer = (answer.get("data") or {}).get("viewer") or {}
    login = viewer.get("login")
    return login if isinstance(login, str) else ""
