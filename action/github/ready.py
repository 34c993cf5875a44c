"""Makes PyGithub ready where it is imported, while a build runs: it takes a while to install and to import."""

from __future__ import annotations

import contextlib

from action.errors import GitHubError
from action.github.client import load_pygithub

with contextlib.suppress(GitHubError):
    load_pygithub()
    import github  # noqa: F401
