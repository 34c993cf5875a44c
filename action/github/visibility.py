"""One request to GitHub's API, before a build: whether the repository is private. Standard library only.

Not PyGithub, which `action.github.api` uses: the build would wait for the installation of its packages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from urllib.parse import quote
from urllib.request import Request, build_opener

from action.errors import GitHubError

_TIMEOUT = 10
"""Seconds to wait for a connection, and for each part of an answer."""

_MAX_BYTES = 1024 * 1024
_DEFAULT_API = "https://api.github.com"


def is_private_repository(name: str, token: str, environment: Mapping[str, str]) -> bool:
    """Return whether a repository is private.

    Args:
        name: the repository, `owner/name`.
        token: the token for the request.
        environment: environment variables; GITHUB_API_URL is read.

    Raises:
        GitHubError: GitHub refuses the request, cannot be reached, or does not say it.
    """
    api = (environment.get("GITHUB_API_URL") or _DEFAULT_API).rstrip("/")
    try:
        request = Request(f"{api}/repos/{quote(name)}", headers={"Accept": "application/vnd.github+json"})  # noqa: S310  # the runner sets this URL
        # urllib sends other headers to the host of a redirection too.
        request.add_unredirected_header("Authorization", f"Bearer {token}")
        with build_opener().open(request, timeout=_TIMEOUT) as answer:
            document = json.loads(answer.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError, HTTPException) as error:
        raise GitHubError(f"GitHub gives no repository ({type(error).__name__})") from None
    private = document.get("private") if isinstance(document, dict) else None
    if not isinstance(private, bool):
        raise GitHubError("GitHub does not say whether the repository is private")
    return private
