"""What ordinary workflows do that docker/build-push-action only warns of: the build goes on."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from action.buildx.builder import find_driver
from tests.engine.conftest import Workplace, fake_docker, lines
from tests.engine.other_end import served, served_digest


def _warnings(log: str) -> list[str]:
    return [line.removeprefix("::warning::") for line in log.splitlines() if line.startswith("::warning::")]


def test_a_pull_request_from_a_fork_builds_without_its_secrets(work: Workplace) -> None:
    step = work.step(
        tags=f"{work.image}:fork",
        push="true",
        secrets=lines("NPM_TOKEN=", "KEY="),
        secret_files=lines("npmrc=./.npmrc", "empty="),
        secret_envs="SENTRY=",
    )
    assert step.code == 0, step.log
    assert step.digests == {"0": served_digest(work.image, "fork")}
    assert _warnings(step.log) == [
        "secret-envs: SENTRY has no value and is not passed to the build",
        "secrets: NPM_TOKEN has no value and is not passed to the build",
        "secrets: KEY has no value and is not passed to the build",
        "secret-files: empty has no value and is not passed to the build",
        "secret-files: the file of npmrc does not exist and is not passed to the build",
    ]


@pytest.mark.usefixtures("busybox")
def test_secrets_that_are_there_reach_the_build_beside_those_that_are_not(work: Workplace) -> None:
    (work.folder / "token.txt").write_text("from-a-file")
    mounts = " ".join(f"--mount=type=secret,id={name}" for name in ("one", "two", "three", "NOT_HERE"))
    script = "cd /run/secrets; /busybox cat one two three > /seen; /busybox ls > /found"
    (work.folder / "Dockerfile").write_text(
        "FROM scratch AS build\nCOPY busybox /busybox\n"
        f'RUN --network=none {mounts} ["/busybox", "sh", "-c", "{script}"]\n'
        "FROM scratch\nCOPY --from=build /seen /found /\n"
    )
    work.environment = {**work.environment, "MY_TOKEN": "from-a-variable"}
    step = work.step(
        outputs="out",
        secrets=lines("one=-----first-----", "second-line-of-it", "NOT_HERE="),
        secret_files="two=token.txt",
        secret_envs="three=MY_TOKEN",
    )
    assert step.code == 0, step.log
    assert (work.folder / "out/seen").read_text() == "-----first-----from-a-filefrom-a-variable"
    assert (work.folder / "out/found").read_text().split() == ["one", "three", "two"]
    warnings = _warnings(step.log)
    assert warnings[0] == (
        "secrets: entry 2 is not KEY=VALUE and not passed to the build; "
        "if that is a part of the value of one, put the whole entry in double quotes"
    )
    shown = [line for line in step.log.splitlines() if not line.startswith("::add-mask::")]
    assert "second-line-of-it" not in "\n".join(shown)
    assert "::add-mask::second-line-of-it" in step.log


def test_an_input_that_is_not_declared_is_a_warning(work: Workplace) -> None:
    # GitHub's runner hands it to a composite action in toJSON(inputs); act 0.2.89 leaves it out.
    step = work.step(tags=f"{work.image}:1", push="true", platform="linux/amd64", secret="KEY=hunter2")
    assert step.code == 0, step.log
    assert step.digests == {"0": served_digest(work.image, "1")}
    assert _warnings(step.log) == [
        "platform: this action has no such input, so it is ignored; did you mean platforms?",
        "secret: this action has no such input, so it is ignored; did you mean secrets?",
    ]
    assert "hunter2" not in step.log


def test_an_input_that_is_not_declared_is_a_warning_of_bake_and_merge_too(work: Workplace) -> None:
    (work.folder / "docker-bake.hcl").write_text(
        f'target "default" {{ output = [{{ type = "image", name = "{work.image}:1", push = "true" }}] }}\n'
    )
    step = work.bake_step(source=".", target="default")
    assert step.code == 0, step.log
    assert "::warning::target: this action has no such input, so it is ignored; did you mean targets?" in step.log
    assert json.loads(step.outputs["digests"]) == {"default": {"0": served_digest(work.image, "1")}}
    work.job("one", f"type=image,name={work.image},push=true")
    merged = work.merge_step(tags=f"{work.image}:2", platforms="linux/amd64")
    assert merged.code == 0, merged.log
    assert "::warning::platforms: this action has no such input, so it is ignored; " in merged.log
    assert merged.outputs["digest"] == served_digest(work.image, "2")


def test_the_docker_driver_builds_once_with_buildxs_own_default_provenance(work: Workplace) -> None:
    step = work.step(tags=f"{work.image}:ours", push="true")
    assert step.code == 0, step.log
    bare = work.folder / "bare.json"
    work.docker("buildx", "build", "-t", f"{work.image}:bare", "--push", "--metadata-file", str(bare), str(work.folder))
    ours, theirs = json.loads(step.outputs["metadata"]), json.loads(bare.read_text())
    assert _provenance(ours) == _provenance(theirs)
    assert len(served(work.image, "ours")[1]["manifests"]) == len(served(work.image, "bare")[1]["manifests"])
    assert step.log.count("[internal] load build definition") == 1


def _provenance(metadata: dict[str, object]) -> list[str]:
    """What of a provenance depends on its mode: the names of its parts."""
    provenance = metadata.get("buildx.build.provenance")
    assert isinstance(provenance, dict)
    return sorted(provenance)


@pytest.mark.parametrize("text", ["yes", ""])
def test_a_boolean_of_the_environment_that_is_none_counts_as_false(work: Workplace, text: str) -> None:
    # buildx itself fails there: invalid BUILDX_NO_DEFAULT_ATTESTATIONS.
    work.environment = {**work.environment, "BUILDX_NO_DEFAULT_ATTESTATIONS": text, "DOCKER_BUILD_SUMMARY": text}
    step = work.step(tags=f"{work.image}:1", push="true")
    assert step.code == 0, step.log
    assert len(served(work.image, "1")[1]["manifests"]) == 2


_OLD = """for argument; do
  [ "$argument" = {} ] && {{ echo "unknown flag: {}" >&2; echo "See 'docker buildx build --help'." >&2; exit 125; }}
done
"""
"""What docker prints for an option that the plugin does not know, as with buildx 0.11 and --annotation."""


def test_what_buildx_is_too_old_for_is_left_out_with_a_warning(work: Workplace) -> None:
    old = "".join(_OLD.format(option, option) for option in ("--annotation", "--attest"))
    fake_docker(work, old + f'echo run >> {work.folder}/runs\nexec "$REAL" "$@"')
    label = "a=--annotation"
    step = work.step(
        tags=f"{work.image}:1", push="true", annotations=lines("one=1", "two=2"), provenance="mode=max", labels=label
    )
    assert step.code == 0, step.log
    digest, _ = served(work.image, "1")
    assert step.digests == {"0": digest}
    assert _warnings(step.log) == [
        "annotations need buildx 0.12 or later; the input annotations is ignored",
        "attestations need buildx 0.10 or later; the inputs attests, provenance and sbom are ignored",
    ]


@pytest.fixture
def own_config(work: Workplace) -> Workplace:
    """A folder of docker's and buildx's files that no other test uses."""
    config = work.folder / "config"
    shutil.copytree(Path(work.environment["DOCKER_CONFIG"]) / "cli-plugins", config / "cli-plugins", symlinks=True)
    work.environment = {**work.environment, "DOCKER_CONFIG": str(config)}
    return work


@pytest.fixture
def second_address(work: Workplace) -> Iterator[str]:
    """Another address of the same engine."""
    scheme, _, path = work.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock").partition("://")
    if scheme != "unix":
        pytest.skip("the engine has no Unix socket")
    # A short path: that of a Unix socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="bd-", dir="/tmp") as folder:
        Path(folder, "link").symlink_to(path)
        yield f"unix://{folder}/link"


def test_a_builders_driver_is_read_from_buildxs_files_as_buildx_says_it(
    own_config: Workplace, second_address: str
) -> None:
    work = own_config
    host = work.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock")

    def check(builder: str = "", **environment: str) -> None:
        original, work.environment = work.environment, {**work.environment, **environment}
        told = work.docker("buildx", "inspect", *((builder,) if builder else ()))
        (driver,) = [line.split()[1] for line in told.splitlines() if line.startswith("Driver:")]
        assert find_driver(work.environment, builder) == driver, told
        work.environment = original

    check()
    check("default")
    work.docker("buildx", "create", "--name", "Far", "--driver", "remote", "tcp://127.0.0.1:1")
    work.docker("buildx", "create", "--name", "box", "--driver", "docker-container")
    check()
    check("Far")
    check(BUILDX_BUILDER="box")
    work.docker("buildx", "use", "box")
    check()
    check("default")
    check(DOCKER_HOST=second_address)
    work.docker("buildx", "use", "--global", "far")
    check()
    check(DOCKER_HOST=second_address)
    work.docker("buildx", "use", "--default", "box")
    check()
    work.docker("buildx", "rm", "box")
    check()
    # A context is no builder of the default one, and has a current builder of its own.
    work.docker("context", "create", "elsewhere", "--docker", f"host={host}")
    elsewhere = {name: value for name, value in work.environment.items() if name != "DOCKER_HOST"}
    work.environment = {**elsewhere, "DOCKER_CONTEXT": "elsewhere"}
    check()
    work.docker("buildx", "use", "far")
    check()
    check("elsewhere")


def test_another_driver_gets_the_peers_default_provenance(own_config: Workplace) -> None:
    work = own_config
    work.docker("buildx", "create", "--name", "far", "--driver", "remote", "--use", "tcp://127.0.0.1:1")
    inputs = {"INPUTS": json.dumps({"context": "."})}
    done = work.python("-m", "action", "action", "build", "--dry-run", environment={**work.environment, **inputs})
    # Outside of a workflow run nothing says that the repository is public.
    assert json.loads(done.stdout) == ["build", "--attest", "type=provenance,mode=min,inline-only=true", "."]
    inputs = {"INPUTS": json.dumps({"context": ".", "builder": "default"})}
    done = work.python("-m", "action", "action", "build", "--dry-run", environment={**work.environment, **inputs})
    assert json.loads(done.stdout) == ["build", "--builder", "default", "."]
