from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from action.errors import InputError
from action.github.context import read_workflow_run
from action.inputs.git_context import GitContext

PUSH = {"GITHUB_REPOSITORY": "o/app", "GITHUB_SHA": "c0ffee", "GITHUB_REF": "refs/heads/main"}
PULL = {"GITHUB_REPOSITORY": "o/app", "GITHUB_SHA": "badc0de", "GITHUB_REF": "refs/pull/7/merge"}
HEAD = {"DOCKER_DEFAULT_GIT_CONTEXT_PR_HEAD_REF": "true"}
QUERY = {"BUILDX_SEND_GIT_QUERY_AS_INPUT": "1"}


def context(environment: Mapping[str, str], *, sends_query: bool = True) -> GitContext:
    return GitContext(read_workflow_run(environment), environment, lambda: sends_query)


def never() -> bool:
    raise AssertionError("buildx was asked for its version where nothing depends on it")


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        (PUSH, "https://github.com/o/app.git#c0ffee"),
        ({**PUSH, "GITHUB_SERVER_URL": "https://ghe.corp/"}, "https://ghe.corp/o/app.git#c0ffee"),
        ({**PUSH, "GITHUB_SHA": ""}, "https://github.com/o/app.git#refs/heads/main"),
        ({**PUSH, "GITHUB_SHA": "", "GITHUB_REF": "main"}, "https://github.com/o/app.git#refs/heads/main"),
        (PULL, "https://github.com/o/app.git#badc0de"),
        ({**PULL, **HEAD}, "https://github.com/o/app.git#refs/pull/7/head"),
        ({**PUSH, **HEAD}, "https://github.com/o/app.git#c0ffee"),
        ({**PUSH, **QUERY}, "https://github.com/o/app.git?ref=c0ffee"),
        ({**PUSH, "BUILDX_SEND_GIT_QUERY_AS_INPUT": "false"}, "https://github.com/o/app.git#c0ffee"),
    ],
)
def test_the_default_context_is_the_repository_at_the_events_commit(environment: dict[str, str], url: str) -> None:
    assert context(environment).url() == url


def test_a_pull_requests_head_is_pinned_to_its_commit(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"head": {"sha": "feed"}}}))
    environment = {**PULL, **HEAD, "GITHUB_EVENT_PATH": str(event)}
    assert context(environment).url() == "https://github.com/o/app.git#feed"


def test_an_old_buildx_gets_the_fragment_form() -> None:
    assert context({**PUSH, **QUERY}, sends_query=False).url() == "https://github.com/o/app.git#c0ffee"


def test_the_version_of_buildx_is_read_only_if_the_url_depends_on_it() -> None:
    assert GitContext(read_workflow_run(PUSH), PUSH, never).url().endswith("#c0ffee")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{defaultContext}}", "https://github.com/o/app.git#c0ffee"),
        ("{{ defaultContext }}:sub/dir", "https://github.com/o/app.git#c0ffee:sub/dir"),
        ("{{{defaultContext}}}", "https://github.com/o/app.git#c0ffee"),
        ("src={{defaultContext}}", "src=https://github.com/o/app.git#c0ffee"),
        ("{{other}}", "{{other}}"),
        ("{{defaultContextual}}", "{{defaultContextual}}"),
        (".", "."),
    ],
)
def test_only_default_context_in_braces_is_replaced(text: str, filled: str) -> None:
    assert context(PUSH).fill(text) == filled


def test_without_a_repository_the_error_says_what_to_set() -> None:
    assert context({}).fill("./folder") == "./folder"
    with pytest.raises(InputError, match=r"^context: it is empty, .*GITHUB_REPOSITORY.* set it to a folder"):
        context({}).url()


@pytest.mark.parametrize("text", ["yes", "maybe", " true"])
def test_a_variable_that_is_not_a_boolean_is_false(text: str) -> None:
    assert context({**PUSH, "BUILDX_SEND_GIT_QUERY_AS_INPUT": text}).url() == context(PUSH).url()
