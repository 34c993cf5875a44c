from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from action.errors import InputError
from action.inputs.build import BUILD_NAMES, BuildInputs, read_build_inputs
from action.inputs.policy import NO_RETRIES, Policy, RetryPolicy
from action.inputs.values import parse_inputs

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

OWN = {
    *("require-digests", "verify", "compare", "platform-subjects", "retries", "retry-delay", "summary", "comment"),
    *("record", "attestations"),
}
# The runner sets it, and only the comment needs it.
BY_RUNNER = {"matrix"}
BOOLEANS = {
    *("comment", "load", "no-cache", "platform-subjects", "pull", "push", "record", "require-digests", "summary"),
    "verify",
}
POLICY = ("require_digests", "verify", "compare", "attestations", "platform_subjects", "retries", "retry_delay")


def test_the_inputs_are_those_of_the_peer_and_the_actions_own() -> None:
    assert set(ACTION["inputs"]) == PEER | OWN | BY_RUNNER == BUILD_NAMES


def test_every_input_has_a_field() -> None:
    fields = BuildInputs.__annotations__.keys() - {"policy"} | set(POLICY)
    assert {name.replace("-", "_") for name in set(ACTION["inputs"]) - BY_RUNNER} == fields


def test_defaults_are_those_of_the_peer() -> None:
    defaults = {name: spec["default"] for name, spec in ACTION["inputs"].items() if "default" in spec}
    assert defaults == {
        **dict.fromkeys(BOOLEANS, "false"),
        "summary": "true",
        "retries": "0",
        "retry-delay": f"{NO_RETRIES.delay:g}",
        "github-token": "${{ github.token }}",
        "matrix": "${{ toJSON(matrix) }}",
    }


def test_every_input_reaches_its_own_field() -> None:
    for name in sorted(BUILD_NAMES - BOOLEANS - BY_RUNNER - {"attestations", "compare", "retries", "retry-delay"}):
        inputs = read_build_inputs({name: "KEY=mark"})
        default = read_build_inputs({})
        changed = [field for field in BuildInputs.__annotations__ if getattr(inputs, field) != getattr(default, field)]
        assert changed == [name.replace("-", "_")]


def test_seven_inputs_make_the_policy() -> None:
    assert read_build_inputs({}).policy == Policy(require_digests=False, verify=False, retry_policy=RetryPolicy(0, 5.0))
    given = {"require-digests": "true", "verify": "true", "compare": "a:1", "retries": "3", "retry-delay": "0.5"}
    given |= {"platform-subjects": "true", "attestations": "out"}
    assert read_build_inputs(given).policy == Policy(
        require_digests=True,
        verify=True,
        retry_policy=RetryPolicy(3, 0.5),
        compare=("a:1",),
        platform_subjects=True,
        attestations="out",
    )
    for name, value in (("retries", "-1"), ("retries", "21"), ("retry-delay", "soon"), ("platform-subjects", "maybe")):
        with pytest.raises(InputError, match=f"^{name}: '{value}' is not "):
            read_build_inputs({name: value})


@pytest.mark.parametrize("name", ["add-hosts", "allow", "no-cache-filters", "platforms", "secret-envs", "ssh", "tags"])
def test_inputs_that_split_at_commas(name: str) -> None:
    assert getattr(read_build_inputs({name: "a=1,b=2\nc"}), name.replace("-", "_")) == ("a=1", "b=2", "c")


@pytest.mark.parametrize(
    "name",
    [
        *("annotations", "attests", "build-args", "build-contexts", "cache-from", "cache-to", "labels", "outputs"),
        *("secrets", "secret-files", "ulimit"),
    ],
)
def test_inputs_that_split_at_newlines_only(name: str) -> None:
    assert getattr(read_build_inputs({name: "a=1,b=2\nc"}), name.replace("-", "_")) == ("a=1,b=2", "c")


@pytest.mark.parametrize("text", ["ghcr.io/ö/app:1", "日本語", "a\U0001f600b", "\ufffd", "a\u2028b"])
def test_any_other_text_passes(text: str) -> None:
    assert parse_inputs(json.dumps({"target": text})) == {"target": text}
    assert read_build_inputs({"target": text}).target == text


def test_texts_are_stripped_and_a_secrets_value_is_not() -> None:
    inputs = read_build_inputs({"context": " . \n", "push": "true\n", "tags": "|\n  a:1\n", "secrets": "K= v \n"})
    assert (inputs.context, inputs.push, inputs.tags, inputs.secrets) == (".", True, ("|", "a:1"), ("K= v ",))


@pytest.mark.parametrize("name", ["load", "no-cache", "pull", "push", "record"])
def test_a_boolean_input_that_is_not_a_boolean_is_an_error_that_names_it(name: str) -> None:
    assert getattr(read_build_inputs({name: "True"}), name.replace("-", "_")) is True
    with pytest.raises(InputError, match=rf"^{name}: 'yes' is not a boolean; write true or false$"):
        read_build_inputs({name: "yes"})


def test_the_repr_of_inputs_shows_no_secret() -> None:
    assert "hunter2" not in repr(read_build_inputs({"secrets": "K=hunter2", "github-token": "hunter2"}))


def test_missing_inputs_have_their_defaults() -> None:
    assert parse_inputs("") == {}
    assert read_build_inputs({}).push is False
