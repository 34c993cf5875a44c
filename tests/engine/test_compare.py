"""`compare`: what changed against another image, and nothing where that is not known."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Step, Workplace, fake_docker, lines
from tests.engine.other_end import (
    image_manifests,
    push_artifact,
    push_manifest,
    served,
    served_blob,
    served_digest,
    tar_digest,
)
from tests.engine.registry_proxy import Fault, Proxy, registry_proxy
from tests.engine.test_moved_tag import push_a_rival
from tests.github_api import TOKEN, GitHub
from tests.unit.report.rendered import Page, html

_PASSWORD = "Basic " + base64.b64encode(b"octo:hunter2hunter2").decode()


def _changed(step: Step) -> dict[str, Any]:
    assert step.code == 0, step.log
    return dict(json.loads(step.outputs["changed"]))


def _comparison(step: Step, place: int = 0) -> dict[str, Any]:
    return dict(step.exporters[place]["comparison"])


def _push(work: Workplace, tag: str, **inputs: str) -> str:
    step = work.step(push="true", tags=f"{work.image}:{tag}", **inputs)
    assert step.code == 0, step.log
    assert "changed" not in step.outputs
    assert "comparison" not in step.exporters[0]
    return served_digest(work.image, tag)


def _parts(image: str, reference: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest and the config of the one image under a tag or digest."""
    document = served(image, reference)[1]
    if "manifests" in document:
        (entry,) = image_manifests(document)
        document = served(image, entry["digest"])[1]
    return document, json.loads(served_blob(image, document["config"]["digest"]))


def _size(manifest: dict[str, Any]) -> int:
    return int(manifest["config"]["size"]) + sum(int(layer["size"]) for layer in manifest["layers"])


def _change(work: Workplace, text: str) -> None:
    (work.folder / "hello.txt").write_text(text)


def test_the_same_layers_at_another_time_have_not_changed(work: Workplace) -> None:
    labels = "org.opencontainers.image.created=2026-01-01T00:00:00Z"
    digest = _push(work, "main", labels=labels, cache_to="type=inline")
    step = work.step(
        outputs=lines(
            f"type=image,name={work.image}:pr,push=true,id=release,compression=zstd,force-compression=true",
            "type=oci,dest=a.tar",
            "type=local,dest=out",
        ),
        labels="org.opencontainers.image.created=2026-01-02T00:00:00Z",
        no_cache="true",
        provenance="mode=max",
        compare=f"{work.image}:main",
    )
    assert _changed(step) == {"release": False, "1": False}
    (main, main_config), (pr, pr_config) = _parts(work.image, "main"), _parts(work.image, "pr")
    assert main_config["created"] != pr_config["created"]
    assert "moby.buildkit.cache.v0" in main_config
    assert [each["digest"] for each in main["layers"]] != [each["digest"] for each in pr["layers"]]
    comparison = _comparison(step)
    assert (comparison["image"], comparison["digest"]) == (f"{work.image}:main", digest)
    (platform,) = comparison["platforms"]
    assert (platform["platform"], platform["added"], platform["removed"]) == ("linux/amd64", [], [])
    assert (platform["size"], platform["compared_size"]) == (_size(pr), _size(main))
    assert step.digests["1"] == tar_digest(work.folder / "a.tar")
    assert "comparison" not in step.exporters[2]
    assert json.loads(Path(step.outputs["results"]).read_text())["exporters"][0]["comparison"] == comparison


def test_a_layer_that_differs_is_named_on_both_sides(work: Workplace) -> None:
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /same\nCOPY hello.txt /hello.txt\n")
    _push(work, "main")
    _change(work, "x" * 100)
    step = work.step(push="true", tags=f"{work.image}:pr", compare=f"{work.image}:main")
    assert _changed(step) == {"0": True}
    (main, _), (pr, _) = _parts(work.image, "main"), _parts(work.image, "pr")
    (platform,) = _comparison(step)["platforms"]
    made_by = "COPY hello.txt /hello.txt # buildkit"
    (_, new), (_, old) = pr["layers"], main["layers"]
    assert platform["added"] == [{"digest": new["digest"], "size": new["size"], "created_by": made_by}]
    assert platform["removed"] == [{"digest": old["digest"], "size": old["size"], "created_by": made_by}]


def test_each_platform_counts(work: Workplace) -> None:
    _push(work, "main")
    platforms = "linux/amd64,linux/arm64"
    step = work.step(push="true", tags=f"{work.image}:pr", platforms=platforms, compare=f"{work.image}:main")
    assert _changed(step) == {"0": True}
    amd, arm = _comparison(step)["platforms"]
    assert (amd["platform"], amd["changed"]) == ("linux/amd64", False)
    assert (arm["platform"], arm["changed"], arm["compared_size"]) == ("linux/arm64", True, None)
    assert [each["created_by"] for each in arm["added"]] == ["COPY hello.txt /hello.txt # buildkit"]
    again = work.step(outputs="type=oci,dest=a.tar", platforms=platforms, compare=f"{work.image}:pr")
    assert _changed(again) == {"0": False}


def test_an_image_that_only_the_engine_keeps_is_compared(work: Workplace) -> None:
    _push(work, "main")
    inputs = {"tags": "app-of-this-test:pr", "load": "true", "compare": f"{work.image}:main"}
    step = work.step(no_cache="true", **inputs)
    assert _changed(step) == {"0": False}
    _change(work, "z" * 77)
    step = work.step(**inputs)
    assert _changed(step) == {"0": True}
    (platform,) = _comparison(step)["platforms"]
    assert platform["compared_size"] == _size(_parts(work.image, "main")[0])


def _log_commands(work: Workplace) -> Path:
    log = work.folder.with_name(f"{work.folder.name}-commands")
    # A build is logged when it starts, and a query of a registry when it has ended: both may run at the same time.
    query = f'[[ "$2" = imagetools ]] && {{ "$REAL" "$@"; code=$?; echo query >> {log}; exit $code; }}'
    fake_docker(work, f'{query}; [[ "$2" = build ]] && echo build >> {log}; exec "$REAL" "$@"')
    return log


def test_a_tag_that_the_build_replaces_is_resolved_before_it_starts(work: Workplace) -> None:
    before = _push(work, "main")
    _change(work, "y" * 50)
    log = _log_commands(work)
    # 127.0.0.1 is another name of the same registry.
    name = f"{work.image.replace('localhost', '127.0.0.1')}:main"
    step = work.step(push="true", tags=f"{work.image}:main", compare=name)
    assert _changed(step) == {"0": True}
    assert _comparison(step)["digest"] == before != served_digest(work.image, "main")
    assert log.read_text().split()[:2] == ["query", "build"]


@pytest.mark.parametrize("by_digest", [False, True])
def test_nothing_else_is_asked_before_the_build_starts(work: Workplace, *, by_digest: bool) -> None:
    before = _push(work, "main")
    log = _log_commands(work)
    name = f"{work.image}:main@{before}" if by_digest else f"{work.image}:main"
    step = work.step(push="true", tags=f"{work.image}:{'main' if by_digest else 'pr'}", compare=name)
    assert _changed(step) == {"0": False}
    assert _comparison(step)["digest"] == before
    assert log.read_text().split()[0] == "build"


def test_a_tag_that_moves_meanwhile_is_resolved_once(work: Workplace) -> None:
    before = _push(work, "main")
    with registry_proxy(work.registry) as proxy:
        moved: list[str] = []

        def move(method: str, path: str) -> None:
            if method == "GET" and "/manifests/" in path and not moved:
                moved.append(push_a_rival(work.image, "main"))

        proxy.after = move
        step = work.step(outputs="type=oci,dest=a.tar", compare=f"{proxy.address}/{work.name}:main")
    assert moved == [served_digest(work.image, "main")]
    assert _changed(step) == {"0": False}
    assert _comparison(step)["digest"] == before


def test_an_image_that_does_not_exist_yet_is_a_notice_and_everything_changed(work: Workplace) -> None:
    name = f"{work.image}-none:main"
    outputs = lines(
        f"type=image,name={work.image}:a,push=true,id=release", "type=docker,dest=a.tar", "type=local,dest=o"
    )
    step = work.step(outputs=outputs, compare=name)
    assert _changed(step) == {"release": True, "1": True}
    assert f"::notice::compare: {name} does not exist yet" in step.log
    assert "::warning::" not in step.log
    assert _comparison(step)["digest"] is None


def _not_known(step: Step, said: str) -> None:
    assert _changed(step) == {}
    (warning,) = [line for line in step.log.splitlines() if line.startswith("::warning::compare: ")]
    assert said in warning
    assert _comparison(step)["changed"] is None


@pytest.mark.parametrize("replaced", [False, True])
def test_a_registry_that_is_down_costs_only_the_comparison(work: Workplace, *, replaced: bool) -> None:
    with registry_proxy(work.registry) as proxy:
        name = f"{proxy.address}/{work.name}:main"
        # There are two queries before the build, and buildx makes two requests for each. The push must succeed.
        proxy.faults = [Fault("GET|HEAD", "/manifests/main", 503, times=4 if replaced else None)]
        tags = name if replaced else f"{work.image}:pr"
        _not_known(work.step(push="true", tags=tags, compare=name), "503 Service Unavailable")


def test_a_registry_that_recovers_is_asked_again_after_the_build(work: Workplace) -> None:
    _push(work, "main")
    with registry_proxy(work.registry) as proxy:
        proxy.faults = [Fault("GET|HEAD", "/manifests/main", 503, times=4)]
        step = work.step(push="true", tags=f"{work.image}:pr", compare=f"{proxy.address}/{work.name}:main")
    assert _changed(step) == {"0": False}


def test_something_that_is_no_image_is_not_compared(work: Workplace) -> None:
    push_artifact(work.image, ("chart",), b"chart")
    chart = served(work.image, "chart")[1]
    chart["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
    push_manifest(work.image, ("chart",), chart)
    step = work.step(push="true", tags=f"{work.image}:pr", compare=f"{work.image}:chart")
    _not_known(step, "it is not a container image")


def test_a_registry_that_does_not_serve_a_config_by_its_digest_is_asked_for_what_buildx_prints(work: Workplace) -> None:
    text = 'FROM scratch\nCOPY hello.txt /\nHEALTHCHECK --interval={}s CMD true\nEXPOSE 80\nSHELL ["/sh"]\nLABEL a=b\n'
    (work.folder / "Dockerfile").write_text(text.format(5))
    _push(work, "main")
    config = _parts(work.image, "main")[0]["config"]["digest"]
    with registry_proxy(work.registry) as proxy:
        # buildx 0.38 takes the 500 of this registry for a manifest with a config's digest as final; 0.29 goes on.
        proxy.faults = [Fault("HEAD", f"/(?:manifests|blobs)/{config}", 500)]
        name = f"{proxy.address}/{work.name}:main"
        step = work.step(push="true", tags=f"{work.image}:pr", no_cache="true", compare=name)
        assert proxy.faulted
        assert _changed(step) == {"0": False}
        (work.folder / "Dockerfile").write_text(text.format(6))
        step = work.step(push="true", tags=f"{work.image}:pr", compare=name)
    assert _changed(step) == {"0": True}
    assert [each["added"] for each in _comparison(step)["platforms"]] == [[]]


@pytest.fixture
def private(work: Workplace, second_registry: str) -> Iterator[Proxy]:
    """Another registry, which needs a password, and has the image of the workplace as `main`."""
    digest = _push(work, "main")
    copy = ("buildx", "imagetools", "create", "--tag", f"{second_registry}/{work.name}:main", f"{work.image}@{digest}")
    work.docker(*copy)
    with registry_proxy(second_registry) as proxy:
        proxy.authorization = _PASSWORD
        yield proxy


def test_a_registry_that_refuses_the_credentials_costs_only_the_comparison(work: Workplace, private: Proxy) -> None:
    step = work.step(push="true", tags=f"{work.image}:pr", compare=f"{private.address}/{work.name}:main")
    _not_known(step, "log in before this step (docker/login-action)")


def test_a_registry_is_asked_with_the_credentials_of_the_docker_config(work: Workplace, private: Proxy) -> None:
    own = Path(work.environment["DOCKER_CONFIG"])
    config = work.folder.with_name(f"{work.folder.name}-config")
    config.mkdir()
    for each in own.iterdir():
        (config / each.name).symlink_to(each)
    known = json.loads((own / "config.json").read_text()) if (own / "config.json").exists() else {}
    (config / "config.json").unlink(missing_ok=True)
    auths = {**known.get("auths", {}), private.address: {"auth": _PASSWORD.removeprefix("Basic ")}}
    (config / "config.json").write_text(json.dumps({**known, "auths": auths}))
    work.environment = {**work.environment, "DOCKER_CONFIG": str(config)}
    name = f"{private.address}/{work.name}:main"
    step = work.step(push="true", tags=f"{work.image}:pr", compare=name)
    assert _changed(step) == {"0": False}
    assert _comparison(step)["digest"] == served_digest(work.image, "main")


@pytest.mark.parametrize(
    ("compare", "said"),
    [
        (
            "Not An Image",
            "compare: 'Not An Image' is not the name of an image; write the name of an image in a registry",
        ),
        ("app:1,app:2", "compare: 'app:2' is a second image for the same target; write one image"),
    ],
)
def test_an_image_that_cannot_be_one_fails_before_the_build(work: Workplace, compare: str, said: str) -> None:
    step = work.step(outputs="type=oci,dest=a.tar", compare=compare)
    assert step.code == 2
    assert f"::error::{said}" in step.log
    assert not (work.folder / "a.tar").exists()


def test_each_target_of_a_bake_is_compared_with_its_own_image(work: Workplace) -> None:
    targets = {name: {"output": [f"type=image,name={work.image}-{name}:1,push=true"]} for name in ("web", "api", "db")}
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
    assert work.bake_step(source=".", targets="web,api,db").code == 0
    names = (f"web={work.image}-web:1", f"api={work.image}-none:1", f"{work.image}-db:1")
    step = work.bake_step(source=".", targets="web,api,db", set="db.labels.a=b", compare=lines(*names))
    assert _changed(step) == {"web": {"0": False}, "api": {"0": True}, "db": {"0": True}}
    refused = work.bake_step(source=".", targets="web,api,db", compare=f"wbe={work.image}-web:1")
    assert refused.code == 2
    assert "::error::compare: 'wbe' is not a target of this bake; write one of: api, db, web" in refused.log


def test_summary_and_comment_show_the_difference(work: Workplace, github: GitHub) -> None:
    _push(work, "main")
    (main, _) = _parts(work.image, "main")
    _change(work, os.urandom(5000).hex())
    summary = work.folder / "summary.md"
    work.environment = {**work.environment, "GITHUB_STEP_SUMMARY": str(summary)}
    name = f"{work.image}:main"
    step = work.step(push="true", tags=f"{work.image}:pr", compare=name, comment="true", github_token=TOKEN)
    assert step.code == 0, step.log
    (pr, _) = _parts(work.image, "pr")
    assert _size(pr) > 5000
    row = ["0", name, "linux/amd64", f"{_size(pr) / 1000:.1f} kB", f"+{(_size(pr) - _size(main)) / 1000:.1f} kB"]
    (comment,) = github.own
    for text in (summary.read_text(), comment):
        cells = Page(html(text)).cells
        start = cells.index("Compared with") + 5
        assert cells[start : start + 6] == [*row, "1 layer added, 1 layer removed"]
        assert "COPY hello.txt /hello.txt # buildkit" in cells


def test_the_command_line_and_python_compare_too(work: Workplace) -> None:
    _push(work, "main")
    name = f"{work.image}:main"
    done = work.python("-m", "action", "build", "--compare", name, "--", "--output", "type=oci,dest=a.tar,id=tar", ".")
    assert done.returncode == 0, done.stderr
    size = _size(_parts(work.image, "main")[0])
    assert done.stdout.splitlines()[-1] == f"tar linux/amd64, against {name}: no change; {size} B (±0 B)"
    _change(work, "other")
    program = "import sys, action; print(action.build(context='.', tags='a', load=True, compare=sys.argv[1]).changed)"
    done = work.python("-c", program, f"{work.image}:none")
    assert (done.stdout, done.returncode) == ("{'0': True}\n", 0), done.stderr
