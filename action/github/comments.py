"""The comment on a pull request: one for each workflow, job and matrix leg, brought up to date in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from action.github.client import connected

if TYPE_CHECKING:
    from github import Github
    from github.Issue import Issue
    from github.IssueComment import IssueComment


def put_comment(  # noqa: PLR0913  # where, as whom, and what
    name: str,
    number: int,
    token: str,
    environment: Mapping[str, str],
    *,
    marker: str,
    body: Callable[[str], str],
) -> None:
    """Write a comment, in place of the one with the same marker where there is one.

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
    """The first comment with the marker that is ours: somebody else who wrote one could change it afterwards."""
    for comment in issue.get_comments():
        # A workflow's own token is a bot's, and may not ask who it is.
        if (comment.body or "").startswith(marker) and (
            comment.user.type == "Bot" or comment.user.login == client.get_user().login
        ):
            return comment
    return None
