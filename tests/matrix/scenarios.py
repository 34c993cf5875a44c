"""The builds that run on every engine, and the true digest of each of their exporters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.engine.conftest import Step, Workplace, lines
from tests.engine.other_end import served_digest, tar_config, tar_digest
from tests.matrix.engines import Engine

Truths = Mapping[str, str]
"""An exporter's key to its digest in the registry, file or engine; the keys of a bake are `target/key`."""


@dataclass(frozen=True)
class Scenario:
    """A build that runs on every engine.

    Attributes:
        name: the name in expected.yml and in test names.
        title: the heading in the table.
        run: runs the build as a step.
        truths: returns the true digests of its exporters.
    """

    name: str
    title: str
    run: Callable[[Workplace], Step]
    truths: Callable[[Workplace, Engine], Truths]


def _push(work: Workplace) -> Step:
    return work.step(push="true", tags=f"{work.image}:1,{work.image}:latest")


def _pushed(work: Workplace, _engine: Engine) -> Truths:
    assert served_digest(work.image, "1") == served_digest(work.image, "latest")
    return {"0": served_digest(work.image, "1")}


def _several(work: Workplace) -> Step:
    return work.step(
        outputs=lines(
            f"type=image,name={work.image}:a,push=true,id=release",
            "type=oci,dest=oci.tar",
            "type=docker,dest=docker.tar",
            "type=local,dest=out",
        )
    )


def _each_of_several(work: Workplace, _engine: Engine) -> Truths:
    return {
        "release": served_digest(work.image, "a"),
        "1": tar_digest(work.folder / "oci.tar"),
        "2": tar_digest(work.folder / "docker.tar"),
    }


def _beside(work: Workplace) -> Step:
    return work.step(outputs=lines("type=local,dest=out", f"type=image,name={work.image}:a,push=true,id=release"))


def _load(work: Workplace) -> Step:
    return work.step(load="true", tags=f"{work.name}:loaded")


def _loaded(work: Workplace, engine: Engine) -> Truths:
    image = json.loads(work.docker("image", "inspect", f"{work.name}:loaded"))[0]
    if engine.store == "containerd":
        # `docker image inspect` before Docker 28 has no Descriptor; with the containerd store the ID is the digest.
        return {"0": image.get("Descriptor", {}).get("digest", image["Id"])}
    if engine.driver == "docker":
        return {}
    # The classic store keeps no manifest, so the digest is taken from the same build written to a file.
    again = work.folder / "again.tar"
    work.docker("buildx", "build", "--output", f"type=docker,dest={again}", "--provenance=false", str(work.folder))
    assert tar_config(again) == image["Id"]
    return {"0": tar_digest(again)}


def _platforms(work: Workplace) -> Step:
    return work.step(platforms="linux/amd64,linux/arm64", push="true", tags=f"{work.image}:1,{work.image}:latest")


def _platforms_as_a_file(work: Workplace) -> Step:
    return work.step(platforms="linux/amd64,linux/arm64", outputs="type=oci,dest=oci.tar")


def _kept(work: Workplace) -> Step:
    return work.step(
        platforms="linux/amd64,linux/arm64", outputs=f"type=image,name={work.image}:1,id=kept", provenance="false"
    )


def _kept_and_pushed(work: Workplace, _engine: Engine) -> Truths:
    """Return the digest of the same build, pushed: without a push no registry or file has the image."""
    output = f"type=image,name={work.image}:1,push=true"
    build = ("buildx", "build", "--provenance=false", "--platform=linux/amd64,linux/arm64", "--output", output)
    work.docker(*build, str(work.folder))
    return {"kept": served_digest(work.image, "1")}


def _default(work: Workplace) -> Step:
    return work.step(tags=f"{work.name}:loaded")


def _by_default(work: Workplace, engine: Engine) -> Truths:
    return _loaded(work, engine) if engine.driver == "docker" else {}


_HCL = """
group "default" { targets = ["web", "api"] }
target "web" {
  tags = ["IMAGE-web:1"]
  output = ["type=image,push=true,id=release", "type=docker,dest=web.tar"]
}
target "api" {
  tags = ["IMAGE-api:1"]
  output = ["type=oci,dest=api.tar", "type=image,push=true"]
}
"""


def _bake(work: Workplace) -> Step:
    (work.folder / "docker-bake.hcl").write_text(_HCL.replace("IMAGE", work.image))
    return work.bake_step(source=".")


def _baked(work: Workplace, _engine: Engine) -> Truths:
    return {
        "web/release": served_digest(f"{work.image}-web", "1"),
        "web/1": tar_digest(work.folder / "web.tar"),
        "api/0": tar_digest(work.folder / "api.tar"),
        "api/1": served_digest(f"{work.image}-api", "1"),
    }


SCENARIOS = (
    Scenario("push", "`push` and `tags`", _push, _pushed),
    Scenario(
        "beside", "image pushed, files beside it", _beside, lambda work, _: {"release": served_digest(work.image, "a")}
    ),
    Scenario("several", "image pushed, OCI tar, docker tar, files", _several, _each_of_several),
    Scenario("load", "`load`", _load, _loaded),
    Scenario("platforms", "two platforms pushed", _platforms, _pushed),
    Scenario(
        "platforms-tar",
        "two platforms in an OCI tar",
        _platforms_as_a_file,
        lambda work, _: {"0": tar_digest(work.folder / "oci.tar")},
    ),
    Scenario("kept", "two platforms, not pushed", _kept, _kept_and_pushed),
    Scenario("default", "no output", _default, _by_default),
    Scenario("bake", "bake, two targets, image pushed and tar each", _bake, _baked),
)
