"""Real promotions: a built image gets other tags and goes to other registries, and keeps its digest."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import ROOT, Step, Workplace, fake_docker, lines, workplace
from tests.engine.other_end import copy_image, not_served, push_artifact, push_manifest, served, served_digest
from tests.engine.registry_proxy import Fault, Proxy, registry_proxy
from tests.engine.test_moved_tag import rival

INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, registry: str) -> tuple[Workplace, Step]:
    """An image for two platforms, one for one platform, both with attestations, and one without an index."""
    work = workplace(tmp_path_factory.mktemp("built"), os.environ, registry)
    outputs = f"type=image,name={work.image},push=true,id=release"
    step = work.step(outputs=outputs, platforms="linux/amd64,linux/arm64")
    assert step.code == 0, step.log
    small = work.step(push="true", tags=f"{work.image}-small")
    assert small.code == 0, small.log
    plain = work.step(outputs=f"type=image,name={work.image}-plain,push=true,id=plain", provenance="false")
    assert plain.code == 0, plain.log
    return work, step


@pytest.fixture
def image(work: Workplace, built: tuple[Workplace, Step]) -> tuple[str, str]:
    """The image for one platform by its digest in a repository of the test's own, and its digest."""
    copy_image(f"{built[0].image}-small", work.image, "latest")
    digest = served_digest(work.image)
    return f"{work.image}@{digest}", digest


@pytest.fixture
def guarded(work: Workplace, second_registry: str) -> Iterator[Proxy]:
    """A second registry that needs a password, for which the engine's user has logged in."""
    with registry_proxy(second_registry) as proxy:
        given = base64.b64encode(b"octo:hunter2hunter2").decode()
        proxy.authorization = f"Basic {given}"
        own = Path(work.environment.get("DOCKER_CONFIG") or Path.home() / ".docker")
        config = work.folder.with_name(f"{work.folder.name}-config")
        shutil.copytree(own, config, symlinks=True)
        known = json.loads((own / "config.json").read_text()) if (own / "config.json").exists() else {}
        known["auths"] = {**known.get("auths", {}), proxy.address: {"auth": given}}
        (config / "config.json").write_text(json.dumps(known))
        work.environment = {**work.environment, "DOCKER_CONFIG": str(config)}
        yield proxy


def _error(step: Step) -> str:
    (error,) = re.findall(r"^::error::(.*)$", step.log, re.MULTILINE)
    return str(error)


def _command(place: int, source: str, tag: str) -> list[str]:
    """A command of docs/promote.md, with another source and tag."""
    page = (ROOT / "docs/promote.md").read_text(encoding="utf-8")
    words = re.findall(r"^\$ build-digests (.*)$", page, re.MULTILINE)[place].split()
    words[1], words[words.index("-t") + 1] = source, tag
    return list(words)


def test_a_builds_image_goes_to_tags_of_two_registries_with_all_its_manifests(
    work: Workplace, built: tuple[Workplace, Step], guarded: Proxy, second_registry: str
) -> None:
    there, step = built[0].image, built[1]
    other = f"{guarded.address}/{work.name}"
    tags = f"{there}:latest, {there}:stable\n{other}:1, {other}:1"
    done = work.promote_step(source=step.outputs["results"], keys="release", tags=tags, builder="default", retries="1")
    assert done.code == 0, done.log
    digest, index = served(f"{second_registry}/{work.name}", "1")
    assert digest == served_digest(there, "stable") == served_digest(there, "latest") == step.digests["release"]
    assert (done.outputs["digest"], done.digests) == (digest, {"release": digest})
    assert json.loads(done.outputs["refs"]) == [f"{there}@{digest}", f"{other}@{digest}"]
    assert len(index["manifests"]) == 4
    for entry in index["manifests"]:
        assert served_digest(f"{second_registry}/{work.name}", entry["digest"]) == entry["digest"]
    # The tag that is written twice is pushed once.
    assert guarded.requests.count(("PUT", f"/v2/{work.name}/manifests/1")) == 1
    assert "hunter2" not in done.log


def test_a_manifest_gets_no_index_around_it_in_a_slow_registry(
    work: Workplace, built: tuple[Workplace, Step], second_registry: str
) -> None:
    plain = f"{built[0].image}-plain"
    digest = served_digest(plain)
    with registry_proxy(second_registry) as proxy:
        proxy.after = lambda _method, _path: time.sleep(0.1)
        command = _command(0, f"{plain}:latest@{digest}", f"{proxy.address}/{work.name}")
        done = work.python("-m", "action", *command, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert served_digest(f"{second_registry}/{work.name}") == digest
    (exporter,) = json.loads(done.stdout)["exporters"]
    config = served(plain, digest)[1]["config"]["digest"]
    assert (exporter["digest"], exporter["imageid"]) == (digest, config)


def test_a_digest_that_would_change_is_an_error_before_anything_is_pushed(
    work: Workplace, built: tuple[Workplace, Step]
) -> None:
    # buildx without this option puts a manifest into an index.
    without = 'for each; do shift; [ "$each" = --prefer-index=false ] || set -- "$@" "$each"; done'
    fake_docker(work, f'{without}; exec "$REAL" "$@"')
    plain = f"{built[0].image}-plain"
    digest = served_digest(plain)
    step = work.promote_step(source=f"{plain}@{digest}", tags=f"{work.image}:1")
    assert step.code == 1
    assert "imagetools create would change the digest" in _error(step)
    assert step.digests == {}
    assert not_served(work.image, "1")


def test_a_dry_run_prints_the_commands_and_pushes_nothing(
    work: Workplace, image: tuple[str, str], built: tuple[Workplace, Step]
) -> None:
    step = work.promote_step(source=image[0], tags=f"{work.image}:a,{work.image}-b:1", dry_run="true")
    assert step.code == 0, step.log
    commands = [json.loads(line) for line in step.log.splitlines() if line.startswith("[")]
    assert [command[-1] for command in commands] == [image[0], image[0]]
    assert not_served(work.image, "a")
    assert not_served(f"{work.image}-b", "1")
    assert (step.digests, step.outputs["refs"]) == ({"0": image[1]}, "[]")
    done = work.python("-m", "action", *_command(1, built[1].outputs["results"], f"{work.image}:c"))
    (printed,) = done.stdout.splitlines()
    assert not_served(work.image, "c")
    assert json.loads(printed)[-1] == f"{built[0].image}@{built[1].digests['release']}"
    for command in commands:
        work.docker("buildx", *command)
    assert served_digest(work.image, "a") == served_digest(f"{work.image}-b", "1") == image[1]


def test_a_tag_that_another_push_moves_meanwhile_has_no_digest(work: Workplace, image: tuple[str, str]) -> None:
    with rival(work, "1") as (_, there):
        step = work.promote_step(source=image[0], tags=f"{there}:1")
    assert step.code == 1
    error = _error(step)
    assert error.startswith(f"exporter 0: {there}:1: the registry serves {served_digest(work.image, '1')}, and not")
    assert (step.outputs.get("digest", ""), step.digests, step.outputs["refs"]) == ("", {}, "[]")


def test_a_registry_that_refuses_keeps_the_image_from_no_other_one(
    work: Workplace, image: tuple[str, str], second_registry: str
) -> None:
    with registry_proxy(second_registry) as proxy:
        proxy.faults = [Fault("PUT", "/manifests/", 403)]
        step = work.promote_step(source=image[0], tags=f"{proxy.address}/{work.name}:1,{work.image}:1")
    assert step.code == 1
    assert "docker/login-action" in _error(step)
    assert step.digests == {}
    assert served_digest(work.image, "1") == image[1]


def test_a_source_that_is_gone_is_an_error_before_anything_is_pushed(work: Workplace, image: tuple[str, str]) -> None:
    gone = f"{work.image}@sha256:{'0' * 64}"
    step = work.promote_step(source=gone, tags=f"{work.image}:1")
    assert (step.code, _error(step)) == (
        1,
        f"exporter 0: {gone}: not found; check the name, and whether the image was deleted there",
    )
    assert not_served(work.image, "1")
    assert image[1] == served_digest(work.image)


def test_what_refers_to_an_image_goes_with_it(work: Workplace, image: tuple[str, str], second_registry: str) -> None:
    tag = image[1].replace(":", "-")
    signature = push_artifact(work.image, (f"{tag}.sig",), b"a signature")
    platform = served(work.image, image[1])[1]["manifests"][0]["digest"].replace(":", "-")
    attestation = push_artifact(work.image, (f"{platform}.att",), b"an attestation")
    data = json.dumps(served(work.image, image[1])[1])
    subject = {"mediaType": INDEX, "digest": image[1], "size": len(data)}
    bom = push_artifact(work.image, (), b"a bom", artifactType="application/spdx+json", subject=subject)
    size = len(json.dumps(served(work.image, bom)[1]).encode())
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": bom, "size": size}
    index = push_manifest(work.image, (tag,), {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})
    # The bom is signed too.
    signed = push_artifact(work.image, (f"{bom.replace(':', '-')}.sig",), b"a signature of the bom")
    there = f"{second_registry}/{work.name}"
    with registry_proxy(second_registry) as proxy:
        step = work.promote_step(source=image[0], tags=f"{proxy.address}/{work.name}:1", referrers="true")
    assert step.code == 0, step.log
    # The tag is the last: at no time is it without its signatures.
    puts = [path.rpartition("/")[2] for method, path in proxy.requests if method == "PUT" and "/manifests/" in path]
    assert (puts.count("1"), puts[-1]) == (1, "1")
    assert "::notice::exporter 0: artifacts that refer to the image by a tag are copied with it" in step.log
    assert served_digest(there, "1") == image[1]
    assert served_digest(there, f"{tag}.sig") == signature
    assert served_digest(there, f"{platform}.att") == attestation
    assert served_digest(there, tag) == index
    assert served_digest(there, bom) == bom
    assert served_digest(there, f"{bom.replace(':', '-')}.sig") == signed


def test_a_signature_that_only_the_other_registry_has_is_not_lost(
    work: Workplace, image: tuple[str, str], second_registry: str
) -> None:
    there, tag = f"{second_registry}/{work.name}", image[1].replace(":", "-") + ".sig"
    push_artifact(work.image, (tag,), b"one")
    theirs = push_artifact(there, (tag,), b"another")
    step = work.promote_step(source=image[0], tags=f"{there}:1", referrers="true")
    assert step.code == 1
    assert f"{there}:{tag} names signatures or artifacts that {work.image}:{tag} does not name" in _error(step)
    assert not_served(there, "1")
    assert served_digest(there, tag) == theirs


def test_an_image_that_nothing_refers_to_is_an_error_that_names_other_tools(
    work: Workplace, image: tuple[str, str]
) -> None:
    step = work.promote_step(source=image[0], tags=f"{work.image}-b:1", referrers="true")
    assert step.code == 1
    assert "nothing refers to it by a tag" in _error(step)
    assert "cosign copy or oras cp -r" in _error(step)
    assert not_served(f"{work.image}-b", "1")


def test_each_key_of_a_bakes_target_gets_its_own_tag(work: Workplace, second_registry: str) -> None:
    outputs = [f"type=image,name={work.image}:{key},push=true,id={key}" for key in ("one", "two")]
    outputs[1] += ",oci-mediatypes=false"
    targets = {"web": {"output": [*outputs, "type=oci,dest=web.tar"]}, "api": {"output": ["type=cacheonly"]}}
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
    baked = work.bake_step(source=".", targets="web,api", set="*.attest=type=provenance,disabled=true")
    assert baked.code == 0, baked.log
    there = f"{second_registry}/{work.name}"
    tags = lines(f"one={there}:one", f"two={there}:two")
    step = work.promote_step(source=baked.outputs["results"], target="web", keys="two,one", tags=tags)
    assert step.code == 0, step.log
    expected = {key: served_digest(work.image, key) for key in ("two", "one")}
    assert step.digests == expected
    assert {key: served_digest(there, key) for key in expected} == expected
    assert step.outputs["digest"] == expected["two"]
