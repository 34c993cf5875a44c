"""The default build context: the repository at the commit of the event, as a Git URL that BuildKit fetches.

The rules are those of docker/actions-toolkit (`Build.gitContext`), environment variables included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from action.errors import InputError
from action.github.context import WorkflowRun
from action.inputs.booleans import environment_boolean

_PLACEHOLDER = re.compile(r"\{\{\{?\s*defaultContext\s*\}?\}\}")


@dataclass(frozen=True)
class GitContext:
    """Makes the default context, for those who need it.

    Attributes:
        run: the workflow run.
        environment: the environment variables.
        sends_query: tells whether buildx takes the query form of a Git URL (0.29 and later); asked only where
            BUILDX_SEND_GIT_QUERY_AS_INPUT wants that form.
    """

    run: WorkflowRun
    environment: Mapping[str, str]
    sends_query: Callable[[], bool]

    def url(self) -> str:
        """The default context.

        Raises:
            InputError: there is no repository to take it from.
        """
        if not self.run.repository:
            problem = "it is empty and no workflow run says which repository to build (GITHUB_REPOSITORY is not set)"
            raise InputError("context", problem, "set it to a folder, such as .")
        base = f"{self.run.server_url}/{self.run.repository}.git"
        if self._flag("BUILDX_SEND_GIT_QUERY_AS_INPUT") and self.sends_query():
            return f"{base}?ref={self._commit()}"
        return f"{base}#{self._commit()}"

    def fill(self, text: str) -> str:
        """Put the default context in the place of every `{{defaultContext}}`; other braces stay as they are."""
        if not _PLACEHOLDER.search(text):
            return text
        url = self.url()
        return _PLACEHOLDER.sub(lambda _: url, text)

    def _commit(self) -> str:
        ref = self.run.ref
        if not ref.startswith("refs/"):
            ref = f"refs/heads/{ref}"
        elif ref.startswith("refs/pull/") and self._flag("DOCKER_DEFAULT_GIT_CONTEXT_PR_HEAD_REF"):
            ref = re.sub(r"/merge$", "/head", ref)
        if ref.startswith("refs/pull/") and ref.endswith("/head"):
            return self.run.pull_request_head or ref
        return self.run.sha or ref

    def _flag(self, name: str) -> bool:
        return environment_boolean(self.environment.get(name, ""))
