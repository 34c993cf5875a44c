"""The default build context: a Git URL of the repository at the event's commit, which BuildKit fetches.

The rules are those of docker/actions-toolkit 0.95 (src/buildx/build.ts, `gitContext`), environment variables included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from action.dataclass import dataclass
from action.errors import InputError
from action.github.context import WorkflowRun
from action.inputs.values import environment_boolean

_PLACEHOLDER = re.compile(r"\{\{\{?\s*defaultContext\s*\}?\}\}")


@dataclass(frozen=True)
class GitContext:
    """The default context of a workflow run.

    Attributes:
        run: the workflow run.
        environment: environment variables; BUILDX_SEND_GIT_QUERY_AS_INPUT and DOCKER_DEFAULT_GIT_CONTEXT_PR_HEAD_REF
            are read.
        sends_query: returns whether buildx accepts the query form of a Git URL (0.29 and later). It is called only if
            BUILDX_SEND_GIT_QUERY_AS_INPUT asks for that form, since it may have to start buildx.
    """

    run: WorkflowRun
    environment: Mapping[str, str]
    sends_query: Callable[[], bool]

    def url(self) -> str:
        """Return the default context: `https://github.com/octo/app.git#<commit>`.

        Raises:
            InputError: no environment variable names the repository.
        """
        if not self.run.repository:
            problem = "it is empty, and GITHUB_REPOSITORY, which names the repository to build, is not set"
            raise InputError("context", problem, "set it to a folder, such as .")
        base = f"{self.run.server_url}/{self.run.repository}.git"
        if self._flag("BUILDX_SEND_GIT_QUERY_AS_INPUT") and self.sends_query():
            return f"{base}?ref={self._commit()}"
        return f"{base}#{self._commit()}"

    def fill(self, text: str) -> str:
        """Replace each `{{defaultContext}}` in a text with the default context.

        Args:
            text: a context, such as `{{defaultContext}}:docs`.

        Raises:
            InputError: the text contains the placeholder, and no environment variable names the repository.
        """
        if not _PLACEHOLDER.search(text):
            return text
        url = self.url()
        # Only this placeholder is replaced. docker/build-push-action 7 compiles the text with handlebars
        # (src/context.ts), which removes other braces and writes the `=` of `?ref=` as `&#x3D;`.
        # A function as the replacement, since re.sub would read a backslash in a string.
        return _PLACEHOLDER.sub(lambda _: url, text)

    def _commit(self) -> str:
        """Return the commit to build, or the ref if the commit is not known."""
        ref = self.run.ref
        if not ref.startswith("refs/"):
            ref = f"refs/heads/{ref}"
        elif ref.startswith("refs/pull/") and self._flag("DOCKER_DEFAULT_GIT_CONTEXT_PR_HEAD_REF"):
            ref = re.sub(r"/merge$", "/head", ref)
        # GITHUB_SHA is the merge commit of a pull request, so its head needs the commit of the event.
        if ref.startswith("refs/pull/") and ref.endswith("/head"):
            return self.run.pull_request_head or ref
        return self.run.sha or ref

    def _flag(self, name: str) -> bool:
        return environment_boolean(self.environment.get(name, ""))
