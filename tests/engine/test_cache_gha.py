"""Caches of `type=gha` in a cache service of GitHub's on loopback, through the launcher, as GitHub's runner starts it.

The runner's rule is enforced: the variables of the cache service are in the launcher's environment alone. Each second
build runs on an engine that has none of the layers.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.cache_service import PULL_REQUEST, READ_ONLY, CacheService
from tests.engine.conftest import STAGES, Launched, Step, Workplace, cached_steps, lines
from tests.engine.other_end import served, served_digest, tar_digest

_RECORDER = """#!/bin/sh
{{ echo "$$ $PPID {name} $*"; /usr/bin/env; }} > {folder}/$$.{name}
exec {real} "$@"
"""


@dataclass(frozen=True)
class Recorded:
    """A program that ran: its number, that of the program that started it, its command line, and its environment."""

    process: str
    parent: str
    command: str
    environment: str = field(repr=False)

    @classmethod
    def read(cls, report: Path) -> Recorded:
        first, _, environment = report.read_text().partition("\n")
        process, parent, command = first.split(" ", 2)
        return cls(process, parent, command, environment)

    def has(self, *texts: str) -> bool:
        """Return whether one of the texts is in its environment."""
        return any(each in self.environment for each in texts)


def index_of(scope: str) -> str:
    """The start of the key of a cache's index (moby/buildkit 0.34, cache/remotecache/gha/gha.go, indexKey)."""
    return f"index-{scope}-1-"


def layer_digests(image: str, reference: str) -> set[str]:
    """The digests of the layers of an image, which may be an index with attestations."""
    _, document = served(image, reference)
    if "manifests" in document:
        _, document = served(image, document["manifests"][0]["digest"])
    return {each["digest"] for each in document["layers"]}


def bake_file(job: Launched, cache_to: Mapping[str, str], cache_from: Mapping[str, str] | None = None) -> None:
    """Write a definition with one target for each cache."""
    target = {
        name: {
            "tags": [f"{job.work.image}:{name}"],
            "args": {"NAME": name},
            "output": ["type=registry", f"type=oci,dest={name}.tar,id=archive"],
            "cache-to": [text],
            "cache-from": [cache_from[name]] if cache_from else [],
        }
        for name, text in cache_to.items()
    }
    definition = {"group": {"default": {"targets": sorted(target)}}, "target": target}
    (job.work.folder / "docker-bake.json").write_text(json.dumps(definition))


def test_a_build_stores_a_cache_and_a_build_on_another_machine_finds_it(
    job: Launched, later: Launched, cache_service: CacheService
) -> None:
    image = job.work.image
    cache = {"cache_to": "type=gha", "cache_from": "type=gha"}
    step = job.built(push="true", tags=f"{image}:1", require_digests="true", **cache)
    assert step.digests == {"0": served_digest(image, "1")}
    assert cached_steps(step) == 0
    assert len(cache_service.keys(index_of("buildkit"))) == 1
    assert layer_digests(image, "1") == set(cache_service.layers())
    again = later.built(push="true", tags=f"{image}:2", require_digests="true", **cache)
    assert "importing cache manifest from gha" in again.log
    assert cached_steps(again) == 3, again.log
    assert again.digests == {"0": served_digest(image, "2")}
    assert layer_digests(image, "2") == layer_digests(image, "1")
    assert set(cache_service.layers()) <= set(cache_service.downloads)


def test_several_outputs_get_each_its_digest_from_a_cached_build(job: Launched, later: Launched) -> None:
    for each, cached in ((job, 0), (later, 3)):
        outputs = lines(f"type=image,name={each.work.image}:1,push=true,id=release", "type=oci,dest=oci.tar")
        step = each.built(outputs=outputs, require_digests="true", cache_from="type=gha", cache_to="type=gha")
        tar = tar_digest(each.work.folder / "oci.tar")
        assert step.digests == {"release": served_digest(each.work.image, "1"), "1": tar}
        assert cached_steps(step) == cached, step.log


@pytest.mark.parametrize(("mode", "layers"), [("min", 2), ("max", 3)])
def test_mode_max_stores_the_layers_of_all_stages(
    job: Launched, cache_service: CacheService, mode: str, layers: int
) -> None:
    step = job.built(push="true", tags=f"{job.work.image}:1", cache_to=f"type=gha,mode={mode}")
    assert step.digests == {"0": served_digest(job.work.image, "1")}
    assert len(cache_service.layers()) == layers


def test_with_mode_max_a_stage_that_is_in_no_image_is_found(job: Launched, later: Launched) -> None:
    job.built(push="true", tags=f"{job.work.image}:1", cache_to="type=gha,mode=max")
    again = later.built(target="base", outputs="type=oci,dest=base.tar", cache_from="type=gha", require_digests="true")
    assert cached_steps(again) == 1, again.log
    assert again.digests == {"0": tar_digest(later.work.folder / "base.tar")}


def test_a_layer_of_several_blocks_arrives_unchanged(
    job: Launched, later: Launched, cache_service: CacheService
) -> None:
    # Azure's client uploads up to 1 MiB at once, and more in blocks of 1 MiB (azblob 1.5, blockblob/models.go).
    for each in (job, later):
        each.work.folder.joinpath("Dockerfile").write_text("FROM scratch\nCOPY large /large\n")
    large = os.urandom(3_500_000)
    for each in (job, later):
        (each.work.folder / "large").write_bytes(large)
    job.built(push="true", tags=f"{job.work.image}:1", cache_to="type=gha")
    assert cache_service.blobs.count("PUT block") >= 3
    again = later.built(outputs="type=local,dest=out", cache_from="type=gha")
    assert cached_steps(again) == 1
    assert (later.work.folder / "out/large").read_bytes() == large


def test_caches_of_several_scopes_are_separate(job: Launched, later: Launched, cache_service: CacheService) -> None:
    job.built(push="true", tags=f"{job.work.image}:1", cache_to="type=gha,scope=app")
    assert len(cache_service.keys(index_of("app"))) == 1
    assert cache_service.keys(index_of("buildkit")) == []
    assert cached_steps(later.built(outputs="type=local,dest=out", cache_from="type=gha,scope=web")) == 0


def test_the_scope_of_a_cache_is_read_again(job: Launched, later: Launched) -> None:
    job.built(push="true", tags=f"{job.work.image}:1", cache_to="type=gha,scope=app")
    assert cached_steps(later.built(outputs="type=local,dest=out", cache_from="type=gha,scope=app")) == 3


def test_a_bake_stores_a_cache_for_each_target_and_finds_each_again(
    job: Launched, later: Launched, cache_service: CacheService
) -> None:
    scopes = {"api": "type=gha,scope=api", "web": "type=gha,scope=web,mode=max"}
    # Layers of one target must not be those of the other.
    dockerfile = "FROM scratch AS base\nARG NAME\nCOPY $NAME.txt /base.txt\n"
    dockerfile += "FROM scratch\nARG NAME\nCOPY $NAME.txt /hello.txt\nCOPY --from=base /base.txt /copied.txt\n"
    for each, cached in ((job, 0), (later, 6)):
        (each.work.folder / "Dockerfile").write_text(dockerfile)
        for name in scopes:
            (each.work.folder / f"{name}.txt").write_text(f"{name} of {job.work.name}")
        bake_file(each, scopes, {name: text.partition(",mode")[0] for name, text in scopes.items()})
        step = each.built("bake", require_digests="true")
        assert json.loads(step.outputs["digests"]) == {
            name: {
                "0": served_digest(each.work.image, name),
                "archive": tar_digest(each.work.folder / f"{name}.tar"),
            }
            for name in scopes
        }
        assert cached_steps(step) == cached, step.log
    for name in scopes:
        assert cache_service.keys(index_of(name))


def test_the_set_of_a_bake_gives_all_targets_a_cache(
    job: Launched, later: Launched, cache_service: CacheService
) -> None:
    definition = {"target": {"default": {"tags": [f"{job.work.image}:1"], "output": ["type=registry"]}}}
    for each, cached in ((job, 0), (later, 3)):
        (each.work.folder / "docker-bake.json").write_text(json.dumps(definition))
        step = each.built("bake", set=lines("*.cache-to=type=gha,mode=max", "*.cache-from=type=gha"))
        assert json.loads(step.outputs["digests"]) == {"default": {"0": served_digest(job.work.image, "1")}}
        assert cached_steps(step) == cached, step.log
    assert cache_service.keys(index_of("buildkit"))


def test_of_two_targets_with_one_scope_only_one_cache_is_found(
    job: Launched, later: Launched, cache_service: CacheService
) -> None:
    names = ("api", "web")
    for each in (job, later):
        (each.work.folder / "Dockerfile").write_text("FROM scratch\nARG NAME\nCOPY $NAME.txt /\n")
        for name in names:
            (each.work.folder / f"{name}.txt").write_text(f"{name} of {job.work.name}")
        bake_file(each, dict.fromkeys(names, "type=gha"), dict.fromkeys(names, "type=gha"))
    job.built("bake", require_digests="true")
    assert len(cache_service.keys(index_of("buildkit"))) == 2
    assert cached_steps(later.built("bake", require_digests="true")) == 1


def test_a_cache_is_replaced_by_that_of_the_next_build(
    job: Launched, later: Launched, cache_service: CacheService
) -> None:
    job.built(push="true", tags=f"{job.work.image}:1", cache_to="type=gha")
    for each in (job, later):
        (each.work.folder / "hello.txt").write_text("changed")
    job.built(push="true", tags=f"{job.work.image}:1", cache_to="type=gha")
    # An entry never changes: each index has a key of its own, and the newest one is found.
    first, second = cache_service.keys(index_of("buildkit"))
    assert (first.partition("#")[2], second.partition("#")[2]) == ("1", "2")
    again = later.built(outputs="type=local,dest=out", cache_from="type=gha")
    assert cached_steps(again) == 3
    assert (later.work.folder / "out/hello.txt").read_text() == "changed"


# The jobs of docker/build-push-action 7.3 and docker/bake-action 7.1 with such caches (.github/workflows/ci.yml)


@pytest.mark.usefixtures("busybox")
def test_no_cache_filters_builds_a_stage_that_is_in_the_cache_anew(
    job: Launched, tmp_path: Path, empty_engine: Mapping[str, str]
) -> None:
    one, other = (json.dumps(["/bin/busybox", "cp", "/proc/sys/kernel/random/uuid", path]) for path in ("/1", "/2"))
    (job.work.folder / "Dockerfile").write_text(
        f"FROM scratch AS base\nCOPY busybox /bin/busybox\nRUN --network=none {one}\n"
        f"FROM base AS build\nRUN --network=none {other}\n"
        "FROM scratch\nCOPY --from=base /1 /base\nCOPY --from=build /2 /build\n"
    )
    later = job.on_another_engine(tmp_path.with_name(f"{tmp_path.name}-later"), empty_engine)
    caches = {"cache_from": "type=gha,scope=nocachefilter", "cache_to": "type=gha,scope=nocachefilter,mode=max"}
    for each in (job, later):
        each.built(outputs="out", no_cache_filters="build", **caches)
    first, second = job.work.folder / "out", later.work.folder / "out"
    assert (first / "base").read_text() == (second / "base").read_text()
    assert (first / "build").read_text() != (second / "build").read_text()


def test_an_image_of_several_platforms_and_tags_is_found(job: Launched, later: Launched) -> None:
    for each, cached in ((job, 0), (later, 2)):
        (each.work.folder / "Dockerfile").write_text("FROM scratch\nARG TARGETARCH\nCOPY hello.txt /$TARGETARCH.txt\n")
        step = each.built(
            platforms="linux/amd64,linux/arm64",
            push="true",
            tags=lines(f"{each.work.image}:latest", f"{each.work.image}:1.0.0"),
            cache_from="type=gha,scope=ci",
            cache_to="type=gha,scope=ci,mode=max",
            require_digests="true",
        )
        assert step.outputs["digest"] == served_digest(each.work.image, "1.0.0") == served_digest(each.work.image)
        assert cached_steps(step) == cached, step.log


@pytest.mark.parametrize("action", ["build", "bake"])
def test_an_image_with_an_sbom_is_found(job: Launched, later: Launched, scanner: str, action: str) -> None:
    cache = "type=gha,scope=attests"
    for each in (job, later):
        output = f"type=image,name={each.work.image}:1,push=true"
        inputs = {"outputs": output, "cache_from": cache, "cache_to": f"{cache},mode=max"}
        if action == "bake":
            (each.work.folder / "docker-bake.hcl").write_text('target "default" {}\n')
            changes = (f"*.output={output}", f"*.cache-from={cache}", f"*.cache-to={cache},mode=max")
            inputs = {"set": lines(*changes)}
        step = each.step(action, sbom=f"generator={scanner}", **inputs)
        if "network bridge not found" in step.log:
            pytest.skip("this engine has no network for a scanner")
        assert step.code == 0, step.log
        digests = json.loads(step.outputs["digests"])
        assert (digests["default"] if action == "bake" else digests) == {"0": served_digest(each.work.image, "1")}


@pytest.mark.parametrize("provenance", ["", "mode=max", "builder-id=foo", "false", "true"])
def test_a_bake_with_any_provenance_has_the_digests_of_its_tar_and_of_the_registry(
    job: Launched, cache_service: CacheService, provenance: str
) -> None:
    image = job.work.image
    (job.work.folder / "docker-bake.hcl").write_text('target "binary" {}\n')
    settings = lines(
        "*.output=type=oci,dest=build.tar",
        f"*.output=type=image,name={image}:1,push=true",
        "*.cache-from=type=gha,scope=provenance",
        "*.cache-to=type=gha,scope=provenance,mode=max",
    )
    step = job.built("bake", targets="binary", provenance=provenance, set=settings, require_digests="true")
    digest, document = served(image, "1")
    tar = tar_digest(job.work.folder / "build.tar")
    assert json.loads(step.outputs["digests"]) == {"binary": {"0": tar, "1": digest}}
    assert ("manifests" in document) == (provenance != "false")
    made = json.loads(step.outputs["metadata"])["binary"].get("buildx.build.provenance", {})
    assert (made.get("builder", {}).get("id") == "foo") == (provenance == "builder-id=foo")
    assert cache_service.keys(index_of("provenance"))


# Git references: who may read and write what


def test_a_pull_request_reads_the_cache_of_the_default_branch_and_writes_one_of_its_own(
    job: Launched, later: Launched, cache_service: CacheService
) -> None:
    job.built(push="true", tags=f"{job.work.image}:1", cache_to="type=gha,mode=max")
    before = cache_service.keys()
    later.variables = cache_service.variables(PULL_REQUEST)
    again = later.built(outputs="type=oci,dest=a.tar", cache_from="type=gha", cache_to="type=gha,mode=max")
    assert cached_steps(again) == 3
    assert again.digests == {"0": tar_digest(later.work.folder / "a.tar")}
    assert cache_service.keys() == before
    assert len(cache_service.keys(index_of("buildkit"), "refs/pull/7/merge")) == 1


@pytest.mark.parametrize("action", ["build", "bake"])
def test_with_a_token_that_only_reads_a_cache_is_found_and_cannot_be_stored(
    job: Launched, later: Launched, cache_service: CacheService, action: str
) -> None:
    job.built(push="true", tags=f"{job.work.image}:1", cache_to="type=gha")
    before = cache_service.keys()
    later.variables = cache_service.variables(READ_ONLY)
    (later.work.folder / "Dockerfile").write_text(STAGES + "COPY hello.txt /new.txt\n")
    target = {"tags": [f"{job.work.image}:2"], "output": ["type=registry"]}
    (later.work.folder / "docker-bake.json").write_text(json.dumps({"target": {"default": target}}))

    def run(cache_to: str) -> Step:
        if action == "bake":
            return later.step("bake", set=lines(f"*.cache-to={cache_to}", "*.cache-from=type=gha"))
        return later.step(push="true", tags=f"{job.work.image}:2", cache_from="type=gha", cache_to=cache_to)

    failed = run("type=gha")
    assert failed.code == 1
    assert "::error::buildx failed with: ERROR: " in failed.log
    assert "failed to reserve cache" in failed.log
    ignored = run("type=gha,ignore-error=true")
    assert ignored.code == 0, ignored.log
    assert cache_service.keys() == before


# A service that does not work


def _breaks(cache_service: CacheService, how: str) -> None:
    if how == "down":
        cache_service.stop()
    else:
        cache_service.fault = HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize("how", ["down", "500"])
@pytest.mark.parametrize("action", ["build", "bake"])
def test_with_ignore_error_a_service_that_does_not_work_costs_no_digest(
    job: Launched, cache_service: CacheService, action: str, how: str
) -> None:
    _breaks(cache_service, how)
    cache_to = "type=gha,mode=max,ignore-error=true"
    if action == "build":
        step = job.built(
            push="true", tags=f"{job.work.image}:1", cache_from="type=gha", cache_to=cache_to, require_digests="true"
        )
        assert step.digests == {"0": served_digest(job.work.image, "1")}
    else:
        bake_file(job, {"app": cache_to}, {"app": "type=gha"})
        step = job.built("bake", require_digests="true")
        archive = tar_digest(job.work.folder / "app.tar")
        assert json.loads(step.outputs["digests"]) == {
            "app": {"0": served_digest(job.work.image, "app"), "archive": archive}
        }
    assert cache_service.keys() == []


@pytest.mark.parametrize("how", ["down", "500"])
@pytest.mark.parametrize("action", ["build", "bake"])
def test_without_ignore_error_such_a_service_fails_the_step_with_what_buildx_says(
    job: Launched, cache_service: CacheService, action: str, how: str
) -> None:
    _breaks(cache_service, how)
    if action == "build":
        step = job.step(push="true", tags=f"{job.work.image}:1", cache_to="type=gha")
    else:
        bake_file(job, {"app": "type=gha"})
        step = job.step("bake")
    assert step.code == 1
    (error,) = [line for line in step.log.splitlines() if line.startswith("::error::")]
    assert error.startswith("::error::buildx failed with: ERROR: ")
    assert ("connection refused" if how == "down" else "internal") in error
    assert json.loads(step.outputs.get("digests") or "{}") == {}


def test_a_cache_that_cannot_be_read_fails_no_build(job: Launched, cache_service: CacheService) -> None:
    cache_service.stop()
    step = job.built(push="true", tags=f"{job.work.image}:1", cache_from="type=gha", require_digests="true")
    assert step.digests == {"0": served_digest(job.work.image, "1")}


def test_the_docker_driver_with_the_classic_image_store_says_that_it_stores_none(
    classic: Workplace, cache_service: CacheService, tool_cache: Path
) -> None:
    job = Launched(classic, cache_service.variables(), tool_cache)
    step = job.step(push="true", tags=f"{classic.image}:1", cache_to="type=gha,ignore-error=true")
    assert step.code == 1
    assert "Cache export is not supported for the docker driver." in step.log.partition("::error::")[2]
    assert cache_service.calls == []


# Who has the token


def _record_programs(work: Workplace, folder: Path) -> Path:
    """Put programs in front of PATH and of docker's plugins that record their environment and run the real ones."""
    programs, reports = folder / "bin", folder / "reports"
    config = folder / "docker-config"
    for each in (programs, reports, config / "cli-plugins"):
        each.mkdir(parents=True)
    path = work.environment["PATH"]
    real_config = Path(work.environment.get("DOCKER_CONFIG") or Path.home() / ".docker")
    for each in real_config.glob("*"):
        # The current context and builder stay the same.
        if each.name != "cli-plugins":
            (config / each.name).symlink_to(each)
    system = (f"/usr/{each}/docker/cli-plugins" for each in ("local/lib", "local/libexec", "lib", "libexec"))
    plugins = [Path(each, "docker-buildx") for each in (f"{real_config}/cli-plugins", *system)]
    real = {name: shutil.which(name, path=path) for name in ("docker", "git", "python3", "python", "uv", "pip", "bash")}
    places = {programs / name: Path(file) for name, file in real.items() if file}
    places[config / "cli-plugins/docker-buildx"] = next(each for each in plugins if each.exists())
    for place, file in places.items():
        place.write_text(_RECORDER.format(folder=reports, name=place.name, real=file.absolute()))
        place.chmod(0o755)
    work.environment = {**work.environment, "PATH": f"{programs}:{path}", "DOCKER_CONFIG": str(config)}
    return reports


@pytest.mark.parametrize("action", ["build", "bake"])
def test_the_token_reaches_the_buildx_that_builds_and_neither_the_log_nor_the_record(
    job: Launched, cache_service: CacheService, action: str, tmp_path: Path
) -> None:
    reports = _record_programs(job.work, tmp_path.with_name(f"{tmp_path.name}-programs"))
    record = {"record": "true", "verify": "true", "require_digests": "true"}
    if action == "build":
        outputs = lines(f"type=image,name={job.work.image}:1,push=true", "type=oci,dest=a.tar")
        step = job.built(outputs=outputs, cache_to="type=gha,mode=max", cache_from="type=gha", **record)
    else:
        bake_file(job, {"app": "type=gha,mode=max"}, {"app": "type=gha"})
        step = job.built("bake", **record)
    assert cache_service.keys(index_of("buildkit"))
    token = job.variables["ACTIONS_RUNTIME_TOKEN"]
    # The command that masks it, before anything else is run, is the only line that holds it.
    assert [line for line in step.log.splitlines() if token in line] == [f"::add-mask::{token}"]
    assert step.log.index("::add-mask::") < step.log.index("#1 ")
    programs = [Recorded.read(each) for each in reports.iterdir()]
    having = [each for each in programs if each.has(*job.variables, token)]
    # Programs that buildx starts inherit its environment: git for the provenance, and docker's credential helpers.
    (building,) = [each for each in having if each.command.startswith(f"docker buildx {action} ")]
    inside = {building.process}
    while more := {each.process for each in programs if each.parent in inside} - inside:
        inside |= more
    assert {each.process for each in having} <= inside, having
    others = {each.command for each in programs if each.process not in inside}
    for part in ("imagetools", " --print" if action == "bake" else "history", "python3 -I -S"):
        assert [each for each in others if part in each], (part, others)
    with tarfile.open(step.outputs["record"]) as tar:
        kept = b"".join(file.read() for member in tar if (file := tar.extractfile(member)))
    assert job.work.image.encode() in kept
    assert token.encode() not in kept


def test_a_step_that_is_no_javascript_action_stores_no_cache_and_says_nothing(
    job: Launched, cache_service: CacheService
) -> None:
    """What the launcher is for: buildx leaves the cache out silently if the variables are missing."""
    job.variables = {}
    step = job.built(push="true", tags=f"{job.work.image}:1", cache_to="type=gha", cache_from="type=gha")
    assert step.digests == {"0": served_digest(job.work.image, "1")}
    assert "gha" not in step.log.replace("type=gha", "")
    assert cache_service.calls == []
