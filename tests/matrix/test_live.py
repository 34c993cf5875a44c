"""Build records from BuildKit's own API: several nodes, a history that is off, and builders that do not run yet."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from action.process.docker import find_buildx, is_plugin
from engine import EngineError
from engine.buildkit import Node, buildkitd, buildx, container_image, remote_builder
from engine.docker import Docker, private_docker
from tests.engine.conftest import Workplace, lines, record_plugin
from tests.engine.other_end import served_digest, tar_digest
from tests.matrix.conftest import MakeWorkplace
from tests.matrix.engines import BUILDKIT

pytestmark = pytest.mark.timeout(3600)

_RELEASE = BUILDKIT["0.34"]

BOOTS = int(os.environ.get("BUILD_DIGESTS_BOOTS", "2"))
"""Number of builders that are created and started by a step: 30 find a rare collision."""


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    try:
        with private_docker("containerd") as docker:
            yield docker
    except EngineError as error:
        pytest.skip(f"no engine: {error}")


def _outputs(work: Workplace) -> str:
    return lines(f"type=image,name={work.image}:a,push=true,id=release", "type=oci,dest=a.tar")


def test_a_record_that_an_engine_without_history_does_not_keep_is_named(
    docker: Docker, make_workplace: MakeWorkplace
) -> None:
    with buildkitd(_RELEASE, "[history]\nmaxEntries = 0\n") as address, remote_builder(docker, Node(address)):
        work = make_workplace(docker.environment)
        step = work.step(outputs=_outputs(work))
    assert step.code == 0, step.log
    assert step.digests == {"1": tar_digest(work.folder / "a.tar")}
    (warning,) = [line for line in step.log.splitlines() if "exporter release has no digest" in line]
    assert "its history is switched off (set maxEntries in the section [history] of buildkitd.toml" in warning


def test_each_node_of_a_bake_is_asked_for_its_own_records(docker: Docker, make_workplace: MakeWorkplace) -> None:
    with (
        buildkitd(_RELEASE) as first,
        buildkitd(_RELEASE) as second,
        remote_builder(docker, Node(first, "linux/amd64"), Node(second, "linux/arm64")),
    ):
        work = make_workplace(docker.environment)
        targets = {
            name: {
                "platforms": [platform],
                "output": [f"type=image,name={work.image}-{name}:1,push=true", f"type=oci,dest={name}.tar"],
            }
            for name, platform in (("near", "linux/amd64"), ("far", "linux/arm64"))
        }
        (work.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
        step = work.bake_step(source=".", targets="near,far")
    assert step.code == 0, step.log
    assert json.loads(step.outputs["digests"]) == {
        name: {"0": served_digest(f"{work.image}-{name}", "1"), "1": tar_digest(work.folder / f"{name}.tar")}
        for name in ("near", "far")
    }
    nodes = {document["ref"].split("/")[1] for document in _results(step.outputs["results"]).values()}
    assert len(nodes) == 2


def _results(file: str) -> Mapping[str, Mapping[str, str]]:
    return dict(json.loads(Path(file).read_text(encoding="utf-8"))["targets"])


def test_a_builder_that_was_created_and_never_started_is_started_by_the_build_alone(
    docker: Docker, make_workplace: MakeWorkplace, registry: str
) -> None:
    image = container_image(docker, _RELEASE, registry)
    work = make_workplace(docker.environment)
    alone = is_plugin(find_buildx(work.environment))
    calls = record_plugin(work) if alone else None
    for number in range(BOOTS):
        name = f"created-{number}"
        options = ("--driver-opt", f"image={image}", "--driver-opt", "network=host")
        buildx(docker.environment, "create", "--name", name, "--driver", "docker-container", *options)
        try:
            step = work.step(outputs=_outputs(work), builder=name)
            assert step.code == 0, step.log
            assert step.digests == {"release": served_digest(work.image, "a"), "1": tar_digest(work.folder / "a.tar")}
            assert [each["evidence"] for each in step.exporters] == ["record", "record"]
        finally:
            buildx(docker.environment, "rm", "--force", name)
    # If docker adds nothing to buildx, BuildKit is reached in its container over the engine's socket.
    assert calls is None or {"build"} <= set(calls.read_text().split()) <= {"build", "version", "inspect"}
