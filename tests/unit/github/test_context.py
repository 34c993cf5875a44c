"""What GitHub's variables and event file say of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action.github.context import counts_as_private, read_workflow_run

RUN = {"GITHUB_REPOSITORY": "o/app", "GITHUB_RUN_ID": "42", "GITHUB_RUN_ATTEMPT": "3"}


@pytest.mark.parametrize(
    "event",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        '{"repository": 1, "pull_request": {"head": []}}',
        "[" * 50_000,
        "\ufeff\ufeff",
        "\0",
    ],
)
def test_a_malformed_event_does_not_decide_whether_the_repository_is_private(tmp_path: Path, event: str) -> None:
    file = tmp_path / "event.json"
    file.write_text(event, encoding="utf-8")
    run = read_workflow_run({"GITHUB_EVENT_PATH": str(file)})
    assert (run.private, run.pull_request_head, run.pull_request) == (None, "", None)
    assert counts_as_private(run)


@pytest.mark.parametrize("name", ["missing", ".", "x" * 300, "a\0b"])
def test_an_event_file_that_does_not_exist_is_not_an_error(tmp_path: Path, name: str) -> None:
    assert read_workflow_run({"GITHUB_EVENT_PATH": str(tmp_path / name)}).private is None


def test_an_event_file_that_is_not_utf_8_is_not_an_error(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_bytes(b'{"repository": {"private": true}, "x": "\xff"}')
    assert read_workflow_run({"GITHUB_EVENT_PATH": str(file)}).private is None


@pytest.mark.parametrize("value", [True, False, None, "true", 1])
def test_a_repository_is_public_only_if_the_event_contains_it(tmp_path: Path, value: object) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"repository": {"private": value}}))
    run = read_workflow_run({"GITHUB_EVENT_PATH": str(file)})
    assert run.private is (value if isinstance(value, bool) else None)
    assert counts_as_private(run) is (value is not False)


@pytest.mark.parametrize(
    ("event", "number"),
    [
        ({"pull_request": {"number": 7, "head": {"sha": "c0ffee"}}}, 7),
        ({"issue": {"number": 8, "pull_request": {"url": "x"}}}, 8),
        ({"issue": {"number": 8}}, None),
        ({"pull_request": {"number": "7"}}, None),
        ({}, None),
    ],
)
def test_the_number_of_a_pull_request_comes_from_the_event(tmp_path: Path, event: object, number: int | None) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event))
    assert read_workflow_run({"GITHUB_EVENT_PATH": str(file)}).pull_request == number


def test_the_runs_url_names_server_repository_run_and_attempt() -> None:
    assert read_workflow_run(RUN).url == "https://github.com/o/app/actions/runs/42/attempts/3"
    enterprise = {**RUN, "GITHUB_SERVER_URL": "https://ghe.corp:8443/", "GITHUB_RUN_ATTEMPT": ""}
    assert read_workflow_run(enterprise).url == "https://ghe.corp:8443/o/app/actions/runs/42/attempts/1"


@pytest.mark.parametrize("missing", ["GITHUB_REPOSITORY", "GITHUB_RUN_ID"])
def test_outside_a_run_there_is_no_url(missing: str) -> None:
    assert read_workflow_run({**RUN, missing: ""}).url == ""
    assert read_workflow_run({name: value for name, value in RUN.items() if name != missing}).url == ""


@pytest.mark.parametrize(
    ("server", "host"),
    [("", "github.com"), ("https://ghe.corp", "ghe.corp"), ("https://ghe.corp:8443/", "ghe.corp:8443")],
)
def test_the_host_includes_the_port_of_the_server(server: str, host: str) -> None:
    assert read_workflow_run({"GITHUB_SERVER_URL": server}).host == host
