from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml

from action.errors import InputError
from action.inputs.build import BOOLEANS, NAMES, Inputs, known_inputs, parse_inputs, read_inputs
from action.inputs.policy import NO_RETRIES, Policy
from action.inputs.retry_policy import RetryPolicy

ACTION = yaml.safe_load((Path(__file__).parents[3] / "action.yml").read_text(encoding="utf-8"))

# docker/build-push-action v7, action.yml
PEER = frozenset(
    (
        *("add-hosts", "allow", "annotations", "attests", "build-args", "build-contexts", "builder", "cache-from"),
        *("cache-to", "call", "cgroup-parent", "context", "file", "labels", "load", "network", "no-cache"),
        *("no-cache-filters", "outputs", "platforms", "provenance", "pull", "push", "sbom", "secrets", "secret-envs"),
        *("secret-files", "shm-size", "ssh", "tags", "target", "ulimit", "github-token"),
    )
)

OWN = {"require-digests", "verify", "retries", "retry-delay", "summary", "comment", "record"}
POLICY = ("require_digests", "verify", "retries", "retry_delay")


def test_the_actions_inputs_are_the_peers_and_a_few_more() -> None:
    assert set(ACTION["inputs"]) == PEER | OWN == NAMES


def test_every_input_has_its_field() -> None:
    fields = {field.name for field in dataclasses.fields(Inputs)} - {"policy"} | set(POLICY)
    assert {name.replace("-", "_") for name in ACTION["inputs"]} == fields


def test_defaults_are_the_peers() -> None:
    defaults = {name: spec["default"] for name, spec in ACTION["inputs"].items() if "default" in spec}
    assert defaults == {
        **dict.fromkeys(BOOLEANS, "false"),
        "summary": "true",
        "retries": "0",
        "retry-delay": f"{NO_RETRIES.delay:g}",
        "github-token": "${{ github.token }}",
    }


def test_every_input_reaches_its_own_field() -> None:
    for name in sorted(NAMES - set(BOOLEANS) - {"retries", "retry-delay"}):
        inputs = read_inputs({name: "KEY=mark"})
        changed = [
            field.name
            for field in dataclasses.fields(inputs)
            if getattr(inputs, field.name) != getattr(read_inputs({}), field.name)
        ]
        assert changed == [name.replace("-", "_")]


def test_what_a_build_is_held_to_is_one_thing() -> None:
    assert read_inputs({}).policy == Policy(require_digests=False, verify=False, retry_policy=RetryPolicy(0, 5.0))
    given = {"require-digests": "true", "verify": "true", "retries": "3", "retry-delay": "0.5"}
    assert read_inputs(given).policy == Policy(require_digests=True, verify=True, retry_policy=RetryPolicy(3, 0.5))
    for name, value in (("retries", "-1"), ("retries", "21"), ("retry-delay", "soon"), ("verify", "maybe")):
        with pytest.raises(InputError, match=f"^{name}: '{value}' is no "):
            read_inputs({name: value})


@pytest.mark.parametrize("name", ["add-hosts", "allow", "no-cache-filters", "platforms", "secret-envs", "ssh", "tags"])
def test_inputs_that_split_at_commas(name: str) -> None:
    assert getattr(read_inputs({name: "a=1,b=2\nc"}), name.replace("-", "_")) == ("a=1", "b=2", "c")


@pytest.mark.parametrize(
    "name",
    [
        *("annotations", "attests", "build-args", "build-contexts", "cache-from", "cache-to", "labels", "outputs"),
        *("secrets", "secret-files", "ulimit"),
    ],
)
def test_inputs_that_split_at_newlines_only(name: str) -> None:
    assert getattr(read_inputs({name: "a=1,b=2\nc"}), name.replace("-", "_")) == ("a=1,b=2", "c")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("platform", "platforms"), ("tag", "tags"), ("ouputs", "outputs"), ("secret", "secrets"), ("pùsh", "push")],
)
def test_an_input_that_is_not_declared_gives_a_warning_with_the_nearest_name_and_no_value(
    name: str, nearest: str
) -> None:
    known, warnings = known_inputs({"push": "true", name: "hunter2"}, NAMES)
    assert known == {"push": "true"}
    assert warnings == (f"{name}: this action has no such input, so it is ignored; did you mean {nearest}?",)


@pytest.mark.parametrize("name", ["frobnicate", ""])
def test_an_input_that_is_like_no_other_gives_a_warning_that_says_where_to_look(name: str) -> None:
    assert known_inputs({name: ""}, NAMES) == (
        {},
        (f"{name}: this action has no such input, so it is ignored; see the inputs in action.yml",),
    )


def test_names_are_read_in_any_case_as_github_does() -> None:
    # The peer reads INPUT_PUSH, whatever the case of `push` in the workflow.
    assert parse_inputs('{"Push": "true", "BUILD-ARGS": "A=Z"}') == {"push": "true", "build-args": "A=Z"}


def test_booleans_and_numbers_of_json_are_texts() -> None:
    assert parse_inputs('{"push": true, "load": false, "target": 1, "file": null}') == {
        "push": "true",
        "load": "false",
        "target": "1",
        "file": "",
    }


@pytest.mark.parametrize("document", ["[]", "null", '"x"', "{", '{"secrets": "hunter2"', "[" * 100_000])
def test_a_document_that_is_no_object_is_refused_without_showing_it(document: str) -> None:
    with pytest.raises(InputError, match=r"^INPUTS: ") as error:
        parse_inputs(document)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("value", ["[1]", "{}"])
def test_an_input_that_is_no_text_is_refused(value: str) -> None:
    with pytest.raises(InputError, match=r"^tags: found a JSON"):
        parse_inputs(f'{{"tags": {value}}}')


def test_a_nul_is_refused() -> None:
    with pytest.raises(InputError, match=r"^secrets: it holds a NUL character"):
        parse_inputs('{"secrets": "hunter2\\u0000"}')


def test_half_a_character_is_refused_and_not_shown() -> None:
    # A lone surrogate has no bytes: nothing could print it or hand it on.
    with pytest.raises(InputError, match=r"^secrets: it holds half a character") as error:
        parse_inputs('{"secrets": "K=hunter2\\ud800"}')
    assert "hunter2" not in str(error.value)


def test_a_name_with_half_a_character_is_refused() -> None:
    with pytest.raises(InputError, match=r"^INPUTS: a name holds half a character") as error:
        parse_inputs('{"ta\\ud800gs": "x"}')
    assert str(error.value).encode()


@pytest.mark.parametrize("text", ["ghcr.io/ö/app:1", "日本語", "a\U0001f600b", "\ufffd", "a\u2028b"])
def test_any_other_text_passes(text: str) -> None:
    assert parse_inputs(json.dumps({"target": text})) == {"target": text}
    assert read_inputs({"target": text}).target == text


def test_texts_are_stripped_and_a_secrets_value_is_not() -> None:
    inputs = read_inputs({"context": " . \n", "push": "true\n", "tags": "|\n  a:1\n", "secrets": "K= v \n"})
    assert (inputs.context, inputs.push, inputs.tags, inputs.secrets) == (".", True, ("|", "a:1"), ("K= v ",))


@pytest.mark.parametrize("name", ["load", "no-cache", "pull", "push", "record"])
def test_a_boolean_input_that_is_none_is_named(name: str) -> None:
    assert getattr(read_inputs({name: "True"}), name.replace("-", "_")) is True
    with pytest.raises(InputError, match=rf"^{name}: 'yes' is no boolean; write true or false$"):
        read_inputs({name: "yes"})


def test_inputs_that_are_printed_show_no_secret() -> None:
    assert "hunter2" not in repr(read_inputs({"secrets": "K=hunter2", "github-token": "hunter2"}))


def test_no_inputs_are_the_defaults() -> None:
    assert parse_inputs("") == {}
    assert read_inputs({}).push is False


def test_the_actions_step_hands_on_all_inputs_without_a_shell_between() -> None:
    (step,) = ACTION["runs"]["steps"]
    assert step["env"] == {"INPUTS": "${{ toJSON(inputs) }}", "BUILD_DIGESTS_MATRIX": "${{ toJSON(matrix) }}"}
    assert not re.search(r"\$\{\{", step["run"])
