"""Names from functions such as `uuidv4()` are those that were pushed, not those of a second evaluation."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from tests.engine.conftest import Step, Workplace
from tests.engine.other_end import served_digest, tar_digest


def asked(registry: str, path: str) -> dict[str, list[str]]:
    """What a registry answers."""
    connection = http.client.HTTPConnection(registry, timeout=30)
    connection.request("GET", path)
    document: dict[str, list[str]] = json.loads(connection.getresponse().read())
    connection.close()
    return document


def pushed_tags(work: Workplace) -> list[str]:
    """The tags that the registry has of the image."""
    return sorted(asked(work.registry, f"/v2/{work.name}/tags/list")["tags"])


def bake(work: Workplace, definition: str, **inputs: str) -> Step:
    (work.folder / "docker-bake.hcl").write_text(definition.replace("IMAGE", work.image), encoding="utf-8")
    step = work.bake_step(source=".", **inputs)
    assert step.code == 0, step.log
    return step


def exporters(step: Step, target: str = "default") -> list[dict[str, Any]]:
    return list(json.loads(step.outputs["exporters"])[target])


@pytest.mark.parametrize("inputs", [{"push": "true"}, {"push": "true", "verify": "true"}])
def test_a_tag_from_a_function_is_the_one_that_was_pushed(work: Workplace, inputs: dict[str, str]) -> None:
    step = bake(work, 'target "default" { tags = ["IMAGE:${uuidv4()}", "IMAGE:fixed"] }', **inputs)
    (pushed,) = [tag for tag in pushed_tags(work) if tag != "fixed"]
    (exporter,) = exporters(step)
    assert exporter["names"] == [f"{work.image}:{pushed}", f"{work.image}:fixed"]
    assert exporter["digest"] == served_digest(work.image, pushed)


def test_a_repository_from_a_function_is_the_one_that_was_pushed(work: Workplace) -> None:
    definition = (
        'target "default" { output = ["type=image,name=IMAGE-${uuidv4()}:1,push=true", "type=oci,dest=a.tar"] }'
    )
    step = bake(work, definition, verify="true")
    repositories = asked(work.registry, "/v2/_catalog?n=1000")["repositories"]
    (repository,) = [name for name in repositories if name.startswith(f"{work.name}-")]
    image, archive = exporters(step)
    assert image["names"] == [f"{work.registry}/{repository}:1"]
    digest = served_digest(f"{work.registry}/{repository}", "1")
    assert (image["digest"], archive["digest"]) == (digest, tar_digest(work.folder / "a.tar"))
    assert json.loads(step.outputs["refs"]) == [f"{work.registry}/{repository}@{digest}"]


def test_several_outputs_of_one_type_keep_their_order(work: Workplace) -> None:
    definition = """target "default" { output = [
      "type=image,name=IMAGE:a-${uuidv4()},push=true,annotation.a=${uuidv4()}",
      "type=image,name=IMAGE:b-${uuidv4()},push=true,annotation.b=${timestamp()}",
      "type=oci,dest=a.tar,annotation.c=${uuidv4()}",
    ] }"""
    step = bake(work, definition)
    first, second = pushed_tags(work)
    assert [(each["names"], each["digest"]) for each in exporters(step)] == [
        ([f"{work.image}:{first}"], served_digest(work.image, first)),
        ([f"{work.image}:{second}"], served_digest(work.image, second)),
        ([], tar_digest(work.folder / "a.tar")),
    ]
    assert served_digest(work.image, first) != served_digest(work.image, second)


def test_tags_from_a_function_are_the_names_of_each_output(work: Workplace) -> None:
    definition = """target "default" {
      tags = ["IMAGE:${uuidv4()}"]
      output = ["type=image,push=true,id=x", "type=docker,dest=docker.tar"]
    }"""
    step = bake(work, definition, provenance="false")
    (pushed,) = pushed_tags(work)
    image, docker = exporters(step)
    assert image["names"] == docker["names"] == [f"{work.image}:{pushed}"]
    assert (image["digest"], docker["digest"]) == (
        served_digest(work.image, pushed),
        tar_digest(work.folder / "docker.tar"),
    )


def test_names_that_no_function_makes_are_spelled_as_written(work: Workplace) -> None:
    step = bake(work, 'target "default" {\n tags = ["IMAGE", "app:1"]\n output = ["type=oci,dest=a.tar"]\n}')
    assert exporters(step)[0]["names"] == [work.image, "app:1"]


def test_the_classic_image_store_says_the_names_too(classic: Workplace) -> None:
    step = bake(classic, 'target "default" { tags = ["IMAGE:${uuidv4()}"] }', push="true")
    (pushed,) = pushed_tags(classic)
    (exporter,) = exporters(step)
    assert exporter["names"] == [f"{classic.image}:{pushed}"]
    assert exporter["digest"] == served_digest(classic.image, pushed)
