"""`inspect`: a digest is never given to an exporter that nobody declared, and other files are called by their name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.unit.command_line import command
from tests.unit.evidence.records import write_record
from tests.unit.oci.layouts import one_image, write_tar

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
REF = "b/n/r"


@pytest.fixture
def metadata(tmp_path: Path) -> Path:
    file = tmp_path / "m.json"
    file.write_text(json.dumps({"buildx.build.ref": REF, "containerimage.digest": DIGEST, "image.name": "app"}))
    return file


@pytest.mark.parametrize("options", [(), ("--tag", "app"), ("--format", "json")])
def test_without_outputs_and_record_no_digest_is_given_to_anyone(metadata: Path, options: tuple[str, ...]) -> None:
    done = command("inspect", metadata.name, *options, folder=metadata.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: m.json: it does not say which output made {DIGEST}; name the build's outputs (--output, --push, "
        "--load) or its record (--record)\n"
    )


def test_without_outputs_the_record_says_which_exporters_there_are(metadata: Path) -> None:
    image = {"name": "docker.io/library/app:latest,localhost:5000/app:1", "push": "true", "id": "release"}
    write_record(
        metadata.parent / "r.dockerbuild", ("image", image, OTHER), ("local", {}, None), ("docker", {}, DIGEST)
    )
    done = command("inspect", "m.json", "--record", "r.dockerbuild", "--format", "json", folder=metadata.parent)
    assert done.returncode == 0, done.stderr
    exporters = json.loads(done.stdout)["exporters"]
    assert [(each["key"], each["type"], each["push"], each["digest"], each["evidence"]) for each in exporters] == [
        ("release", "image", True, OTHER, "record"),
        ("1", "local", False, None, None),
        ("2", "docker", False, DIGEST, "record"),
    ]
    assert exporters[0]["names"] == ["docker.io/library/app:latest", "localhost:5000/app:1"]
    assert json.loads(done.stdout)["digest"] == OTHER


def test_a_record_of_another_build_is_refused_if_the_metadata_name_no_build(tmp_path: Path) -> None:
    # As buildx before 0.13 writes it.
    descriptor = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": DIGEST, "size": 1}
    (tmp_path / "m.json").write_text(
        json.dumps({"containerimage.digest": DIGEST, "containerimage.descriptor": descriptor})
    )
    outputs = ("--output", "type=image,name=a,push=true", "--output", "type=oci,dest=a.tar")
    others = ["sha256:" + letter * 64 for letter in "cd"]
    image = {"name": "docker.io/library/a", "push": "true"}
    for digests, code in ((others, 2), ([others[0], DIGEST], 0)):
        write_record(tmp_path / "r.dockerbuild", ("image", image, digests[0]), ("oci", {}, digests[1]))
        done = command("inspect", "m.json", "--record", "r.dockerbuild", *outputs, folder=tmp_path)
        assert done.returncode == code, done.stderr
        refused = (
            f"error: --record: it is of another build: its images are {', '.join(others)}, and m.json has {DIGEST}"
        )
        assert done.stderr.startswith(refused) == (code == 2)


def test_a_record_without_exporters_leaves_the_owner_unknown(metadata: Path) -> None:
    write_record(metadata.parent / "r.dockerbuild")
    done = command("inspect", "m.json", "--record", "r.dockerbuild", folder=metadata.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert "it does not say which output made" in done.stderr


def test_without_outputs_separate_responses_say_which_exporters_there_are(tmp_path: Path) -> None:
    responses = [
        {"buildx.build.ref": REF},
        {"exporter.type": "image", "exporter.id": "x", "containerimage.digest": DIGEST, "image.name": "a:1"},
        {"exporter.type": "oci", "containerimage.digest": OTHER},
    ]
    (tmp_path / "m.json").write_text(json.dumps(responses))
    done = command("inspect", "m.json", "--format", "json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    exporters = json.loads(done.stdout)["exporters"]
    assert [(each["key"], each["type"], each["digest"]) for each in exporters] == [
        ("x", "image", DIGEST),
        ("1", "oci", OTHER),
    ]


def test_a_build_without_an_image_needs_no_outputs(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps({"buildx.build.ref": REF}))
    done = command("inspect", "m.json", "--format", "json", folder=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["exporters"]) == (0, [])


@pytest.mark.parametrize(("seconds", "warns"), [(-1, False), (1, True)])
def test_a_tar_that_changed_after_the_metadata_file_may_be_another_builds(
    metadata: Path, seconds: int, *, warns: bool
) -> None:
    tar = write_tar(metadata.parent / "a.tar", one_image()[0])
    written = metadata.stat().st_mtime
    os.utime(tar, (written + seconds, written + seconds))
    outputs = ("--output", "type=image,name=a,push=true", "--output", "type=oci,dest=a.tar")
    done = command("inspect", "m.json", *outputs, "--format", "dotenv", folder=metadata.parent)
    assert done.stdout == f"DIGEST_1={one_image()[1]}\n"
    assert ("warning: exporter 1: a.tar was changed after m.json was written" in done.stderr) == warns


BUILD = {"version": 1, "ref": REF, "digest": DIGEST, "imageid": None, "exporters": []}


@pytest.mark.parametrize("options", [(), ("--output", "type=image,name=a,push=true")])
@pytest.mark.parametrize(
    ("document", "kind", "advice"),
    [
        ({"web": {"containerimage.digest": DIGEST}}, "the metadata of a bake", "put one target's object into a file"),
        ({"web": {"buildx.build.ref": REF}, "buildx.build.warnings": []}, "the metadata of a bake", "one target's"),
        ({"release": DIGEST}, "a digests document", "the digests are in it already"),
        ({"web": {"release": DIGEST}}, "a digests document", "the digests are in it already"),
        (BUILD, "a results file", "the digests are in it already"),
        ({"version": 1, "targets": {"web": BUILD}}, "a results file", "the digests are in it already"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_name(
    tmp_path: Path, document: object, kind: str, advice: str, options: tuple[str, ...]
) -> None:
    (tmp_path / "x.json").write_text(json.dumps(document))
    done = command("inspect", "x.json", *options, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: x.json: it is {kind}, not the metadata file of a build; ")
    assert advice in done.stderr
