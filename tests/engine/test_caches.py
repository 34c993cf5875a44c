"""Builds that write and read caches of each type. Digests of image and cache come from the registry and the files."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import STAGES, Step, Workplace, lines, workplace
from tests.engine.other_end import served, served_digest, tar_digest
from tests.engine.test_moved_tag import rival

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Cache:
    """A `cache-to` entry, and what it must write.

    Attributes:
        text: the entry, with places for the image's repository.
        kinds: the media types that it may have: the default changed between releases.
        layers: the media type of the layers in it.
    """

    text: str
    kinds: frozenset[str] = frozenset((INDEX, MANIFEST))
    layers: str = f"{LAYER}+gzip"

    def to(self, work: Workplace) -> str:
        return self.text.format(image=work.image)

    def manifest(self, work: Workplace) -> tuple[str, dict[str, Any]]:
        """The digest and the document that its other end has."""
        if "{image}" in self.text:
            return served(work.image, self.text.partition("{image}:")[2].partition(",")[0])
        return local_manifest(work.folder / self.text.partition("dest=")[2].partition(",")[0])


CACHES = {
    "registry": Cache("type=registry,ref={image}:cache"),
    "registry-max": Cache("type=registry,ref={image}:cache,mode=max"),
    "registry-zstd": Cache(
        "type=registry,ref={image}:cache,mode=max,compression=zstd,force-compression=true", layers=f"{LAYER}+zstd"
    ),
    "registry-index": Cache("type=registry,ref={image}:cache,image-manifest=false", kinds=frozenset((INDEX,))),
    "registry-manifest": Cache(
        "type=registry,ref={image}:cache,image-manifest=true,oci-mediatypes=true", kinds=frozenset((MANIFEST,))
    ),
    "local": Cache("type=local,dest=cache"),
    "local-max": Cache("type=local,dest=cache,mode=max"),
    "local-zstd": Cache(
        "type=local,dest=cache,mode=max,compression=zstd,force-compression=true", layers=f"{LAYER}+zstd"
    ),
    "local-index": Cache("type=local,dest=cache,image-manifest=false", kinds=frozenset((INDEX,))),
    "local-manifest": Cache(
        "type=local,dest=cache,image-manifest=true,oci-mediatypes=true", kinds=frozenset((MANIFEST,))
    ),
    "name": Cache("{image}:cache"),
    "inline": Cache("type=inline", kinds=frozenset()),
}


def local_manifest(folder: Path) -> tuple[str, dict[str, Any]]:
    """The digest that the index.json of a local cache names, and its document."""
    (entry,) = json.loads((folder / "index.json").read_text())["manifests"]
    data = (folder / "blobs/sha256" / entry["digest"].removeprefix("sha256:")).read_bytes()
    assert entry["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    return entry["digest"], json.loads(data)


def check_cache(cache: Cache, work: Workplace, metadata: dict[str, Any]) -> None:
    """Check what the other end has, and that the metadata name it."""
    if not cache.kinds:
        assert "cache.manifest" not in metadata
        return
    digest, document = cache.manifest(work)
    named = json.loads(metadata["cache.manifest"])
    assert named["digest"] == digest
    assert named["mediaType"] in cache.kinds
    listed = document.get("layers") or document["manifests"]
    assert cache.layers in {each["mediaType"] for each in listed}


def assert_silent(log: str) -> None:
    assert "::warning::" not in log
    assert "warning: " not in log


FEW = ("registry-max", "registry-index", "local-zstd", "inline")
"""One of each kind."""


@pytest.fixture(params=list(CACHES.values()), ids=list(CACHES))
def cache(request: pytest.FixtureRequest) -> Cache:
    chosen: Cache = request.param
    return chosen


@pytest.fixture(params=[CACHES[name] for name in FEW], ids=FEW)
def any_cache(request: pytest.FixtureRequest) -> Cache:
    chosen: Cache = request.param
    return chosen


@pytest.fixture
def other(tmp_path_factory: pytest.TempPathFactory, registry: str, classic_environment: Mapping[str, str]) -> Workplace:
    """A folder and an engine that have built nothing of what `work` builds."""
    return workplace(tmp_path_factory.mktemp("other"), classic_environment, registry)


def test_a_build_with_a_cache_gets_the_digests_that_the_registry_serves(work: Workplace, cache: Cache) -> None:
    step = work.step(
        push="true", tags=f"{work.image}:1", cache_to=cache.to(work), require_digests="true", verify="true"
    )
    assert step.code == 0, step.log
    assert step.outputs["digest"] == served_digest(work.image, "1")
    assert step.digests == {"0": served_digest(work.image, "1")}
    assert_silent(step.log)
    check_cache(cache, work, json.loads(step.outputs["metadata"]))
    assert json.loads(step.outputs["caches"]) == ({"0": cache.manifest(work)[0]} if cache.kinds else {})


def test_several_outputs_with_a_cache_get_each_its_own_digest(work: Workplace, any_cache: Cache) -> None:
    step = work.step(
        outputs=lines(f"type=image,name={work.image}:1,push=true,id=release", "type=oci,dest=oci.tar"),
        cache_to=any_cache.to(work),
        require_digests="true",
    )
    assert step.code == 0, step.log
    assert step.digests == {"release": served_digest(work.image, "1"), "1": tar_digest(work.folder / "oci.tar")}
    assert_silent(step.log)
    check_cache(any_cache, work, json.loads(step.outputs["metadata"]))


def _bake_file(work: Workplace, cache: Cache) -> None:
    target = {
        "output": [f"type=image,name={work.image}:1,push=true,id=release", "type=oci,dest=oci.tar"],
        "cache-to": [f"{cache.to(work)}{',id=main' if cache.kinds else ''}"],
    }
    definition = {
        "group": {"default": {"targets": ["cached", "plain"]}},
        "target": {"cached": target, "plain": {"tags": [f"{work.image}:plain"], "output": ["type=registry"]}},
    }
    (work.folder / "docker-bake.json").write_text(json.dumps(definition))


def _bake_digests(work: Workplace) -> dict[str, dict[str, str]]:
    return {
        "cached": {"release": served_digest(work.image, "1"), "1": tar_digest(work.folder / "oci.tar")},
        "plain": {"0": served_digest(work.image, "plain")},
    }


def test_a_bake_with_a_cache_gets_each_targets_digests(work: Workplace, any_cache: Cache) -> None:
    _bake_file(work, any_cache)
    step = work.bake_step(source=".", require_digests="true")
    assert step.code == 0, step.log
    assert json.loads(step.outputs["digests"]) == _bake_digests(work)
    caches = {"main": any_cache.manifest(work)[0]} if any_cache.kinds else {}
    assert json.loads(step.outputs["caches"]) == {"cached": caches, "plain": {}}
    assert_silent(step.log)
    check_cache(any_cache, work, json.loads(step.outputs["metadata"])["cached"])


def test_a_build_with_a_cache_works_in_the_terminal(work: Workplace, any_cache: Cache) -> None:
    done = work.python(
        *("-m", "action", "build", "--require-digests", "--format", "json", "--", "--metadata-file", "m.json"),
        *("--cache-to", any_cache.to(work), "--push", "-t", f"{work.image}:1", "."),
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results["digest"] == served_digest(work.image, "1")
    assert [each["digest"] for each in results["caches"]] == [any_cache.manifest(work)[0] if any_cache.kinds else None]
    assert_silent(done.stderr)
    check_cache(any_cache, work, json.loads((work.folder / "m.json").read_text()))


def test_a_bake_with_a_cache_works_in_the_terminal(work: Workplace, any_cache: Cache) -> None:
    _bake_file(work, any_cache)
    done = work.python(
        *("-m", "action", "bake", "--require-digests", "--format", "json", "--", "--metadata-file", "m.json")
    )
    assert done.returncode == 0, done.stderr
    targets = json.loads(done.stdout)["targets"]
    digests = {name: {each["key"]: each["digest"] for each in target["exporters"]} for name, target in targets.items()}
    assert digests == _bake_digests(work)
    assert_silent(done.stderr)
    check_cache(any_cache, work, json.loads((work.folder / "m.json").read_text())["cached"])


def test_a_cache_of_a_bake_may_be_an_object(work: Workplace) -> None:
    cache = {"type": "registry", "ref": f"{work.image}:cache", "mode": "max", "id": "main"}
    target = {"tags": [f"{work.image}:1"], "output": ["type=registry"], "cache-to": [cache]}
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": {"default": target}}))
    step = work.bake_step(source=".")
    assert step.code == 0, step.log
    assert json.loads(step.outputs["caches"]) == {"default": {"main": served_digest(work.image, "cache")}}


@pytest.mark.parametrize("action", ["build", "bake"])
def test_several_caches_at_once_are_all_written(work: Workplace, action: str) -> None:
    caches = (
        f"type=registry,ref={work.image}:cache,mode=max",
        # In a repository of its own: two pushes of one blob to one repository at once can fail in the registry.
        f"type=registry,ref={work.image}/other:cache,image-manifest=false",
        # Of two that write the same manifest BuildKit's record may name only one.
        "type=local,dest=cache,compression=zstd,force-compression=true",
        "type=inline",
    )
    if action == "build":
        step = work.step(push="true", tags=f"{work.image}:1", cache_to=lines(*caches), require_digests="true")
        digests = step.digests
    else:
        target = {"tags": [f"{work.image}:1"], "output": ["type=registry"], "cache-to": caches}
        (work.folder / "docker-bake.json").write_text(json.dumps({"target": {"default": target}}))
        step = work.bake_step(source=".", require_digests="true")
        digests = json.loads(step.outputs["digests"])["default"]
    assert step.code == 0, step.log
    assert digests == {"0": served_digest(work.image, "1")}
    assert_silent(step.log)
    written = {served_digest(work.image, "cache"), served_digest(f"{work.image}/other", "cache")}
    metadata = json.loads(step.outputs["metadata"])
    named = json.loads((metadata if action == "build" else metadata["default"])["cache.manifest"])["digest"]
    # There is one key for all of them: whose digest it holds, it does not say. Its status log does, except for the two
    # in registries, which differ.
    caches_output = json.loads(step.outputs["caches"])
    caches_output = caches_output if action == "build" else caches_output["default"]
    blobs = {f"sha256:{blob.name}" for blob in (work.folder / "cache/blobs/sha256").iterdir()}
    assert caches_output.keys() == {"2"}
    assert caches_output["2"] in blobs
    assert named in {*written, *(f"sha256:{blob.name}" for blob in (work.folder / "cache/blobs/sha256").iterdir())}


@pytest.mark.parametrize("name", ["registry-max", "registry-index", "local", "inline"])
def test_another_engine_builds_from_the_cache(work: Workplace, other: Workplace, name: str) -> None:
    cache = CACHES[name]
    step = work.step(push="true", tags=f"{work.image}:1", cache_to=cache.to(work))
    assert step.code == 0, step.log
    sources = {
        "registry": f"type=registry,ref={work.image}:cache",
        "local": f"type=local,src={work.folder / 'cache'}",
        "inline": f"type=registry,ref={work.image}:1",
    }
    for file in ("Dockerfile", "hello.txt"):
        shutil.copy(work.folder / file, other.folder / file)
    again = other.step(outputs="type=local,dest=out", cache_from=sources[name.partition("-")[0]])
    assert again.code == 0, again.log
    assert (other.folder / "out/hello.txt").read_text() == (work.folder / "hello.txt").read_text()
    assert _cached_steps(again) == 1, again.log


def _cached_steps(step: Step) -> int:
    return sum(1 for line in step.log.splitlines() if line.endswith(" CACHED"))


@pytest.mark.parametrize("missing", ["type=registry,ref={image}:none", "type=local,src=none", "{image}:none"])
def test_a_cache_that_is_not_there_yet_costs_nothing(work: Workplace, missing: str) -> None:
    step = work.step(
        push="true",
        tags=f"{work.image}:1",
        cache_from=missing.format(image=work.image),
        cache_to=f"type=registry,ref={work.image}:none",
        require_digests="true",
    )
    assert step.code == 0, step.log
    assert step.digests == {"0": served_digest(work.image, "1")}
    assert "::error::" not in step.log


@pytest.mark.parametrize("ref", ["localhost:1/app:cache", "{image}:cache"])
def test_with_ignore_error_a_cache_that_cannot_be_written_costs_no_digest(work: Workplace, ref: str) -> None:
    cache = f"type=registry,ref={ref.format(image=work.image)},ignore-error=true"
    step = work.step(push="true", tags=f"{work.image}:1", cache_to=cache, require_digests="true")
    assert step.code == 0, step.log
    assert step.digests == {"0": served_digest(work.image, "1")}
    written = "{image}" in ref
    assert ("cache.manifest" in json.loads(step.outputs["metadata"])) is written
    assert json.loads(step.outputs["caches"]) == ({"0": served_digest(work.image, "cache")} if written else {})
    if written:
        assert_silent(step.log)
    else:
        assert "::warning::cache 0 (registry) has no digest: BuildKit reports none" in step.log


def test_a_local_cache_that_no_build_can_read_is_a_warning(work: Workplace) -> None:
    """BuildKit's client writes the digest of one cache into both folders."""
    (work.folder / "Dockerfile").write_text(STAGES)
    caches = ("type=local,dest=min,id=min", "type=local,dest=max,mode=max,id=max")
    step = work.step(push="true", tags=f"{work.image}:1", cache_to=lines(*caches), verify="true")
    assert step.code == 0, step.log
    found = json.loads(step.outputs["caches"])
    assert found.keys() == {"min", "max"}
    sizes = {}
    for name, digest in found.items():
        data = (work.folder / name / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()
        sizes[name] = len(json.loads(data)["layers"])
    # Only the cache of all stages has the layers of the stages before the last one.
    assert sizes["min"] < sizes["max"]
    unreadable = []
    for name in ("min", "max"):
        (entry,) = json.loads((work.folder / name / "index.json").read_text())["manifests"]
        if not (work.folder / name / "blobs/sha256" / entry["digest"].removeprefix("sha256:")).exists():
            unreadable.append(name)
    warnings = [line for line in step.log.splitlines() if line.startswith("::warning::")]
    assert len(unreadable) == 1
    named = [line for line in warnings if f"{unreadable[0]}/index.json names sha256:" in line]
    assert len(named) == 1
    assert len(warnings) == 1, warnings


def test_a_cache_in_a_registry_and_one_in_a_folder_have_a_digest_each(work: Workplace) -> None:
    caches = (f"type=registry,ref={work.image}:cache,image-manifest=false,id=far", "type=local,dest=cache,id=near")
    step = work.step(push="true", tags=f"{work.image}:1", cache_to=lines(*caches), verify="true")
    assert step.code == 0, step.log
    found = json.loads(step.outputs["caches"])
    assert found["far"] == served_digest(work.image, "cache")
    blob = work.folder / "cache/blobs/sha256" / found["near"].removeprefix("sha256:")
    assert found["near"] == f"sha256:{hashlib.sha256(blob.read_bytes()).hexdigest()}"
    assert found["near"] != found["far"]


@pytest.mark.parametrize("several", [False, True])
def test_verify_refuses_the_tag_of_a_cache_that_was_moved_meanwhile(work: Workplace, *, several: bool) -> None:
    with rival(work, "cache") as (proxy, image):
        caches = [
            f"type=registry,ref={image}:cache,image-manifest=false,id=main",
            *(["type=local,dest=cache"] if several else []),
        ]
        step = work.step(push="true", tags=f"{work.image}:1", cache_to=lines(*caches), verify="true")
    assert step.code == 1
    (error,) = [line for line in step.log.splitlines() if line.startswith("::error::")]
    source = "the build record" if several else "the metadata file"
    assert error.startswith(f"::error::cache main (registry) is not verified: {source} says sha256:")
    served = served_digest(work.image, "cache")
    assert f"the tag {proxy.address}/{work.name}:cache names {served}: another build wrote its cache" in error
    assert json.loads(step.outputs["caches"]).keys() == ({"1"} if several else set())
    assert step.digests == {"0": served_digest(work.image, "1")}


def test_of_several_caches_one_that_cannot_be_written_has_no_digest_and_a_warning(work: Workplace) -> None:
    caches = ("type=registry,ref=localhost:1/app:cache,ignore-error=true", "type=local,dest=cache")
    step = work.step(push="true", tags=f"{work.image}:1", cache_to=lines(*caches))
    assert step.code == 0, step.log
    assert json.loads(step.outputs["caches"]) == {"1": local_manifest(work.folder / "cache")[0]}
    assert "::warning::cache 0 (registry) has no digest: BuildKit reports none" in step.log


def test_a_build_without_layers_writes_no_cache(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    step = work.step(push="true", tags=f"{work.image}:1", cache_to="type=local,dest=cache,id=main", verify="true")
    assert step.code == 0, step.log
    assert not (work.folder / "cache/index.json").exists()
    assert json.loads(step.outputs["caches"]) == {}
    (warning,) = [line for line in step.log.splitlines() if line.startswith("::warning::")]
    assert (
        "cache main (local) has no digest: the metadata file has none; BuildKit writes no cache of a build" in warning
    )


def test_a_cache_that_cannot_be_written_fails_the_step_with_what_buildx_says(work: Workplace) -> None:
    step = work.step(push="true", tags=f"{work.image}:1", cache_to="type=registry,ref=localhost:1/app:cache")
    assert step.code == 1
    (error,) = [line for line in step.log.splitlines() if line.startswith("::error::")]
    assert "localhost:1" in error
    assert step.digests == {}
