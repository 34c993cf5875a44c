"""Builds as docker/build-push-action's own CI has them (7.x, .github/workflows/ci.yml), one kind of use after another.

No registry of images can be reached, so base images are made here. Other files have its jobs on outputs, caches,
secrets, annotations of build checks and summaries. Its `sbom: true` needs Docker's scanner image: here a scanner of
two lines takes its place. Its jobs with `type=gha` caches are in test_cache_gha.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import Step, Workplace, lines
from tests.engine.git_server import GitServer, git_server
from tests.engine.other_end import image_manifests, served, served_digest
from tests.input_coverage import cannot_use

_HELLO = "FROM scratch\nCOPY hello.txt /hello.txt\n"
_IN_TOTO = "application/vnd.in-toto+json"


def shell(*commands: str, base: str = "scratch") -> str:
    """A Dockerfile whose commands run in busybox, each with `busybox` in front, and write what they print to /seen."""
    script = "; ".join(f"/bin/busybox {command}" for command in commands)
    return (
        f"FROM {base} AS ran\nCOPY busybox /bin/busybox\nARG HTTP_PROXY\nARG HTTPS_PROXY\n"
        f"RUN {json.dumps(['/bin/busybox', 'sh', '-c', f'({script}) > /seen'])}\n"
        "FROM scratch\nCOPY --from=ran /seen /\n"
    )


def built(step: Step) -> Step:
    assert step.code == 0, step.log
    return step


def seen(work: Workplace) -> str:
    """What the commands of a build printed."""
    return (work.folder / "out" / "seen").read_text()


@pytest.mark.usefixtures("busybox")
def test_options_of_run_reach_the_build(work: Workplace) -> None:
    commands = ("df -k /dev/shm", "sh -c 'ulimit -n; ulimit -u'", "cat /etc/hosts")
    (work.folder / "Dockerfile").write_text(shell(*commands))
    built(
        work.step(
            outputs="out",
            network="host",
            shm_size="2g",
            ulimit=lines("nofile=1024:1024", "nproc=3000"),
            add_hosts=lines("docker:10.180.0.1", "foo:10.0.0.1"),
            cgroup_parent="foo",
        )
    )
    text = seen(work)
    assert "2097152" in text
    assert "\n1024\n3000\n" in text
    assert {"10.180.0.1\tdocker", "10.0.0.1\tfoo"} <= set(text.splitlines())


@pytest.mark.usefixtures("busybox")
def test_a_stage_that_no_cache_filters_names_is_built_anew_and_no_other(work: Workplace) -> None:
    one, other = (json.dumps(["/bin/busybox", "cp", "/proc/sys/kernel/random/uuid", path]) for path in ("/1", "/2"))
    (work.folder / "Dockerfile").write_text(
        f"FROM scratch AS base\nCOPY busybox /bin/busybox\nRUN {one}\n"
        f"FROM base AS build\nRUN {other}\n"
        "FROM scratch\nCOPY --from=base /1 /base\nCOPY --from=build /2 /build\n"
    )
    first, second = work.folder / "first", work.folder / "second"
    built(work.step(outputs="first", network="none"))
    built(work.step(outputs="second", network="none", no_cache_filters="build"))
    assert (first / "base").read_text() == (second / "base").read_text()
    assert (first / "build").read_text() != (second / "build").read_text()


@pytest.mark.usefixtures("busybox")
def test_secrets_of_all_three_inputs_reach_the_build_beside_invalid_ones(work: Workplace) -> None:
    mounts = " ".join(f"--mount=type=secret,id={name}" for name in ("ONE", "TWO", "THREE"))
    command = json.dumps(["/bin/busybox", "sh", "-c", "/bin/busybox sha256sum /run/secrets/* > /seen"])
    (work.folder / "Dockerfile").write_text(
        f"FROM scratch AS ran\nCOPY busybox /bin/busybox\nRUN {mounts} {command}\n"
        "FROM scratch\nCOPY --from=ran /seen /\n"
    )
    (work.folder / "secret.txt").write_text("foo")
    work.environment = {**work.environment, "ENV_SECRET": "foo"}
    step = built(
        work.step(
            outputs="out",
            network="none",
            secrets=lines("ONE=foo", "INVALID_SECRET="),
            secret_envs=lines("TWO=ENV_SECRET", "INVALID_SECRET="),
            secret_files=lines("THREE=./secret.txt", "INVALID_SECRET="),
        )
    )
    # sha256sum of `foo`
    digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    assert [line.split()[0] for line in seen(work).splitlines()] == [digest] * 3
    warnings = [line for line in step.log.splitlines() if line.startswith("::warning::")]
    assert [warning.count("INVALID_SECRET") for warning in warnings] == [1, 1, 1]


@pytest.mark.usefixtures("busybox")
def test_an_image_in_the_engine_is_a_named_context(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY busybox /bin/busybox\nCOPY hello.txt /hello.txt\n")
    tag = f"{work.name}:local"
    built(work.step(load="true", tags=tag))
    try:
        (work.folder / "named.Dockerfile").write_text(shell("cat /hello.txt", base="base"))
        built(
            work.step(
                file="named.Dockerfile", build_contexts=f"base=docker-image://{tag}", outputs="out", network="none"
            )
        )
    finally:
        work.docker("image", "rm", tag)
    assert seen(work) == (work.folder / "hello.txt").read_text()


@pytest.mark.usefixtures("busybox")
def test_an_image_in_a_registry_is_a_named_context_that_pins_a_base_image(work: Workplace) -> None:
    built(work.step(push="true", tags=f"{work.image}:edge"))
    (work.folder / "named.Dockerfile").write_text(shell("cat /hello.txt", base="alpine"))
    context = f"alpine=docker-image://{work.image}:edge"
    built(work.step(file="named.Dockerfile", build_contexts=context, outputs="out", network="none"))
    assert seen(work) == (work.folder / "hello.txt").read_text()


@pytest.fixture
def docker_config(work: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file config.json of a Docker configuration of its own, with the plugins of the real one."""
    real = Path(work.environment.get("DOCKER_CONFIG") or Path.home() / ".docker")
    folder = tmp_path_factory.mktemp("config")
    if (real / "cli-plugins").is_dir():
        (folder / "cli-plugins").symlink_to(real / "cli-plugins")
    work.environment = {**work.environment, "DOCKER_CONFIG": str(folder)}
    return folder / "config.json"


def test_a_malformed_docker_configuration_breaks_no_build(work: Workplace, docker_config: Path) -> None:
    docker_config.write_text("foo_bar\n")
    step = built(work.step(push="true", tags=f"{work.image}:1"))
    assert step.outputs["digest"] == served_digest(work.image, "1")


@pytest.mark.usefixtures("busybox")
def test_the_proxy_of_the_docker_configuration_reaches_the_build(work: Workplace, docker_config: Path) -> None:
    proxy = {"httpProxy": "http://127.0.0.1:3128", "httpsProxy": "http://127.0.0.1:3129"}
    docker_config.write_text(json.dumps({"proxies": {"default": proxy}}))
    (work.folder / "Dockerfile").write_text(shell("echo $HTTP_PROXY", "echo $HTTPS_PROXY"))
    built(work.step(outputs="out", network="none"))
    assert seen(work) == "http://127.0.0.1:3128\nhttp://127.0.0.1:3129\n"


@pytest.mark.usefixtures("busybox")
def test_a_multi_platform_image_with_two_tags_and_annotations(work: Workplace) -> None:
    run = json.dumps(["/bin/busybox", "sh", "-c", "echo for $TARGETPLATFORM > /log"])
    (work.folder / "Dockerfile").write_text(
        "FROM --platform=$BUILDPLATFORM scratch AS build\nARG TARGETPLATFORM\nCOPY busybox /bin/busybox\n"
        f"RUN {run}\nFROM scratch\nCOPY --from=build /log /log\n"
    )
    step = built(
        work.step(
            builder="default",
            platforms="linux/amd64,linux/arm64",
            push="true",
            network="none",
            tags=lines(f"{work.image}:latest", f"{work.image}:1.0.0"),
            annotations=lines(
                "index:com.example.key=value", "index:com.example.key2=value2", "manifest:com.example.key3=value3"
            ),
        )
    )
    digest, index = served(work.image, "1.0.0")
    assert step.outputs["digest"] == digest == served_digest(work.image, "latest")
    assert index["annotations"] == {"com.example.key": "value", "com.example.key2": "value2"}
    manifests = image_manifests(index)
    assert [each["platform"]["architecture"] for each in manifests] == ["amd64", "arm64"]
    for each in manifests:
        assert served(work.image, each["digest"])[1]["annotations"]["com.example.key3"] == "value3"


def attestations(image: str, tag: str) -> list[str]:
    """The predicate types of the attestations that a registry serves with an image."""
    _, index = served(image, tag)
    found = [each for each in index.get("manifests", []) if each["platform"]["os"] == "unknown"]
    layers = [layer for each in found for layer in served(image, each["digest"])[1]["layers"]]
    assert all(layer["mediaType"] == _IN_TOTO for layer in layers)
    return [layer["annotations"]["in-toto.io/predicate-type"] for layer in layers]


@pytest.mark.parametrize(
    ("value", "expected"), [("mode=max", 1), ("builder-id=foo", 1), ("true", 1), ("", 1), ("false", 0)]
)
def test_provenance_is_what_the_input_says(work: Workplace, value: str, expected: int) -> None:
    step = built(work.step(push="true", tags=f"{work.image}:1", provenance=value))
    assert step.outputs["digest"] == served_digest(work.image, "1")
    found = attestations(work.image, "1")
    assert len(found) == expected
    assert all(each.startswith("https://slsa.dev/provenance/") for each in found)
    material = json.loads(step.outputs["metadata"]).get("buildx.build.provenance", {})
    if value == "builder-id=foo":
        assert material["builder"]["id"] == "foo"


def test_the_environment_turns_default_attestations_off(work: Workplace) -> None:
    work.environment = {**work.environment, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    step = built(work.step(push="true", tags=f"{work.image}:1"))
    digest, manifest = served(work.image, "1")
    assert step.outputs["digest"] == digest
    assert "layers" in manifest


def test_an_sbom_is_attached_to_an_image_and_lies_beside_files(work: Workplace, scanner: str) -> None:
    # BuildKit runs a scanner in the engine's default network, and a private engine has none: see engine/docker.py.
    inputs = {"sbom": f"generator={scanner}", "network": "none"}
    image = work.step(outputs=f"type=image,name={work.image}:1,push=true", **inputs)
    if "network bridge not found" in image.log:
        cannot_use("build: sbom: generator", "build: attests: sbom")
        pytest.skip("this engine has no network for a scanner")
    assert built(image).outputs["digest"] == served_digest(work.image, "1")
    assert "https://spdx.dev/Document" in attestations(work.image, "1")
    built(work.step(push="true", tags=f"{work.image}:2", attests=f"type=sbom,generator={scanner}", network="none"))
    assert "https://spdx.dev/Document" in attestations(work.image, "2")
    built(work.step(outputs="out", **inputs))
    assert json.loads((work.folder / "out/sbom.spdx.json").read_text())["predicateType"] == "https://spdx.dev/Document"


def test_provenance_lies_beside_files(work: Workplace) -> None:
    built(work.step(outputs="out", provenance="mode=max"))
    statement = json.loads((work.folder / "out/provenance.json").read_text())
    assert statement["predicateType"].startswith("https://slsa.dev/provenance/")


_PLUGINS = (
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
)


def test_buildx_without_a_docker_command_is_enough(work: Workplace, tmp_path_factory: pytest.TempPathFactory) -> None:
    config = Path(work.environment.get("DOCKER_CONFIG") or Path.home() / ".docker")
    folders = [config / "cli-plugins", *map(Path, _PLUGINS)]
    plugin = next((folder / "docker-buildx" for folder in folders if (folder / "docker-buildx").is_file()), None)
    if plugin is None:
        pytest.skip("buildx is not where plugins of docker are")
    programs = tmp_path_factory.mktemp("programs")
    (programs / "buildx").symlink_to(plugin.resolve())
    work.environment = {**work.environment, "PATH": str(programs)}
    step = built(work.step(push="true", tags=f"{work.image}:1"))
    assert step.outputs["digest"] == served_digest(work.image, "1")
    (work.folder / "bake.hcl").write_text('target "default" {}')
    bake = built(work.bake_step(source=".", set=f"*.tags={work.image}:2", push="true", files="bake.hcl"))
    assert json.loads(bake.outputs["digests"]) == {"default": {"0": served_digest(work.image, "2")}}


@pytest.fixture
def repository(work: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    """A repository on a server; nothing of it is in the step's own folder."""
    files = {"Dockerfile": _HELLO, "hello.txt": work.name, "sub/Dockerfile": _HELLO, "sub/hello.txt": "sub"}
    with git_server(tmp_path_factory.mktemp("git"), files) as git:
        (work.folder / "Dockerfile").unlink()
        work.environment = {**work.environment, **git.environment}
        yield git


@pytest.mark.parametrize("query", [False, True])
def test_without_a_context_the_repository_is_built_at_the_events_commit(
    work: Workplace, repository: GitServer, *, query: bool
) -> None:
    if query:
        work.environment = {**work.environment, "BUILDX_SEND_GIT_QUERY_AS_INPUT": "true"}
    step = built(work.step(context="", push="true", tags=lines(f"{work.image}:latest", f"{work.image}:1.0.0")))
    assert step.outputs["digest"] == served_digest(work.image, "1.0.0")
    assert repository.requests
    source = json.loads(step.outputs["metadata"])["buildx.build.provenance"]["invocation"]["configSource"]
    assert repository.commit in json.dumps(source)


def test_a_folder_of_the_repository_is_built_by_the_default_context(work: Workplace, repository: GitServer) -> None:
    built(work.step(context="{{defaultContext}}:sub", outputs="out"))
    assert (work.folder / "out/hello.txt").read_text() == "sub"
    assert repository.requests


@pytest.mark.parametrize("by", ["github_token", "secrets"])
def test_a_private_repository_is_read_with_the_token(work: Workplace, repository: GitServer, by: str) -> None:
    repository.token = "ghs_of_this_test"
    secrets = lines('"MYSECRET=aaaa', "", 'bbbb"', "FOO=bar")
    if by == "secrets":
        secrets = lines("GIT_AUTH_TOKEN=ghs_of_this_test", secrets)
    inputs = {"github_token": repository.token} if by == "github_token" else {}
    step = built(work.step(context="", outputs="out", secrets=secrets, **inputs))
    assert (work.folder / "out/hello.txt").read_text() == work.name
    assert f"::add-mask::{repository.token}" in step.log
    assert repository.token not in step.log.replace(f"::add-mask::{repository.token}", "")


def test_without_the_token_a_private_repository_fails_the_step(work: Workplace, repository: GitServer) -> None:
    repository.token = "ghs_of_this_test"
    step = work.step(context="", outputs="out")
    assert step.code == 1
    assert "::error::buildx failed with: ERROR: " in step.log
    assert not repository.requests


@pytest.mark.parametrize("action", ["build", "bake"])
def test_an_engine_that_is_stopped_fails_the_step(work: Workplace, action: str) -> None:
    work.environment = {**work.environment, "DOCKER_HOST": f"unix://{work.folder}/nothing.sock"}
    (work.folder / "docker-bake.hcl").write_text('target "default" { output = ["out"] }')
    step = work.bake_step(source=".") if action == "bake" else work.step()
    assert step.code == 1
    assert "::error::no Docker engine answers" in step.log
    assert not os.path.lexists(work.folder / "out")
