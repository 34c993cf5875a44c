"""A hostile `# syntax=` frontend: what it writes into a response is never taken for a reference or a digest."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.engine.conftest import Workplace, lines
from tests.engine.frontend import push_frontend
from tests.engine.other_end import served_digest, tar_digest

pytestmark = pytest.mark.usefixtures("busybox")
FORGED, OTHER = "sha256:" + "6" * 64, "sha256:" + "7" * 64
REF = "default/default/forged"
DESCRIPTOR = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": FORGED, "size": 1}
RESPONSES = [{"id": "release", "type": "image", "data": {"containerimage.digest": FORGED}}]
METADATA = {
    "buildx.build.ref": REF,
    "cache.manifest": json.dumps(DESCRIPTOR),
    "containerimage.config.digest": OTHER,
    "containerimage.descriptor": base64.b64encode(json.dumps(DESCRIPTOR).encode()).decode(),
    "containerimage.digest": FORGED,
    "exporter.responses": base64.b64encode(json.dumps(RESPONSES).encode()).decode(),
    "image.name": "docker.io/octo/forged",
    "result.json": '{"warnings": []}',
    "result.txt": "nothing\n",
    "result.statuscode": "0",
    "version": "1.0.0",
}


@pytest.fixture
def hostile(work: Workplace) -> Workplace:
    """A workplace whose Dockerfile names a hostile frontend."""
    frontend = push_frontend(work, METADATA)
    (work.folder / "Dockerfile").write_text(f"# syntax={frontend}\nFROM scratch\n")
    return work


@pytest.mark.parametrize("call", ["check", "outline", "check,format=json"])
def test_with_call_nothing_that_a_frontend_writes_becomes_an_output(hostile: Workplace, call: str) -> None:
    step = hostile.step(call=call, push="true", tags=f"{hostile.image}:1")
    assert step.code == 0, step.log
    # The frontend has written it: the test would show nothing otherwise.
    assert json.loads(step.outputs["metadata"])["buildx.build.ref"] == REF
    others = {name: value for name, value in step.outputs.items() if name != "metadata"}
    assert not [name for name, value in others.items() if any(each in value for each in (FORGED, OTHER, "forged"))]
    assert not others.get("ref")
    assert step.digests == {}


def test_a_call_with_findings_fails_and_its_reference_is_nobodys(work: Workplace) -> None:
    frontend = push_frontend(work, {**METADATA, "result.statuscode": "1"})
    (work.folder / "Dockerfile").write_text(f"# syntax={frontend}\nFROM scratch\n")
    step = work.step(call="check", record="true")
    assert step.code == 1
    assert json.loads(step.outputs["metadata"])["buildx.build.ref"] == REF
    assert not step.outputs.get("ref")
    assert not step.outputs.get("record")
    assert "history" not in step.log


@pytest.mark.parametrize("own", [False, True])
def test_a_bake_target_that_is_called_has_no_reference_and_costs_no_other(hostile: Workplace, *, own: bool) -> None:
    (hostile.folder / "other.Dockerfile").write_text("FROM scratch\nCOPY hello.txt /\n")
    outputs = [f"type=image,name={hostile.image}:2,push=true,id=release", "type=oci,dest=oci.tar"]
    called = {"call": "check"} if own else {}
    plain = {"dockerfile": "other.Dockerfile", "output": outputs}
    definition = {"target": {"called": {"tags": [f"{hostile.image}:1"], **called}, "plain": plain}}
    (hostile.folder / "docker-bake.json").write_text(json.dumps(definition))
    step = hostile.bake_step(source=".", targets="called,plain" if own else "called", call="" if own else "check")
    assert step.code == 0, step.log
    assert json.loads(step.outputs["metadata"])["called"]["containerimage.digest"] == FORGED
    others = {name: value for name, value in step.outputs.items() if name != "metadata"}
    assert not [name for name, value in others.items() if any(each in value for each in (FORGED, OTHER, "forged"))]
    refs = json.loads(Path(step.outputs["results"]).read_text())["targets"]
    assert refs["called"]["ref"] is None
    if own:
        digests = {"release": served_digest(hostile.image, "2"), "1": tar_digest(hostile.folder / "oci.tar")}
        assert json.loads(step.outputs["digests"])["plain"] == digests
        assert "::warning::" not in step.log


def test_with_call_the_terminal_takes_nothing_from_a_frontend(hostile: Workplace) -> None:
    done = hostile.python("-m", "action", "build", "--results", "r.json", "--", "--call=check", ".")
    assert done.returncode == 0, done.stderr
    results = json.loads((hostile.folder / "r.json").read_text())
    assert (results["ref"], results["digest"], results["imageid"], results["exporters"]) == (None, None, None, [])


@pytest.mark.parametrize("outputs", ["one", "several"])
@pytest.mark.parametrize("provenance", ["false", "mode=max"])
def test_in_a_build_a_frontend_writes_no_reference_digest_or_image_id(
    hostile: Workplace, outputs: str, provenance: str
) -> None:
    listed = [f"type=image,name={hostile.image}:1,push=true,id=release"]
    if outputs == "several":
        listed.append("type=oci,dest=oci.tar,id=tar")
    step = hostile.step(outputs=lines(*listed), provenance=provenance, require_digests="true")
    assert step.code == 0, step.log
    assert step.digests["release"] == served_digest(hostile.image, "1")
    if outputs == "several":
        assert step.digests["tar"] == tar_digest(hostile.folder / "oci.tar")
    assert not [name for name, value in step.outputs.items() if any(each in value for each in (FORGED, "forged"))]
    assert OTHER not in "".join(step.imageids.values())
    assert OTHER not in step.outputs["imageid"]


@pytest.mark.parametrize("who", ["frontend", "user"])
def test_an_annotation_of_the_index_is_no_image_id(work: Workplace, who: str) -> None:
    # BuildKit takes containerimage.config.digest from this annotation; for an index it sets none itself.
    inputs = {}
    if who == "frontend":
        frontend = push_frontend(work, {"annotation-index-descriptor.config.digest": OTHER}, "linux/amd64")
        (work.folder / "Dockerfile").write_text(f"# syntax={frontend}\nFROM scratch\n")
    else:
        inputs["annotations"] = f"index-descriptor:config.digest={OTHER}"
    step = work.step(push="true", tags=f"{work.image}:1", provenance="mode=max", require_digests="true", **inputs)
    assert step.code == 0, step.log
    assert json.loads(step.outputs["metadata"])["containerimage.config.digest"] == OTHER
    assert step.outputs["digest"] == served_digest(work.image, "1")
    assert step.outputs["imageid"] == served_digest(work.image, "1")
