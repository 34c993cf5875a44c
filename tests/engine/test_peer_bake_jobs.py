"""Bakes as docker/bake-action's own CI has them (7.x, .github/workflows/ci.yml), one kind of use after another.

Other files have its jobs on several outputs, compose files, annotations of build checks, summaries and caches.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.conftest import Step, Workplace, fake_docker, lines
from tests.engine.git_server import GitServer, git_server
from tests.engine.other_end import not_served, served, served_digest
from tests.input_coverage import cannot_use

_DOCKERFILE = "FROM scratch AS t1\nCOPY hello.txt /t1\nFROM scratch AS t2\nCOPY hello.txt /t2\n"
_LINT = 'frOM scratch as base\ncOpy hello.txt .\nFROM scratch\nMAINTAINER moby@example.com\nCMD ["a"]\nCMD ["b"]\n'
_GROUP = """
group "default" { targets = ["t1", "t2"] }
target "t1" { target = "t1" }
target "t2" { target = "t2" }
"""
_INHERITED = """
group "default" { targets = ["db", "app"] }
group "release" { targets = ["db", "app-plus"] }
target "docker-metadata-action" { tags = ["IMAGE:latest", "IMAGE:1.0.0"] }
target "db" {
  context = "./test"
  tags = ["IMAGE-db"]
}
target "app" {
  inherits = ["docker-metadata-action"]
  context = "./test"
  args = { name = "foo" }
}
target "cross" { platforms = ["linux/amd64", "linux/arm64", "linux/386"] }
target "app-plus" {
  inherits = ["app", "cross"]
  args = { IAMPLUS = "true" }
}
"""


def built(step: Step) -> Step:
    assert step.code == 0, step.log
    return step


def digests(step: Step) -> dict[str, dict[str, str]]:
    return dict(json.loads(step.outputs["digests"]))


@pytest.fixture
def group(work: Workplace) -> Workplace:
    """A definition of two targets in a folder of its own."""
    folder = work.folder / "group"
    folder.mkdir()
    (folder / "Dockerfile").write_text(_DOCKERFILE)
    (folder / "hello.txt").write_text(work.name)
    (folder / "docker-bake.hcl").write_text(_GROUP)
    return work


@pytest.fixture
def inherited(work: Workplace) -> Workplace:
    """A definition of targets that inherit, in a file of another name."""
    (work.folder / "test").mkdir()
    (work.folder / "test" / "Dockerfile").write_text('FROM scratch\nARG name\nCOPY hello.txt /\nLABEL name="$name"\n')
    (work.folder / "test" / "hello.txt").write_text(work.name)
    (work.folder / "test" / "config.hcl").write_text(_INHERITED.replace("IMAGE", work.image))
    return work


def test_a_group_is_pushed_with_the_tags_of_an_override(group: Workplace) -> None:
    tags = lines(f"t1.tags={group.image}:t1", f"t2.tags={group.image}:t2")
    step = built(group.bake_step(source="./group", push="true", set=tags))
    assert digests(step) == {
        "t1": {"0": served_digest(group.image, "t1")},
        "t2": {"0": served_digest(group.image, "t2")},
    }


def test_one_output_with_two_quoted_names_replaces_tags(group: Workplace) -> None:
    output = f'*.output=type=image,"name={group.image}:v1.0.0,{group.image}:latest",push=true'
    step = built(group.bake_step(source="group", targets="t1", set=lines("*.platform=linux/amd64", output, "*.tags=")))
    digest = served_digest(group.image, "v1.0.0")
    assert digests(step) == {"t1": {"0": digest}}
    assert served_digest(group.image, "latest") == digest
    assert json.loads(step.outputs["metadata"])["t1"]["containerimage.digest"] == digest


def test_inherited_targets_of_the_default_group_and_of_another(inherited: Workplace) -> None:
    step = built(inherited.bake_step(source=".", files="./test/config.hcl", push="true"))
    app = served_digest(inherited.image, "1.0.0")
    assert digests(step) == {"app": {"0": app}, "db": {"0": served_digest(f"{inherited.image}-db")}}
    step = built(inherited.bake_step(source=".", files="./test/config.hcl", targets="release", push="true"))
    digest, index = served(inherited.image, "latest")
    assert digests(step)["app-plus"] == {"0": digest}
    platforms = {each["platform"]["architecture"] for each in index["manifests"]}
    assert platforms == {"amd64", "arm64", "386", "unknown"}


def test_the_environment_turns_default_attestations_off(group: Workplace) -> None:
    group.environment = {**group.environment, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    step = built(group.bake_step(source="group", targets="t1", push="true", set=f"*.tags={group.image}:1"))
    digest, manifest = served(group.image, "1")
    assert digests(step) == {"t1": {"0": digest}}
    assert "layers" in manifest


def test_a_target_keeps_the_provenance_that_it_asks_for_itself(group: Workplace) -> None:
    (group.folder / "group" / "docker-bake.hcl").write_text(
        _GROUP.replace(
            '{ target = "t2" }', '{\n target = "t2"\n attest = ["type=provenance,mode=min,builder-id=own"]\n}'
        )
    )
    outputs = lines(*(f"{name}.output=type=image,name={group.image}:{name},push=true" for name in ("t1", "t2")))
    step = built(group.bake_step(source="group", set=outputs))
    made = json.loads(step.outputs["metadata"])
    assert made["t2"]["buildx.build.provenance"]["builder"]["id"] == "own"
    assert made["t1"]["buildx.build.provenance"]["builder"]["id"] != "own"


def test_push_and_load_give_each_exporter_its_own_digest_by_the_same_key_in_each_run(group: Workplace) -> None:
    for number in range(2):
        tag = f"{group.image}:{number}"
        # The engine's exporters of one tag may race: retries are for that.
        inputs = {"targets": "t1", "set": f"*.tags={tag}", "retries": "3", "retry_delay": "0.1"}
        step = built(group.bake_step(source="group", load="true", push="true", **inputs))
        exporters = json.loads(step.outputs["exporters"])["t1"]
        assert [(each["type"], each["push"]) for each in exporters] == [("image", True), ("docker", False)]
        assert digests(step)["t1"]["0"] == served_digest(group.image, str(number))
        loaded = group.docker("image", "inspect", "--format", "{{.Id}}", tag)
        assert digests(step)["t1"]["1"] == loaded
        group.docker("image", "rm", tag)


@pytest.mark.parametrize("printed", ["--push", "--pull"])
def test_an_image_counts_as_pushed_if_the_registry_has_it_whatever_buildx_printed(
    group: Workplace, printed: str
) -> None:
    # buildx applies overrides in an order that is chance: in some runs `--set=*.output=…` takes the push back.
    script = 'if [[ " $* " == *" --print "* ]]; then set -- "${@/#--push/PRINTED}"; fi; exec "$REAL" "$@"'
    fake_docker(group, script.replace("PRINTED", printed))
    overrides = lines(f"*.tags={group.image}:1", "*.output=type=image")
    step = built(group.bake_step(source="group", targets="t1", push="true", set=overrides))
    (exporter,) = json.loads(step.outputs["exporters"])["t1"]
    refs = json.loads(step.outputs["refs"])
    if exporter["push"]:
        assert exporter["digest"] == served_digest(group.image, "1")
        assert refs == [f"{group.image}@{exporter['digest']}"]
    else:
        assert (refs, not_served(group.image, "1")) == ([], True)
    group.docker("image", "rm", f"{group.image}:1")


def test_paths_start_at_a_local_source(group: Workplace) -> None:
    (group.folder / "group" / "docker-bake.hcl").write_text(
        'target "default" {\n target = "t1"\n output = ["type=local,dest=./artifacts"]\n}'
    )
    built(group.bake_step(source="./group", files="./docker-bake.hcl"))
    assert (group.folder / "group/artifacts/t1").read_text() == group.name
    assert not (group.folder / "artifacts").exists()


def test_a_source_that_is_not_there_fails_before_anything_is_built(work: Workplace) -> None:
    step = work.bake_step(source="./does-not-exist")
    assert step.code != 0
    assert "::error::source: there is no folder './does-not-exist'" in step.log
    assert "#1 " not in step.log


@pytest.mark.usefixtures("busybox")
def test_an_entitlement_is_allowed_by_the_input_alone(work: Workplace) -> None:
    program = json.dumps(["/bin/busybox", "cat", "/proc/net/dev"])
    (work.folder / "Dockerfile").write_text(f"FROM scratch\nCOPY busybox /bin/busybox\nRUN --network=host {program}\n")
    (work.folder / "docker-bake.hcl").write_text('target "default" { entitlements = ["network.host"] }')
    built(work.bake_step(source=".", allow="network.host"))
    refused = work.bake_step(source=".")
    assert refused.code == 1
    assert "::error::buildx failed with: ERROR: additional privileges requested" in refused.log


def test_variables_are_set_or_a_buildx_that_is_too_old_is_named(group: Workplace) -> None:
    (group.folder / "group" / "docker-bake.hcl").write_text(
        'variable "DESTDIR" { default = "elsewhere" }\ntarget "default" {\n target = "t1"\n output = [DESTDIR]\n}'
    )
    step = group.bake_step(source="group", vars=f"DESTDIR={group.folder}/build")
    release = group.docker("buildx", "version").split()[1].lstrip("v").split(".")
    if (int(release[0]), int(release[1])) >= (0, 31):
        assert (built(step), (group.folder / "build/t1").read_text()) == (step, group.name)
    else:
        cannot_use("bake: vars")
        assert step.code == 1
        assert "::error::this buildx does not know --var: install buildx 0.31 or later" in step.log


@pytest.fixture
def lint(work: Workplace) -> Workplace:
    (work.folder / "lint.Dockerfile").write_text(_LINT)
    (work.folder / "fine.Dockerfile").write_text("FROM scratch\nCOPY hello.txt /\n")
    (work.folder / "lint.hcl").write_text(
        'group "default" { targets = ["lint", "fine", "inline"] }\n'
        'target "lint" { dockerfile = "lint.Dockerfile" }\n'
        'target "fine" { dockerfile = "fine.Dockerfile" }\n'
        'target "inline" { dockerfile-inline = "FRoM scratch\\nCMD [\\"a\\"]" }\n'
    )
    return work


def _findings(step: Step) -> int:
    documents: list[dict[str, Any]] = list(json.loads(step.outputs["metadata"]).values())
    return sum(len(each["result.json"].get("warnings") or ()) for each in documents)


@pytest.mark.parametrize("targets", ["lint", ""])
def test_a_check_fails_the_step_with_the_number_of_all_targets_findings(lint: Workplace, targets: str) -> None:
    step = lint.bake_step(source=".", files="lint.hcl", call="check", targets=targets)
    assert step.code == 1
    (error,) = [line for line in step.log.splitlines() if line.startswith("::error::")]
    assert _findings(step) > 1
    assert error == f"::error::Check complete, {_findings(step)} warnings have been found!"


def test_a_check_without_findings_passes(lint: Workplace) -> None:
    step = built(lint.bake_step(source=".", files="lint.hcl", call="check", targets="fine"))
    assert _findings(step) == 0
    assert digests(step) == {"fine": {}}


@pytest.fixture
def repository(inherited: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    """A repository on a server; nothing of it is in the step's own folder."""
    test = inherited.folder / "test"
    files = {f"test/{each.name}": each.read_bytes() for each in test.iterdir()}
    files["docker-bake.hcl"] = b'target "update-docs" {\n  context = "test"\n  output = ["./docs"]\n}\n'
    for each in list(test.iterdir()):
        each.unlink()
    test.rmdir()
    with git_server(tmp_path_factory.mktemp("git"), files) as git:
        inherited.environment = {**inherited.environment, **git.environment}
        yield git


@pytest.mark.parametrize("query", [False, True])
def test_without_a_source_the_repository_is_baked_with_a_file_of_this_machine_over_it(
    inherited: Workplace, repository: GitServer, *, query: bool
) -> None:
    if query:
        inherited.environment = {**inherited.environment, "BUILDX_SEND_GIT_QUERY_AS_INPUT": "true"}
    override = inherited.folder / "meta.json"
    override.write_text(json.dumps({"target": {"docker-metadata-action": {"tags": [f"{inherited.image}:meta"]}}}))
    files = lines("./test/config.hcl", f"cwd://{override.name}")
    step = built(inherited.bake_step(files=files, targets="app", push="true"))
    assert digests(step) == {"app": {"0": served_digest(inherited.image, "meta")}}
    assert repository.requests


def test_a_remote_definition_writes_files_to_this_machine(inherited: Workplace, repository: GitServer) -> None:
    source = f"{repository.url}/{repository.repository}.git#main"
    built(inherited.bake_step(source=source, targets="update-docs"))
    assert (inherited.folder / "docs/hello.txt").read_text() == inherited.name


def test_a_private_remote_definition_is_read_with_the_token(inherited: Workplace, repository: GitServer) -> None:
    repository.token = "ghs_of_this_test"
    refused = inherited.bake_step(github_token="another", targets="update-docs")
    assert refused.code == 1
    assert "::error::" in refused.log
    assert not repository.requests
    built(inherited.bake_step(github_token=repository.token, targets="update-docs"))
    assert (inherited.folder / "docs/hello.txt").read_text() == inherited.name
