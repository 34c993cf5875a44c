"""What docker/build-push-action 7.3 and docker/bake-action 7 make of their inputs (context.ts, docker/actions-toolkit).

Each case was checked against what these actions really hand to buildx. The options for the metadata file and the image
ID's file are left out: this action adds the former later, and has no use for the latter.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from action.buildx.bake_arguments import bake_request, read_bake
from action.buildx.build_arguments import build_request
from action.buildx.builder import Version
from action.buildx.definition import read_definition
from action.inputs.bake import read_bake_inputs
from action.inputs.build import read_build_inputs

RUN = {
    "GITHUB_REPOSITORY": "octo/app",
    "GITHUB_SHA": "c0ffee",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_RUN_ID": "42",
    "GITHUB_RUN_ATTEMPT": "1",
}
URL = "https://github.com/octo/app/actions/runs/42/attempts/1"
MAX = ("--attest", f"type=provenance,mode=max,builder-id={URL}")
GIT = "https://github.com/octo/app.git#c0ffee"


def build(inputs: dict[str, str], driver: str | None = "docker-container", **environment: str) -> tuple[str, ...]:
    """The arguments in a public repository."""
    read = read_build_inputs({"context": ".", **inputs})
    return build_request(read, {**RUN, **environment}, lambda: True, lambda _: False, driver)[0].arguments


@pytest.mark.parametrize(
    ("inputs", "arguments"),
    [
        # Lists of names split at commas and newlines; lists of texts at newlines alone.
        ({"tags": "octo/app:1, octo/app:2"}, (*MAX, "--tag", "octo/app:1", "--tag", "octo/app:2")),
        (
            {"build-args": 'A=1,2\n"B=one\ntwo"\nC=x#y'},
            ("--build-arg", "A=1,2", "--build-arg", "B=one\ntwo", "--build-arg", "C=x#y", *MAX),
        ),
        ({"labels": 'a.b=say "hi" (twice)'}, ("--label", 'a.b=say "hi" (twice)', *MAX)),
        (
            {"platforms": "linux/amd64,linux/arm64\nlinux/386"},
            ("--platform", "linux/amd64,linux/arm64,linux/386", *MAX),
        ),
        ({"add-hosts": "a:10.0.0.1\nb:10.0.0.2"}, ("--add-host", "a:10.0.0.1", "--add-host", "b:10.0.0.2", *MAX)),
        ({"outputs": 'type=image,"name=a:1,a:2",push=true'}, ("--output", 'type=image,"name=a:1,a:2",push=true', *MAX)),
        # Options stand in the peer's order, whatever the order of the inputs.
        (
            {"push": "true", "ulimit": "nproc=3", "target": "t", "shm-size": "2g", "file": "F", "cgroup-parent": "c"},
            (
                *("--cgroup-parent", "c", "--file", "F", *MAX, "--shm-size", "2g"),
                *("--target", "t", "--ulimit", "nproc=3", "--push"),
            ),
        ),
        (
            {"secret-envs": "A=X,B=Y", "file": "F"},
            ("--secret", "id=A,env=X", "--secret", "id=B,env=Y", "--file", "F", *MAX),
        ),
        # An attestation that is asked for takes the place of the default.
        ({"provenance": "true"}, ("--attest", f"type=provenance,builder-id={URL}")),
        ({"provenance": "false"}, ("--attest", "type=provenance,disabled=true")),
        ({"provenance": "mode=min"}, ("--attest", f"type=provenance,mode=min,builder-id={URL}")),
        ({"provenance": "builder-id=me"}, ("--attest", "type=provenance,builder-id=me")),
        ({"sbom": "true"}, (*MAX, "--attest", "type=sbom,disabled=false")),
        (
            {"attests": "type=provenance,mode=min\ntype=sbom,generator=x"},
            ("--attest", f"type=provenance,mode=min,builder-id={URL}", "--attest", "type=sbom,generator=x"),
        ),
        (
            {"attests": "type=provenance,mode=min", "provenance": "mode=max"},
            ("--attest", f"type=provenance,mode=max,builder-id={URL}"),
        ),
        # The docker exporter takes no attestations.
        ({"load": "true"}, ("--load",)),
        ({"outputs": "type=docker,dest=x"}, ("--output", "type=docker,dest=x")),
        ({"outputs": "type=local,dest=x"}, ("--output", "type=local,dest=x", *MAX)),
    ],
)
def test_inputs_give_the_peers_arguments(inputs: dict[str, str], arguments: tuple[str, ...]) -> None:
    assert build(inputs) == ("build", *arguments, ".")


def test_on_the_docker_driver_nothing_is_added_and_what_is_asked_for_stays() -> None:
    assert build({}, "docker") == ("build", ".")
    assert build({"provenance": "mode=max"}, "docker")[1:3] == MAX
    assert build({"sbom": "true"}, "docker") == ("build", "--attest", "type=sbom,disabled=false", ".")


@pytest.mark.parametrize(("text", "added"), [("1", False), ("true", False), ("false", True), ("yes", True), ("", True)])
def test_a_variable_turns_the_default_off(text: str, *, added: bool) -> None:
    assert ("--attest" in build({}, BUILDX_NO_DEFAULT_ATTESTATIONS=text)) is added


def test_without_a_context_the_repository_is_built_with_the_token_for_its_host() -> None:
    token = {"github-token": "ghs_x", "context": ""}
    assert build(token) == ("build", *MAX, *_token("github.com"), GIT)
    assert build({**token, "context": "{{defaultContext}}:sub"}) == ("build", *MAX, *_token("github.com"), f"{GIT}:sub")
    assert build({**token, "context": "."}) == ("build", *MAX, ".")
    assert "--secret" not in build({**token, "secrets": "GIT_AUTH_TOKEN="})
    enterprise = build(token, GITHUB_SERVER_URL="http://10.0.0.5:8080")
    assert enterprise[3:] == (*_token("10.0.0.5:8080"), "http://10.0.0.5:8080/octo/app.git#c0ffee")


def _token(host: str) -> tuple[str, str]:
    return "--secret", f"id=GIT_AUTH_TOKEN.{host},env=BUILD_DIGESTS_SECRET_0"


@pytest.mark.parametrize(
    ("secrets", "keys"),
    [
        ("A=x\nB=y=z", ["A", "B"]),
        ('A=x\n"B=one\n\ntwo"\nC=', ["A", "B"]),
        ("A=one\ntwo\nthree\nB=x", ["A", "B"]),
        ("no equals sign\n=no key\nA=x", ["A"]),
    ],
)
def test_secrets_that_cannot_be_used_are_left_out(secrets: str, keys: list[str]) -> None:
    passed = [argument for argument in build({"secrets": secrets}) if argument.startswith("id=")]
    assert [argument.partition(",")[0] for argument in passed] == [f"id={key}" for key in keys]


def bake(inputs: dict[str, str], driver: str | None = "remote", version: Version | None = (0, 36)) -> tuple[str, ...]:
    """The arguments in a public repository, of a bake with the targets `app` and `doc`; `doc` has a provenance."""
    read = read_bake_inputs({"source": ".", **inputs})
    made = read_bake(read, RUN, lambda: True, version)
    targets = read_definition(json.dumps({"target": {"app": {}, "doc": {"attest": [{"type": "provenance"}]}}}))
    return bake_request(made, read, targets, RUN, lambda _: False, driver=driver).arguments


DEFAULT = ("--set", f"app.attest=type=provenance,mode=max,builder-id={URL}")
FILES = ("--allow", "fs=*")


@pytest.mark.parametrize(
    ("inputs", "arguments"),
    [
        ({}, (*FILES, *DEFAULT)),
        ({"targets": "a,b", "push": "true"}, (*FILES, *DEFAULT, "--push", "a", "b")),
        ({"sbom": "true", "pull": "true"}, (*FILES, *DEFAULT, "--sbom", "true", "--pull")),
        ({"set": '*.a="x,y"\nb.c=d'}, (*FILES, "--set", '*.a="x,y"', "--set", "b.c=d", *DEFAULT)),
        ({"allow": "network.host", "vars": "A=1,2"}, ("--allow", "network.host", *FILES, "--var", "A=1,2", *DEFAULT)),
        ({"provenance": "mode=min"}, (*FILES, "--provenance", f"mode=min,builder-id={URL}")),
        ({"provenance": "false", "no-cache": "true"}, (*FILES, "--provenance", "false", "--no-cache")),
        ({"load": "true"}, (*FILES, "--load")),
        ({"source": ""}, (GIT, *FILES, *DEFAULT)),
        ({"source": "{{defaultContext}}:sub", "files": "a.hcl"}, (f"{GIT}:sub", *FILES, "--file", "a.hcl", *DEFAULT)),
    ],
)
def test_a_bakes_inputs_give_the_peers_arguments(inputs: dict[str, str], arguments: tuple[str, ...]) -> None:
    assert bake(inputs) == ("bake", *arguments)


def test_a_bake_on_the_docker_driver_has_no_default() -> None:
    assert bake({}, "docker") == ("bake", *FILES)


@pytest.mark.parametrize(
    ("version", "arguments", "warning"),
    [
        ((0, 17), ("--allow", "network.host", *DEFAULT, "--sbom", "true"), None),
        ((0, 16), (*DEFAULT, "--sbom", "true"), "a bake's entitlements need buildx 0.17 or later; the input allow is"),
        ((0, 9), (), "attestations need buildx 0.10 or later; the inputs provenance and sbom are ignored"),
        (None, ("--allow", "network.host", *DEFAULT, "--sbom", "true"), None),
    ],
)
def test_a_bake_leaves_out_what_buildx_is_too_old_for(
    version: Version | None, arguments: tuple[str, ...], warning: str | None
) -> None:
    inputs = {"allow": "network.host", "sbom": "true"}
    assert bake(inputs, version=version) == ("bake", *arguments)
    warnings = read_bake(read_bake_inputs({"source": ".", **inputs}), RUN, lambda: True, version).warnings
    assert (warning or "") in " ".join(warnings)
    assert bool(warnings) is (warning is not None)


def test_a_folder_as_source_is_where_the_bake_runs(tmp_path: Path) -> None:
    made = read_bake(read_bake_inputs({"source": str(tmp_path)}), RUN, lambda: True, (0, 36))
    assert (made.options, made.folder) == (FILES, str(tmp_path))
