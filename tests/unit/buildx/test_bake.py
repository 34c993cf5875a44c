"""The bake action's inputs, its arguments, and definitions as buildx prints them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from action.buildx.bake_arguments import Bake, bake_request, read_bake
from action.buildx.bake_overrides import (
    adds_push_and_load,
    has_varying_outputs,
    with_reversed_defaults,
    without_push_and_load,
)
from action.buildx.builder import Version
from action.buildx.definition import read_definition, targets_of
from action.errors import BuildDigestsError, InputError, ProgramError
from action.inputs.bake import BAKE_NAMES, BakeInputs, read_bake_inputs

ACTION = yaml.safe_load((Path(__file__).parents[3] / "bake/action.yml").read_text(encoding="utf-8"))
RUN = {"GITHUB_REPOSITORY": "o/app", "GITHUB_SHA": "c0ffee", "GITHUB_REF": "refs/heads/main", "GITHUB_RUN_ID": "42"}

# docker/bake-action v7, action.yml
PEER = frozenset(
    (
        *("builder", "allow", "call", "files", "no-cache", "pull", "load", "provenance", "push", "sbom", "set"),
        *("source", "targets", "vars", "github-token"),
    )
)


def bake(*, version: Version | None = (0, 29), **inputs: str) -> Bake:
    return bake_of({name.replace("_", "-"): text for name, text in inputs.items()}, version=version)


def bake_of(inputs: Mapping[str, str], *, version: Version | None = (0, 29)) -> Bake:
    return read_bake(read_bake_inputs(inputs), RUN, lambda: True, version)


OWN = {
    *("workdir", "require-digests", "verify", "compare", "platform-subjects", "retries", "retry-delay", "summary"),
    *("attestations", "comment", "record"),
}
# The runner sets it, and only the comment needs it.
BY_RUNNER = {"matrix"}


def test_the_actions_inputs_are_the_peers_and_a_few_more() -> None:
    assert set(ACTION["inputs"]) == PEER | OWN | BY_RUNNER == BAKE_NAMES
    fields = BakeInputs.__annotations__.keys() - {"policy"}
    fields |= {"require_digests", "verify", "compare", "attestations", "platform_subjects", "retries", "retry_delay"}
    assert {name.replace("-", "_") for name in BAKE_NAMES - BY_RUNNER} == fields


def test_every_input_has_its_argument(tmp_path: Path) -> None:
    made = bake(
        source=str(tmp_path),
        allow="network.host",
        call="check",
        files="a.hcl,b.hcl",
        set="*.platform=linux/amd64\nx.args.a=1,2",
        vars="A=1,2",
        provenance="false",
        sbom="true",
        no_cache="true",
        builder="b",
        pull="true",
        load="true",
        push="true",
        targets="web,api",
    )
    assert made.print_arguments == (
        *(
            "bake",
            "--allow",
            "network.host",
            "--allow",
            "fs=*",
            "--call",
            "check",
            "--file",
            "a.hcl",
            "--file",
            "b.hcl",
        ),
        *("--set", "*.platform=linux/amd64", "--set", "x.args.a=1,2", "--var", "A=1,2", "--provenance", "false"),
        *("--sbom", "true", "--no-cache", "--builder", "b", "--pull", "--load", "--push", "--print", "web", "api"),
    )
    assert made.folder == str(tmp_path)


def test_the_default_source_is_the_repository_at_the_events_commit() -> None:
    assert bake(version=(0, 17)).options == ("https://github.com/o/app.git#c0ffee",)
    assert bake(source="{{defaultContext}}:sub").options[0] == "https://github.com/o/app.git#c0ffee:sub"
    assert bake(workdir=".", version=(0, 17)).options == ()


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"^source: there is no folder 'nowhere'"):
        bake(source="nowhere")
    with pytest.raises(InputError, match=r"^workdir: there is no folder 'nowhere'"):
        bake(source=".", workdir="nowhere")


def test_the_token_goes_by_the_environment_alone() -> None:
    made = bake(source=".", github_token="ghs_x")
    assert made.environment["BUILDX_BAKE_GIT_AUTH_TOKEN"] == "ghs_x"
    assert "ghs_x" not in repr(made)


_DEFINITION = {
    "group": {"default": {"targets": ["web"]}},
    "target": {
        "web": {"tags": ["a:1"], "output": [{"type": "image", "push": "true", "id": "x"}, "type=oci,dest=o.tar"]},
        "asked": {"attest": [{"type": "provenance", "mode": "min"}]},
        "text": {"attest": ["type=provenance,mode=min"], "output": ["out"]},
        "lint": {"call": "lint", "output": [{"type": "image"}]},
    },
}


def test_outputs_are_read_as_texts_and_as_objects() -> None:
    targets = read_definition(json.dumps(_DEFINITION))
    web = targets["web"].requested.exporters
    assert [(each.key, each.type, each.names, each.push, each.dest) for each in web] == [
        ("x", "image", ("a:1",), True, None),
        ("1", "oci", ("a:1",), False, "o.tar"),
    ]
    assert targets["asked"].requested.may_default
    assert targets["lint"].requested.exports is False


@pytest.mark.parametrize("texts", [False, True])
def test_the_outputs_that_push_and_load_add_have_one_order(texts: bool) -> None:  # noqa: FBT001
    docker: object = "type=docker" if texts else {"type": "docker"}
    image: object = "type=image,push=true" if texts else {"type": "image", "push": "true"}
    for printed in ([docker, image], [image, docker]):
        text = json.dumps({"target": {"web": {"tags": ["a:1"], "output": printed}}})
        web = read_definition(text, with_reversed_defaults(targets_of(text)))["web"].requested.exporters
        assert [(each.key, each.type, each.push) for each in web] == [("0", "image", True), ("1", "docker", False)]
    text = json.dumps({"target": {"web": {"output": [docker, image]}}})
    assert [each.type for each in read_definition(text)["web"].requested.exporters] == ["docker", "image"]


@pytest.mark.parametrize(
    ("arguments", "may_vary"),
    [
        (("bake", "--print", "--set", "*.output=type=image", "--push"), True),
        (("bake", "--print", "--set=web.output+=type=image", "--load=true"), True),
        (("bake", "--print", "--set", "*.output=out", "--set", "web.push=true"), True),
        (("bake", "--print", "--set", "*.output=out"), False),
        (("bake", "--print", "--set", "*.args.output=out", "--push"), False),
        (("bake", "--print", "--push", "--load"), False),
        (("bake", "--print", "--set", "--push", "web"), False),
        # It removes an output and puts the last one in its place, which `load` may have appended before.
        (("bake", "--print", "--set", "*.push=false", "--load"), True),
        (("bake", "--print", "--push=false"), False),
    ],
)
def test_overrides_of_outputs_beside_push_or_load_are_applied_in_any_order(
    arguments: tuple[str, ...],
    may_vary: bool,  # noqa: FBT001
) -> None:
    assert has_varying_outputs(arguments) is may_vary


@pytest.mark.parametrize(
    ("arguments", "both"),
    [
        (("bake", "--push", "--load"), True),
        (("bake", "--set=*.push=true", "--load"), True),
        (("bake", "--set", "web.push=1", "--set", "web.load=true", "web"), True),
        (("bake", "--push", "--load=false"), False),
        (("bake", "--push"), False),
        (("bake", "--set", "*.args.load=true", "--push"), False),
    ],
)
def test_push_and_load_are_options_or_overrides(arguments: tuple[str, ...], both: bool) -> None:  # noqa: FBT001
    assert adds_push_and_load(arguments) is both


def test_the_definition_without_push_and_load_has_all_other_arguments() -> None:
    arguments = ("bake", "--file", "b.hcl", "--push", "--set", "*.load=true", "--set=web.push=true", "--print", "web")
    kept = ("--set", "*.args.push=1", "--set=*.tags=load", "push", "load")
    assert without_push_and_load((*arguments, *kept, "--load=true")) == (
        *("bake", "--file", "b.hcl", "--print", "web"),
        *kept,
    )


def test_outputs_that_say_more_than_push_and_load_keep_the_users_order() -> None:
    for printed in (
        [{"type": "docker", "id": "x"}, {"type": "image", "push": "true"}],
        [{"type": "docker", "dest": "x.tar"}, {"type": "image", "push": "true"}],
        [{"type": "docker"}, {"type": "image", "push": "true", "compression": "zstd"}],
        [{"type": "docker"}, {"type": "image", "push": "true"}, {"type": "oci", "dest": "x.tar"}],
        [{"type": "docker"}],
    ):
        text = json.dumps({"target": {"web": {"tags": ["a:1"], "output": printed}}})
        web = read_definition(text, with_reversed_defaults(targets_of(text)))["web"].requested.exporters
        assert [each.type for each in web] == [output["type"] for output in printed]


def test_the_default_provenance_goes_to_targets_that_ask_for_none() -> None:
    inputs = read_bake_inputs({"source": "."})
    targets = read_definition(json.dumps(_DEFINITION))
    request = bake_request(bake(source="."), inputs, targets, RUN, lambda _: False)
    url = "builder-id=https://github.com/o/app/actions/runs/42/attempts/1"
    assert [argument for argument in request.arguments if ".attest=" in argument] == [
        f"web.attest=type=provenance,mode=max,{url}",
        f"lint.attest=type=provenance,mode=max,{url}",
    ]
    assert request.without_defaults == ("bake", "--allow", "fs=*")


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [({"load": "true"}, []), ({"provenance": "true"}, []), ({}, ["type=docker,dest=x"])],
)
def test_no_default_provenance_beside_a_docker_exporter_or_another_provenance(
    inputs: dict[str, str], outputs: list[str]
) -> None:
    named = {"source": ".", **inputs}
    targets = read_definition(json.dumps({"target": {"a": {"output": outputs}}}))
    request = bake_request(bake_of(named), read_bake_inputs(named), targets, RUN, lambda _: False)
    assert not any(".attest=" in argument for argument in request.arguments)
    assert request.without_defaults is None


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"target": []}', '{"target": {"a": 1}}', "[" * 100_000])
def test_what_is_no_definition_is_a_plain_error(text: str) -> None:
    with pytest.raises(ProgramError, match="printed no definition that can be read"):
        read_definition(text)


@pytest.mark.parametrize("output", [1, "dest=x", {"dest": "x"}, {"type": "oci", "id": "1"}, "type=oci,id=a/b"])
def test_an_output_that_breaks_a_rule_names_its_target(output: object) -> None:
    with pytest.raises(BuildDigestsError, match=r"^output of bake target web: "):
        read_definition(json.dumps({"target": {"web": {"output": [output]}}}))


def test_names_in_a_definition_can_be_written_anywhere() -> None:
    (name,) = read_definition('{"target": {"a\\ud800": {"output": ["type=oci,dest=x"]}}}')
    assert name == "a\ufffd"


def test_a_definition_of_more_values_than_memory_is_refused() -> None:
    with pytest.raises(ProgramError, match="expected at most 1000000 values, found more"):
        read_definition('{"target": {"a": [' + "0," * 1_000_000 + "0]}}")
