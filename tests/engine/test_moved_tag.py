"""Classic image store: buildx asks the registry for a digest by tag, and another push may have moved the tag."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.engine.conftest import Workplace, fake_docker, lines, push_and_load
from tests.engine.other_end import served, served_digest
from tests.engine.registry_proxy import Proxy, registry_proxy

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_ABSENT = "the registry's digest is not proved to be this build's"


def _request(image: str, method: str, path: str, data: bytes, content_type: str) -> http.client.HTTPResponse:
    registry, _, repository = image.partition("/")
    connection = http.client.HTTPConnection(registry, timeout=30)
    connection.request(method, f"/v2/{repository}{path}", body=data, headers={"Content-Type": content_type})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status in {201, 202}, body
    return answer


def push_a_rival(image: str, tag: str) -> str:
    """Push another image to a tag, as another job does; its digest."""
    config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    name = "sha256:" + hashlib.sha256(config).hexdigest()
    upload = _request(image, "POST", "/blobs/uploads/", b"", "")
    place = str(upload.headers["Location"]).partition("/v2/")[2].partition("/")[2]
    mark = "&" if "?" in place else "?"
    _request(image, "PUT", f"/{place}{mark}digest={name}", config, "application/octet-stream")
    entry = {"mediaType": _CONFIG, "digest": name, "size": len(config)}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": _MANIFEST, "config": entry, "layers": []}).encode()
    _request(image, "PUT", f"/manifests/{tag}", manifest, _MANIFEST)
    return "sha256:" + hashlib.sha256(manifest).hexdigest()


@contextmanager
def rival(work: Workplace, tag: str) -> Iterator[tuple[Proxy, str]]:
    """A registry in which another push moves a tag as soon as ours has come; the proxy, and the image's name there."""
    with registry_proxy(work.registry) as proxy:
        pushed: list[str] = []

        def move(method: str, path: str) -> None:
            if method == "PUT" and path.endswith(f"/manifests/{tag}"):
                pushed.append(push_a_rival(work.image, tag))

        proxy.after = move
        yield proxy, f"{proxy.address}/{work.name}"
        assert pushed
        assert served_digest(work.image, tag) in pushed


def test_a_rivals_digest_is_not_handed_on(classic: Workplace) -> None:
    with rival(classic, "1") as (_, image):
        step = classic.step(push="true", tags=f"{image}:1")
    assert step.code == 0, step.log
    theirs = served_digest(classic.image, "1")
    # docker/build-push-action reports it.
    assert json.loads(step.outputs["metadata"])["containerimage.digest"] == theirs
    assert step.digests == {}
    assert "digest" not in step.outputs
    assert theirs not in step.outputs["exporters"] + step.outputs["refs"]
    assert step.outputs["imageid"] == json.loads(classic.docker("image", "inspect", f"{image}:1"))[0]["Id"]
    assert _ABSENT in step.log


def test_verify_does_not_accept_it(classic: Workplace) -> None:
    with rival(classic, "1") as (_, image):
        step = classic.step(push="true", tags=f"{image}:1", verify="true")
    assert step.code == 1
    assert "::error::exporter 0 (image) is not verified: it has no digest that could be verified" in step.log
    assert step.digests == {}


def test_a_bake_does_not_hand_it_on(classic: Workplace) -> None:
    with rival(classic, "1") as (_, image):
        (classic.folder / "docker-bake.hcl").write_text(
            f"""
            group "default" {{ targets = ["web", "api"] }}
            target "web" {{ tags = ["{image}:1"] }}
            target "api" {{
              tags = ["{image}-api:2"]
              labels = {{ "a" = "b" }}
            }}
            """
        )
        step = classic.bake_step(source=".", push="true")
    assert step.code == 0, step.log
    assert json.loads(step.outputs["digests"]) == {"web": {}, "api": {"0": served_digest(f"{classic.image}-api", "2")}}
    assert f"::warning::target web: exporter 0 has no digest: {_ABSENT}" in step.log


def test_beside_files_and_a_load_it_is_the_pushed_images(classic: Workplace) -> None:
    step = classic.step(
        outputs=lines("type=local,dest=out", f"type=image,name={classic.image}:1,push=true,id=release", "type=docker"),
    )
    assert step.code == 0, step.log
    assert step.digests == {"release": served_digest(classic.image, "1")}
    with rival(classic, "2") as (_, image):
        step = classic.step(
            outputs=lines("type=local,dest=out", f"type=image,name={image}:2,push=true,id=release", "type=docker"),
        )
    assert step.code == 0, step.log
    assert step.digests == {}


def test_two_pushed_images_have_the_digest_that_the_engine_pushed_both_by(classic: Workplace) -> None:
    step = classic.step(
        outputs=lines(f"type=image,name={classic.image}:1,push=true", f"type=image,name={classic.image}-b:1,push=true"),
    )
    assert step.code == 0, step.log
    assert step.digests == {"0": served_digest(classic.image, "1"), "1": served_digest(f"{classic.image}-b", "1")}


def test_an_engine_that_has_lost_the_image_leaves_the_proof_to_the_manifests_config(classic: Workplace) -> None:
    fake_docker(classic, '[[ " $* " == *" image inspect "* ]] && exit 1\nexec "$REAL" "$@"')
    step = classic.step(push="true", tags=f"{classic.image}:1")
    assert step.code == 0, step.log
    digest, manifest = served(classic.image, "1")
    assert (step.outputs["digest"], step.outputs["imageid"]) == (digest, manifest["config"]["digest"])
    with rival(classic, "2") as (_, image):
        step = classic.step(push="true", tags=f"{image}:2")
    assert step.code == 0, step.log
    assert step.digests == {}
    assert _ABSENT in step.log


def test_inspect_does_not_say_it_either(classic: Workplace) -> None:
    build = ("buildx", "build", "--metadata-file", str(classic.folder / "m.json"), str(classic.folder))
    inspect = ("-m", "action", "inspect", "m.json", "--format", "json")
    with rival(classic, "1") as (_, image):
        classic.docker(*build, "--push", "-t", f"{image}:1")
        done = classic.python(*inspect, "--output", f"type=image,name={image}:1,push=true")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["digest"] is None
    assert _ABSENT in done.stderr
    classic.docker(*build, "--push", "-t", f"{classic.image}:2")
    done = classic.python(*inspect, "--output", f"type=image,name={classic.image}:2,push=true")
    assert json.loads(done.stdout)["digest"] == served_digest(classic.image, "2")


@pytest.mark.parametrize("load", [False, True])
def test_with_the_containerd_store_no_program_is_started_for_it(work: Workplace, *, load: bool) -> None:
    log = work.folder / "calls"
    fake_docker(work, f'echo "$*" >> {log}\nexec "$REAL" "$@"')
    tags = f"{work.image}:1"
    step = push_and_load(work, tags, provenance="false") if load else work.step(push="true", tags=tags)
    assert step.code == 0, step.log
    calls = log.read_text().splitlines()
    assert len([call for call in calls if call.startswith("buildx build ")]) == 1 + load
    assert not any("image inspect" in call or "imagetools" in call for call in calls)
