"""What docs/stability.md promises is what is there; a change is seen in tests/golden/contract.txt."""

from __future__ import annotations

import re

import pytest

from tests.contract import ROOT, contract
from tests.golden_files import assert_golden

_PAGE = (ROOT / "docs/stability.md").read_text(encoding="utf-8")


def test_inputs_outputs_documents_commands_exit_codes_and_the_api_are_those_of_the_contract() -> None:
    # A line that goes or changes needs a new major version, and one that comes a minor one: docs/versions.md.
    assert_golden("contract.txt", contract())


@pytest.mark.parametrize(
    "line",
    [
        # The names of docker/build-push-action, and some of this project's own, as its documents have them.
        *("action.yml: input push, default 'false'", "action.yml: output digest", "action.yml: output digests"),
        *("action.yml: output imageid", "action.yml: output metadata", "bake/action.yml: output digests"),
        *("merge/action.yml: input tags, required", "digests.schema.json: document"),
        *("results.schema.json: BuildResults member exporters, required", 'evidence, required {"enum": ["response"'),
        *("build-digests build: option --require-digests", "2: wrong usage or invalid input"),
        *("InputError(BuildDigestsError): exit_code 2", "build: keyword outputs, default ()"),
        "BuildResults: attribute digests",
    ],
)
def test_the_contract_has_a_line_for_each_kind_of_promise(line: str) -> None:
    assert line in contract()


def test_the_page_names_tests_that_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", _PAGE)
    assert len(named) > 10
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).is_file() or (test and f"\ndef {test}(" not in (ROOT / file).read_text(encoding="utf-8"))
    ]
    assert missing == []


def test_the_page_says_what_each_section_of_the_contract_promises() -> None:
    sections = re.findall(r"^# (.+)$", contract(), re.MULTILINE)
    titles = re.findall(r"^## (.+)$", _PAGE, re.MULTILINE)
    assert [each for each in sections if each not in titles] == []
