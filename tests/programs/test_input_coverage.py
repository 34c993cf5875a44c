"""The check at the end of a whole test run, in a small run of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.input_coverage import ACTIONS, EXEMPT, FOLDER_VARIABLE, FORMS, ROOT, declared, unused

_CONFTEST = """
import tests.input_coverage as coverage
from tests.input_coverage import pytest_configure, pytest_sessionfinish, pytest_terminal_summary
coverage.ACTIONS = {{"build": {file!r}}}
coverage.FORMS = {{"build": {{"tags": {{"one": "^[^,]+$", "commas": ","}}}}}}
"""
_TESTS = """
import pytest
from tests.input_coverage import cannot_use, keep
RUNS = {runs!r}
@pytest.mark.parametrize("number", range(len(RUNS)))
def test_run(number):
    keep("build", RUNS[number])
def test_skipped():
    if {skips!r}:
        cannot_use(*{skips!r})
        pytest.skip("not here")
def test_other():
    assert {passes}
"""
_ACTION = """
inputs:
  tags: {description: d}
  push: {description: d, default: "false"}
  summary: {description: d, default: "true"}
"""
_ALL = [{"tags": "a,b", "push": "true"}, {"tags": "a", "summary": "false"}]


def _ran(
    folder: Path, runs: list[dict[str, str]], *arguments: str, passes: bool = True, skips: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    (folder / "action.yml").write_text(_ACTION)
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = checks\n")
    (folder / "checks").mkdir()
    (folder / "checks" / "conftest.py").write_text(_CONFTEST.format(file=str(folder / "action.yml")))
    (folder / "checks" / "test_it.py").write_text(_TESTS.format(runs=runs, passes=passes, skips=skips))
    environment = {name: text for name, text in os.environ.items() if name != FOLDER_VARIABLE}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=folder,
        # Other plugins take longer to load than these tests to run.
        env={**environment, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_whole_run_that_uses_every_input_and_form_passes(tmp_path: Path) -> None:
    done = _ran(tmp_path, _ALL)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("arguments", [(), ("-p", "xdist", "--numprocesses", "2")], ids=["one process", "several"])
def test_an_input_and_a_form_that_no_test_uses_fail_the_run_by_name(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = _ran(tmp_path, [{"tags": "a", "push": "true", "summary": "true"}], *arguments)
    assert done.returncode == 1
    assert re.findall(r"^FAILED (.*)", done.stdout, re.MULTILINE) == ["build: tags: commas", "build: summary"]
    assert done.stdout.index("build: tags: commas") < done.stdout.index(" passed in ")


@pytest.mark.parametrize(
    "arguments", [("-k", "run"), ("checks/test_it.py",), ("--deselect", "checks/test_it.py::test_other")]
)
def test_a_run_of_some_tests_is_not_checked(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert _ran(tmp_path, [{}], *arguments).returncode == 0


def test_what_a_skipped_test_would_use_is_excused_and_named(tmp_path: Path) -> None:
    done = _ran(tmp_path, [{"tags": "a", "push": "true", "summary": "false"}], skips=("build: tags: commas",))
    assert done.returncode == 0, done.stdout
    assert "inputs that cannot be tested on this machine: build: tags: commas" in done.stdout


def test_a_run_in_which_a_test_fails_says_only_that(tmp_path: Path) -> None:
    done = _ran(tmp_path, [{}], passes=False)
    assert done.returncode == 1
    assert "inputs that no test uses" not in done.stdout


def test_the_default_of_an_input_is_no_use_of_it() -> None:
    assert unused("merge", {"comment": "false"}, [{}, {"comment": "false"}, {"comment": " "}]) == ["merge: comment"]
    assert unused("merge", {"comment": "false"}, [{"comment": "true"}]) == []


def test_what_is_exempt_must_not_be_used() -> None:
    values = "user/app:cache\ntype=registry,ref=x\ntype=local,src=x\ntype=gha\ntype=s3"
    assert unused("build", {"cache-from": ""}, [{"cache-from": values}]) == [
        "build: cache-from: type=s3: is used, and must not be exempt"
    ]


def test_every_form_is_of_an_input_that_its_action_declares_and_every_exemption_of_a_form() -> None:
    for action in ACTIONS:
        assert set(FORMS[action]) <= set(declared(action))
    forms = {f"{action}: {name}: {form}" for action in FORMS for name in FORMS[action] for form in FORMS[action][name]}
    assert set(EXEMPT) <= forms


@pytest.mark.parametrize(
    ("name", "form", "values", "others"),
    [
        ("outputs", "path", ["out", "type=oci,dest=x\nout"], ["-", "type=tar,dest=x", "a=b"]),
        ("outputs", "standard output", ["-", "type=oci,dest=x\n-"], ["type=tar,dest=x-"]),
        ("outputs", "type=oci", ["type=oci,dest=x", 'id=a,"type=oci"'], ["type=ocidir"]),
        ("context", "path", [".", "docker/app", "/abs"], ["https://x/y.git", "{{defaultContext}}", ""]),
        ("context", "folder of the default context", ["{{defaultContext}}:sub"], ["{{defaultContext}}"]),
        ("cache-from", "image", ["user/app:cache"], ["type=local,src=x"]),
        ("secrets", "several lines in quotes", ['"KEY=a\nb"', 'A=b\n"KEY=a\nb\nc"'], ["KEY=a\nOTHER=b", '"KEY=a"']),
        ("build-contexts", "path", ["name=folder"], ["name=docker-image://x", "name=https://x"]),
        ("annotations", "with a level", ["index:a.b=c", "index,manifest[linux/amd64]:a=c"], ["a.b=c"]),
        ("ssh", "key or socket", ["default=/key"], ["default"]),
    ],
)
def test_a_form_is_known_by_its_value(name: str, form: str, values: list[str], others: list[str]) -> None:
    pattern = re.compile(FORMS["build"][name][form], re.MULTILINE)
    assert [value for value in values if not pattern.search(value)] == []
    assert [value for value in others if pattern.search(value)] == []
