"""`push`, `refs` and `checksums` say what was pushed: what a registry serves, and nothing else."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest

from tests.engine.conftest import ASKS_FOR_RECORD, Step, Workplace, fake_docker, lines, push_and_load
from tests.engine.other_end import image_manifests, served, served_digest
from tests.engine.registry_proxy import Fault, registry_proxy


def tags(image: str) -> list[str]:
    """The tags that a registry has in a repository."""
    registry, _, repository = image.partition("/")
    connection = http.client.HTTPConnection(registry, timeout=30)
    connection.request("GET", f"/v2/{repository}/tags/list")
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return list(answer.get("tags") or [])


def check_refs(step: Step) -> list[str]:
    """Check that a registry serves each ref, and that the checksums are of the refs."""
    refs = list(json.loads(step.outputs["refs"]))
    for ref in refs:
        image, _, digest = ref.partition("@")
        assert served(image, digest)[0] == digest
    lines_of_file = Path(step.outputs["checksums"]).read_text().splitlines() if refs else []
    assert lines_of_file == [f"{ref.rpartition(':')[2]}  {ref.partition('@')[0]}" for ref in refs]
    return refs


@pytest.mark.parametrize(
    "output",
    [
        "type=image,name=IMAGE,push=true",
        "type=image,name=IMAGE,push=",
        "type=image,name=IMAGE,push=false",
        "type=image,name=IMAGE",
        "type=registry,name=IMAGE,push=",
        "type=moby,name=IMAGE,push=true",
        "type=docker,name=IMAGE,push=true",
        "type=docker,name=IMAGE,push=",
        "type=docker,name=IMAGE",
    ],
)
@pytest.mark.parametrize("store", ["containerd", "classic"])
def test_an_output_is_pushed_if_the_registry_has_it(request: pytest.FixtureRequest, output: str, store: str) -> None:
    work: Workplace = request.getfixturevalue("work" if store == "containerd" else "classic")
    step = work.step(outputs=output.replace("IMAGE", f"{work.image}:1"))
    assert step.code == 0, step.log
    is_there = tags(work.image) == ["1"]
    assert [each["push"] for each in step.exporters] == [is_there]
    assert bool(check_refs(step)) is is_there


def test_outputs_that_are_no_images_of_an_engine_are_never_pushed(work: Workplace) -> None:
    step = work.step(
        outputs=lines(
            f"type=oci,name={work.image}:1,dest=a.tar,push=true",
            f"type=docker,name={work.image}:2,dest=b.tar,push=true",
            "type=local,dest=out,push=true",
            f"type=oci,name={work.image}:3,dest=c.tar,push=",
        ),
        provenance="false",
    )
    assert step.code == 0, step.log
    assert tags(work.image) == []
    assert [each["push"] for each in step.exporters] == [False] * 4
    assert step.outputs["refs"] == "[]"
    assert "checksums" not in step.outputs


@pytest.mark.parametrize("store", ["containerd", "classic"])
def test_of_push_and_load_only_the_first_is_pushed(request: pytest.FixtureRequest, store: str) -> None:
    work: Workplace = request.getfixturevalue("work" if store == "containerd" else "classic")
    step = push_and_load(work, f"{work.image}:1")
    assert step.code == 0, step.log
    assert [each["push"] for each in step.exporters] == [True, False]
    assert check_refs(step) == [f"{work.image}@{served(work.image, '1')[0]}"]


_TWO = "linux/amd64,linux/arm64"


def _subjects(image: str, *references: str) -> list[str]:
    """The image of each tag or digest as the registry serves it, and what its index names besides attestations."""
    found = []
    for reference in references:
        digest, document = served(image, reference)
        entries = image_manifests(document) if "manifests" in document else []
        found += [f"{image}@{each}" for each in (digest, *(entry["digest"] for entry in entries))]
    return found


def test_platform_subjects_are_the_image_and_that_of_each_platform(work: Workplace) -> None:
    step = work.step(push="true", tags=f"{work.image}:1", platforms=_TWO, platform_subjects="true")
    assert step.code == 0, step.log
    expected = _subjects(work.image, "1")
    assert check_refs(step) == expected
    assert len(expected) == 3


def test_platform_subjects_of_a_bake_are_those_of_each_target(work: Workplace) -> None:
    outputs = [f"type=image,name={work.image}:{key},push=true,id={key}" for key in ("one", "two")]
    plain = {"output": [f"type=image,name={work.image}:plain,push=true"], "attest": ["type=provenance,disabled=true"]}
    targets = {
        "web": {"output": [*outputs, "type=oci,dest=web.tar"], "platforms": _TWO.split(","), "args": {"A": "1"}},
        "api": plain,
    }
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
    step = work.bake_step(source=".", targets="web,api", platform_subjects="true")
    assert step.code == 0, step.log
    assert sorted(check_refs(step)) == sorted(set(_subjects(work.image, "one", "two", "plain")))
    # An image without an index is that of its platform.
    assert check_refs(step).count(f"{work.image}@{served_digest(work.image, 'plain')}") == 1


def test_a_registry_is_asked_for_platforms_that_the_builder_does_not_tell(work: Workplace) -> None:
    fake_docker(work, f'{ASKS_FOR_RECORD} && exit 1\nexec "$REAL" "$@"')
    step = work.step(push="true", tags=f"{work.image}:1", platforms=_TWO, platform_subjects="true")
    assert step.code == 0, step.log
    assert check_refs(step) == _subjects(work.image, "1")
    with registry_proxy(work.registry) as proxy:
        image = f"{proxy.address}/{work.name}"
        proxy.faults = [Fault("GET", "/manifests/sha256:", 403)]
        step = work.step(push="true", tags=f"{image}:1", platforms=_TWO, platform_subjects="true")
        assert step.code == 0, step.log
        refs = json.loads(step.outputs["refs"])
    assert refs == [f"{image}@{served_digest(work.image, '1')}"]
    assert f"::warning::platform-subjects: refs and checksums lack the platforms of {refs[0]}: " in step.log
