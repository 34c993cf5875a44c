"""buildx's arguments, in the order and form of docker/build-push-action v7 (context.ts and its tests)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from action.buildx.build_arguments import build_request
from action.buildx.request import Request, with_metadata_file
from action.errors import InputError
from action.inputs.build import read_build_inputs

RUN = {
    "GITHUB_REPOSITORY": "o/app",
    "GITHUB_SHA": "c0ffee",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_RUN_ID": "42",
    "GITHUB_RUN_ATTEMPT": "2",
}
URL = "builder-id=https://github.com/o/app/actions/runs/42/attempts/2"


def request(**inputs: str) -> Request:
    return request_in(RUN, inputs)


def request_in(environment: Mapping[str, str], inputs: Mapping[str, str]) -> Request:
    named = {name.replace("_", "-"): text for name, text in inputs.items()}
    return build_request(read_build_inputs(named), environment, lambda: True, lambda _: False)[0]


def test_a_repository_of_which_nothing_is_known_counts_as_private() -> None:
    built, _ = build_request(read_build_inputs({}), RUN, lambda: True)
    assert f"type=provenance,mode=min,inline-only=true,{URL}" in built.arguments


def test_no_inputs_build_the_repository_with_full_provenance() -> None:
    assert request().arguments == (
        *("build", "--attest", f"type=provenance,mode=max,{URL}"),
        "https://github.com/o/app.git#c0ffee",
    )


def test_every_input_has_its_argument_in_the_peers_order(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.touch()
    inputs = {
        "add_hosts": "h:1,i:2",
        "allow": "network.host",
        "annotations": "a=1,2",
        "attests": "type=sbom",
        "build_args": "A=1,2\nB=2",
        "build_contexts": "src={{defaultContext}}",
        "builder": "b",
        "cache_from": "type=gha,scope=x",
        "cache_to": "type=gha,mode=max",
        "call": "build",
        "cgroup_parent": "/docker",
        "context": ".",
        "file": "F",
        "labels": "l=1\nm=2",
        "load": "true",
        "network": "host",
        "no_cache": "true",
        "no_cache_filters": "s1,s2",
        "outputs": "type=oci,dest=o\nout",
        "platforms": "linux/amd64,linux/arm64",
        "provenance": "mode=min",
        "pull": "true",
        "push": "true",
        "sbom": "true",
        "secrets": "K=v",
        "secret_envs": "E=VAR",
        "secret_files": f"F={file}",
        "shm_size": "2g",
        "ssh": "default",
        "tags": "t:1,t:2",
        "target": "stage",
        "ulimit": "nofile=1:2",
        "github_token": "tok",
    }
    assert request(**inputs).arguments == (
        "build",
        *("--add-host", "h:1", "--add-host", "i:2", "--allow", "network.host", "--annotation", "a=1,2"),
        *("--build-arg", "A=1,2", "--build-arg", "B=2"),
        *("--build-context", "src=https://github.com/o/app.git#c0ffee"),
        *("--cache-from", "type=gha,scope=x", "--cache-to", "type=gha,mode=max", "--call", "build"),
        *("--cgroup-parent", "/docker", "--secret", "id=E,env=VAR", "--file", "F", "--label", "l=1", "--label", "m=2"),
        *("--no-cache-filter", "s1", "--no-cache-filter", "s2", "--output", "type=oci,dest=o", "--output", "out"),
        *("--platform", "linux/amd64,linux/arm64", "--attest", f"type=provenance,mode=min,{URL}"),
        *("--attest", "type=sbom,disabled=false"),
        *("--secret", "id=K,env=BUILD_DIGESTS_SECRET_0", "--secret", f"id=F,src={file}"),
        *("--shm-size", "2g", "--ssh", "default", "--tag", "t:1", "--tag", "t:2", "--target", "stage"),
        *(
            "--ulimit",
            "nofile=1:2",
            "--builder",
            "b",
            "--load",
            "--network",
            "host",
            "--no-cache",
            "--pull",
            "--push",
            ".",
        ),
    )


def test_the_token_goes_with_the_git_context_and_with_no_other() -> None:
    assert request(github_token="tok").arguments[-3:-1] == (
        "--secret",
        "id=GIT_AUTH_TOKEN.github.com,env=BUILD_DIGESTS_SECRET_0",
    )
    assert "--secret" in request(github_token="tok", context="{{defaultContext}}:sub").arguments
    assert "--secret" not in request(github_token="tok", context=".").arguments
    assert "--secret" not in request(github_token="tok", context="https://github.com/other/repo.git").arguments


def test_no_secret_is_in_any_argument_or_in_what_is_printed_of_a_request() -> None:
    built = request(secrets="K=hunter2", github_token="ghs_x", context="{{defaultContext}}")
    assert "hunter2" not in repr(built)
    assert "ghs_x" not in repr(built)
    assert sorted(built.environment.values()) == ["ghs_x", "hunter2", "true"]


def test_buildx_writes_its_warnings_to_the_metadata_file() -> None:
    assert request(context=".").environment == {"BUILDX_METADATA_WARNINGS": "true"}


def test_a_folder_as_context_needs_no_repository() -> None:
    assert request_in({}, {"context": "."}).arguments[-1] == "."
    with pytest.raises(InputError, match="GITHUB_REPOSITORY, which names the repository to build, is not set"):
        request_in({}, {})


def test_a_private_repositorys_event_gives_little_provenance(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"repository": {"private": True}}))
    environment = {**RUN, "GITHUB_EVENT_PATH": str(event)}
    arguments = build_request(read_build_inputs({"context": "."}), environment, lambda: True)[0].arguments
    assert f"type=provenance,mode=min,inline-only=true,{URL}" in arguments


@pytest.mark.parametrize(
    "inputs", [{"load": "true"}, {"outputs": "type=docker,dest=x"}, {"outputs": "out\ntype=docker"}]
)
def test_no_default_provenance_where_the_docker_exporter_is_asked_for(inputs: dict[str, str]) -> None:
    built = request(context=".", **inputs)
    assert "--attest" not in built.arguments
    assert built.without_defaults is None


def test_without_the_default_provenance_everything_else_stays() -> None:
    built = request(context=".", sbom="true", push="true", tags="t")
    place = built.arguments.index("--attest")
    assert built.without_defaults == built.arguments[:place] + built.arguments[place + 2 :]
    assert request(context=".", provenance="true").without_defaults is None


@pytest.mark.parametrize("context", ["--push", "-o=type=local,dest=/", "--metadata-file=x", "--"])
def test_a_context_that_buildx_would_read_as_an_option_is_refused(context: str) -> None:
    with pytest.raises(InputError, match=r"^context: '-.*' starts with a hyphen; .* write \./-"):
        request(context=context)
    assert request(context=f"./{context}").arguments[-1] == f"./{context}"


def test_a_hyphen_alone_is_the_standard_input() -> None:
    assert request(context="-").arguments[-1] == "-"


@pytest.mark.parametrize(
    "inputs", [{}, {"context": "{{defaultContext}}:sub", "build_contexts": "a={{defaultContext}}"}]
)
def test_buildx_is_asked_for_its_version_once_at_most(inputs: dict[str, str]) -> None:
    asked: list[bool] = []

    def sends_query() -> bool:
        asked.append(True)
        return True

    named = {name.replace("_", "-"): text for name, text in {**inputs, "github_token": "tok"}.items()}
    built, _ = build_request(read_build_inputs(named), {**RUN, "BUILDX_SEND_GIT_QUERY_AS_INPUT": "1"}, sends_query)
    assert built.arguments[-1].startswith("https://github.com/o/app.git?ref=c0ffee")
    assert any("GIT_AUTH_TOKEN.github.com" in argument for argument in built.arguments)
    assert asked == [True]


def test_warnings_of_secrets_are_handed_on() -> None:
    warnings = build_request(read_build_inputs({"context": ".", "secrets": "K="}), RUN, lambda: True)[1]
    assert warnings == ("secrets: K has no value and is not passed to the build",)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"outputs": "type=oci,id=1"}, "outputs: id '1' is all digits"),
        ({"outputs": "dest=x"}, "outputs: 'dest=x' has no type"),
        ({"attests": 'x,"y'}, "attests: the double quote that opens an item in line 1 is not closed"),
        ({"call": '"'}, "call: "),
    ],
)
def test_bad_input_is_found_before_anything_runs_and_ends_with_2(inputs: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        request(context=".", **inputs)
    assert str(error.value).startswith(message)
    assert error.value.exit_code == 2


def test_outputs_reach_buildx_as_they_were_written() -> None:
    text = 'type=image,"name=a:1,b:2",push=true,id=release'
    arguments = request(context=".", outputs=f"{text}\n  out  ").arguments
    assert arguments[1:5] == ("--output", text, "--output", "out")


@pytest.mark.parametrize("name", ["file", "target", "builder", "network", "shm-size", "cgroup-parent"])
def test_an_option_and_its_value_are_two_arguments(name: str) -> None:
    # A value that looks like an option is none: pflag takes what follows as it is.
    arguments = request(context=".", **{name: "--push"}).arguments
    assert arguments[arguments.index(f"--{name}") + 1] == "--push"


def test_hostile_values_stay_one_argument_each() -> None:
    value = "a=$(touch /x); `y` \"z\" 'w' | & > \\ * ~"
    arguments = request(context=".", labels=value, build_args=value).arguments
    assert arguments.count(value) == 2


def test_the_metadata_file_stands_in_front() -> None:
    assert with_metadata_file(("build", "--push", "."), "m") == ("build", "--metadata-file", "m", "--push", ".")
