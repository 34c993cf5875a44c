"""Real workflows, with steps after the build that use what it says."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cache_service import CacheService
from tests.engine.other_end import image_manifests, served, served_digest, tar_config, tar_digest
from tests.workflows.conftest import ROOT, WORKFLOWS, Act

_UPLOAD = r"      - uses: actions/upload-artifact@.*\n        with:\n          name: (.*)\n          path: (.*)\n.*\n"
_KEEP = r"""      - run: mkdir -p "$LEFT/artifacts/$ARTIFACT" && cp "$FILE" "$LEFT/artifacts/$ARTIFACT/"
        env:
          ARTIFACT: \1
          FILE: \2
"""
_DOWNLOAD = r"      - uses: actions/download-artifact@.*\n        with:\n.*\n          path: (.*)\n"
_TAKE = r"""      - run: cp -r "$LEFT/artifacts" \1
"""
"""Artifacts need GitHub's services: here they are folders."""


def _workflow(name: str) -> str:
    return (WORKFLOWS / name).read_text(encoding="utf-8")


def _errors(log: str) -> list[str]:
    # act takes a message with :: in it for a command it does not know; GitHub's runner does not.
    return re.findall(r"[❗❓]\s+::error::(.*)", log)


def test_every_output_reaches_later_steps_and_another_job(act: Act) -> None:
    ran = act.run(_workflow("outputs.yml"))
    assert ran.code == 0, ran.log
    image = f"{act.registry}/{act.folder.name.lower()}"
    release = served_digest(image, "1")
    assert ran.read("RELEASE") == ran.read("DIGEST") == ran.read("deployed") == release
    assert ran.read("OCI") == tar_digest(ran.left / "oci.tar")
    assert ran.read("DOCKER") == tar_digest(ran.left / "docker.tar")
    assert len({release, ran.read("DOCKER")}) == 2
    assert json.loads(ran.read("imageids"))["docker"] == tar_config(ran.left / "docker.tar")
    assert ran.read("REF").split("/")[2] in ran.read("METADATA")
    assert json.loads(ran.read("results.json"))["exporters"] == json.loads(ran.read("EXPORTERS"))
    # A label of several lines and with commas reaches the image.
    with tarfile.open(ran.left / "oci.tar") as tar:
        config = tar.extractfile("blobs/" + tar_config(ran.left / "oci.tar").replace(":", "/"))
        assert config is not None
        labels = json.load(config)["config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "a title, with a comma"
    assert labels["org.opencontainers.image.description"] == "two\nlines"


def test_what_fails_fails_with_its_own_message_and_the_job_sees_it(act: Act) -> None:
    ran = act.run(_workflow("failures.yml"))
    assert ran.code == 0, ran.log
    assert ran.read("outcomes").split() == ["failure", "failure", "success", "failure", "failure"]
    errors = _errors(ran.log)
    assert len(errors) == 4, ran.log
    assert errors[0].startswith("outputs: id 'a/b' is malformed; use letters")
    assert errors[1] == "push: 'yes' is not a boolean; write true or false"
    assert "secrets: TOKEN has no value and is not passed to the build" in ran.log
    assert "secret-files: the file of KEY does not exist and is not passed to the build" in ran.log
    assert ran.read("fork") == tar_digest(ran.left / "fork.tar")
    assert errors[2].startswith("buildx failed with: ERROR: ")
    assert "missing.txt" in errors[2]
    assert "warning has been found" in errors[3]
    assert "result.json" in json.loads(ran.read("metadata"))
    assert ran.read("digests") == "{}"


def test_hostile_values_never_run_and_never_become_commands(act: Act) -> None:
    ran = act.run(_workflow("hostile.yml"))
    assert ran.code == 0, ran.log
    image = f"{act.registry}/{act.folder.name.lower()}"
    assert ran.read("digest") == served_digest(image, "1")
    assert ran.read("tag") == "failure/"
    assert not (ran.left / "ran").exists()
    assert "injected" not in "".join(_errors(ran.log))
    assert "hunter2-made-by-a-step" not in ran.log.partition("Run Main ./")[2].replace("::add-mask::***", "")


def test_what_a_build_prints_is_never_a_command(act: Act) -> None:
    ran = act.run(_workflow("log.yml"))
    assert ran.code == 0, ran.log
    assert "injected" in ran.log
    assert ran.read("digest") == ""
    assert re.fullmatch(r"default/default/[a-z0-9]+", ran.read("ref"))
    assert ran.read("failed") == ""
    # Commands are taken again afterwards: the error of the build that failed is one.
    (error,) = _errors(ran.log)
    assert error.startswith("buildx failed with: ")


def test_platforms_of_a_matrix_are_joined_and_pulled_by_the_digest_in_another_job(
    act: Act, second_registry: str
) -> None:
    ran = act.run(_workflow("merge.yml"), SECOND=second_registry)
    assert ran.code == 0, ran.log
    name = act.folder.name.lower()
    for file, registry in (("one.json", act.registry), ("two.json", second_registry)):
        digest, index = served(f"{registry}/{name}", "1")
        pulled = (ran.left / file).read_bytes()
        assert digest == "sha256:" + hashlib.sha256(pulled).hexdigest()
        assert sorted(each["platform"]["architecture"] for each in image_manifests(index)) == ["amd64", "arm64"]
        assert len(index["manifests"]) == 4
    assert ran.read("DIGEST") == served_digest(f"{act.registry}/{name}", "1")
    assert json.loads(ran.read("METADATA"))["containerimage.digest"] == ran.read("DIGEST")
    assert json.loads(ran.read("results.json"))["exporters"] == json.loads(ran.read("EXPORTERS"))


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.yml")), ids=lambda path: path.stem)
def test_examples_run_as_they_are_but_for_what_needs_github(act: Act, example: Path) -> None:
    ran = act.run(_for_this_machine(example.read_text(encoding="utf-8"), act.own_registry))
    assert ran.code == 0, ran.log
    assert "🏁  Job succeeded" in ran.log


def test_the_summary_and_the_files_of_a_build_are_there_for_later_steps(act: Act) -> None:
    ran = act.run(_workflow("summary.yml"))
    assert ran.code == 0, ran.log
    image = f"{act.registry}/{act.folder.name.lower()}"
    digest = served_digest(image, "1")
    # act has a file for each step, as GitHub's runner, and prints what a step wrote into it.
    summary = ran.log[ran.log.index("### ✅ Build\n") : ran.log.index("Main cp")]
    label = image.partition("/")[2].replace("_", "&#95;")
    assert f"{label}</code>\n\n```text\n{digest}\n```" in summary.replace("<wbr>", "")
    assert "```mermaid\ngantt\n" in summary
    assert "hunter2" not in summary
    assert json.loads(ran.read("refs")) == [f"{image}@{digest}"]
    assert ran.read("checksums.txt") == f"{digest.removeprefix('sha256:')}  {image}"
    with tarfile.open(ran.left / "build.dockerbuild") as tar:
        assert "index.json" in tar.getnames()
    assert "MaintainerDeprecated" in ran.log


def test_everything_that_was_pushed_is_signed_by_its_digest(act: Act) -> None:
    text = (ROOT / "examples/cosign.yml").read_text(encoding="utf-8")
    ran = act.run(_for_this_machine(text, act.own_registry))
    assert ran.code == 0, ran.log
    images = [f"{act.own_registry}/octo/{name}" for name in ("app", "app-zstd")]
    assert ran.read("signed").split() == [f"{image}@{served_digest(image, '1')}" for image in images]


def test_a_deployment_of_an_image_that_has_not_changed_is_skipped(act: Act) -> None:
    text = _for_this_machine((ROOT / "examples/compare.yml").read_text(encoding="utf-8"), act.own_registry)
    deploys = re.compile(r"\| deploying ")
    for deployed in (True, False):
        # Its name is in the file that is copied into the image.
        folder = act.folder / str(deployed) / "app"
        folder.mkdir(parents=True)
        ran = replace(act, folder=folder).run(text)
        assert ran.code == 0, ran.log
        assert bool(deploys.search(ran.log)) is deployed, ran.log


def test_an_image_that_is_larger_than_it_may_be_fails_its_job(act: Act) -> None:
    text = _for_this_machine((ROOT / "examples/sizes.yml").read_text(encoding="utf-8"), act.own_registry)
    for limit, result in (("50000000", True), ("10", False)):
        folder = act.folder / limit
        folder.mkdir()
        ran = replace(act, folder=folder).run(text.replace("50000000", limit))
        assert (ran.code == 0) is result, ran.log
        assert f"{'Success' if result else 'Failure'} - Main Check the size" in ran.log


def _for_this_machine(text: str, registry: str) -> str:
    """The example with this checkout's action, the registry on loopback, and no step that needs GitHub's services."""
    text, used = re.subn(r"uses: build-digests/build-digests((?:/\w+)*)@v1", r"uses: .\1/", text)
    assert used
    text = text.replace("ghcr.io/", f"{registry}/")
    # The action of this checkout is there in a job only after a checkout.
    text = re.sub(
        r"(?m)^    steps:\n(?!      - uses: actions/checkout@)", "    steps:\n      - uses: actions/checkout@v4\n", text
    )
    # The docker driver cannot push by digest as the example's builder can: here each job has a tag of its own.
    leg = "matrix.arch" if "matrix.arch" in text else "strategy.job-index"
    text = text.replace(",push-by-digest=true,name-canonical=true,", f":${{{{ {leg} }}}},")
    # act 0.2.89 has no index of a job.
    text = text.replace("strategy.job-index", "endsWith(matrix.platforms, 'arm64')")
    text = re.sub(_UPLOAD, _KEEP, text)
    text = re.sub(_DOWNLOAD, _TAKE, text)
    steps = re.split(r"(?m)^(?=      - )", text)
    foreign = re.compile(r"uses: (?!\.|actions/checkout@)")
    return "".join(step if not foreign.search(step) else _without_step(step) for step in steps)


def _without_step(step: str) -> str:
    """What follows the step's own lines: the next job, or nothing."""
    rest = re.search(r"(?m)^(?! {8}| {6}- |$)", step)
    return step[rest.start() :] if rest else ""


def test_caches_of_one_job_are_found_by_another_on_another_machine(
    act: Act, cache_service: CacheService, empty_engine: Mapping[str, str]
) -> None:
    # act gives the variables of its own services to every step. Here JavaScript actions alone get those of the tests'
    # service, as from GitHub's runner: the program `node` adds them.
    variables = cache_service.variables()
    ran = act.run(_workflow("caches.yml"), javascript=variables, OTHER_ENGINE=empty_engine["DOCKER_HOST"])
    assert ran.code == 0, ran.log
    assert ran.read("run") == ""
    image = f"{act.registry}/{act.folder.name.lower()}"
    assert ran.read("build") == served_digest(image, "build")
    assert json.loads(ran.read("bake")) == {"default": {"0": served_digest(image, "bake")}}
    # The build of a `run` step has stored nothing.
    assert [key.partition("-1-")[0] for key in cache_service.keys("index-")] == ["index-buildkit", "index-bake"]
    assert ran.read("found") == tar_digest(ran.left / "found.tar")
    assert set(cache_service.layers()) == {each for each in cache_service.downloads if each.startswith("sha256:")}
    assert variables["ACTIONS_RUNTIME_TOKEN"] not in ran.log.replace(
        f"::add-mask::{variables['ACTIONS_RUNTIME_TOKEN']}", ""
    )
    assert cache_service.refused == []


_TWO_BUILDS = """
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: ./
        with:
          context: .
          outputs: type=oci,dest=first.tar
          cache-to: type=gha,mode=max
      - uses: ./
        env:
          DOCKER_HOST: ${{ env.OTHER_ENGINE }}
        with:
          context: .
          outputs: type=oci,dest=second.tar
          cache-from: type=gha
      - run: mv first.tar second.tar "$LEFT/"
"""


@pytest.mark.parametrize("has_token", [True, False])
def test_act_keeps_caches_in_its_own_server_if_it_also_runs_its_artifact_server(
    act: Act, empty_engine: Mapping[str, str], *, has_token: bool
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    caches = act.folder / "caches"
    options = ["--cache-server-addr", "127.0.0.1", "--cache-server-path", str(caches)]
    if has_token:
        # act 0.2.89 sets ACTIONS_RUNTIME_TOKEN with its artifact server alone, and ACTIONS_CACHE_URL always.
        artifacts = str(act.folder / "artifacts")
        options += ["--artifact-server-path", artifacts, "--artifact-server-addr", "127.0.0.1"]
        options += ["--artifact-server-port", port]
    ran = act.run(_TWO_BUILDS, options=tuple(options), OTHER_ENGINE=empty_engine["DOCKER_HOST"])
    assert ran.code == 0, ran.log
    # One layer and the index.
    assert len([each for each in caches.glob("cache/*/*") if each.is_file()]) == (2 if has_token else 0)
    second = ran.log.split("Run Main ./")[2]
    assert bool(re.search(r"\| #\d+ (?:CACHED$|sha256:)", second, re.MULTILINE)) == has_token, second
    for name in ("first", "second"):
        assert f"::set-output:: digest={tar_digest(ran.left / f'{name}.tar')}" in ran.log
