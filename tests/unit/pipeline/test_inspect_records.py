"""`inspect` of records alone: each build of a file, whatever its record leaves out."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

import action
from action.errors import InputError
from action.evidence.record_file import RECORD_TYPE
from tests.unit.command_line import command
from tests.unit.evidence.records import write_record, write_records
from tests.unit.oci.layouts import MANIFEST, descriptor, encode, layout, write_tar

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
RELEASE = ("image", {"name": "localhost/app:1", "push": "true", "id": "release"}, DIGEST)


def _old(file: Path, record: dict[str, Any]) -> Path:
    """Write a record with only the members that are given."""
    data = encode(record)
    manifest = encode({"config": descriptor(data, RECORD_TYPE), "layers": []})
    return write_tar(file, layout(descriptor(manifest, MANIFEST), blobs=(data, manifest)))


def test_a_record_alone_gives_the_digest_of_each_exporter(tmp_path: Path) -> None:
    write_record(tmp_path / "r.dockerbuild", RELEASE, ("local", {}, None), ("docker", {}, OTHER))
    done = command("inspect", "r.dockerbuild", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, _, _, *rows = [line.split() for line in done.stdout.splitlines()]
    assert first == ["r:", "completed"]
    assert rows == [
        ["release", "image", "localhost/app:1", DIGEST, "record"],
        ["1", "local", "-", "-", "-"],
        ["2", "docker", "-", OTHER, "record"],
    ]
    document = json.loads(command("inspect", "r.dockerbuild", "--format", "json", folder=tmp_path).stdout)
    assert (document["digest"], document["exporters"][2]["digest"]) == (DIGEST, OTHER)
    assert document["record"]["name"] == "r"
    assert action.inspect(tmp_path / "r.dockerbuild").digests == {"release": DIGEST, "2": OTHER}


def test_outputs_of_the_command_line_name_those_of_the_record(tmp_path: Path) -> None:
    write_record(tmp_path / "r.dockerbuild", ("image", {"name": "a", "push": "true"}, DIGEST), ("oci", {}, OTHER))
    outputs = ("-o", "type=oci,dest=x.tar,id=archive", "-o", "type=image,name=a,push=true,id=release")
    done = command("inspect", "r.dockerbuild", *outputs, "--format", "json", folder=tmp_path)
    keys = {each["key"]: each["digest"] for each in json.loads(done.stdout)["exporters"]}
    # In another order than the build's: what is not certain is absent, and never another's.
    assert keys["archive"] in {None, OTHER}
    assert keys["release"] in {None, DIGEST}
    done = command("inspect", "r.dockerbuild", *outputs[2:], *outputs[:2], "--format", "json", folder=tmp_path)
    assert {each["key"]: each["digest"] for each in json.loads(done.stdout)["exporters"]} == {
        "release": DIGEST,
        "archive": OTHER,
    }


def test_each_build_of_a_file_is_shown_and_one_without_exporters_with_what_its_record_says(tmp_path: Path) -> None:
    started = {"CreatedAt": {"seconds": 1732451400}, "CompletedAt": {"seconds": 1732451460}}
    options = {"FrontendAttrs": {"target": "web", "build-arg:TOKEN": "hunter2"}}
    failed = {"error": {"code": 2, "message": "exit code: 7\n::error::x"}, **started}
    write_records(
        tmp_path / "many.dockerbuild",
        {
            "one": ((RELEASE,), {**started, **options}),
            "two": (((*RELEASE[:2], None),), failed),
            "three": ((("moby", {}, None),), started),
            "four": ((), {}),
        },
    )
    done = command("inspect", "many.dockerbuild", folder=tmp_path)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    # date --utc --date=@1732451400
    assert lines[0] == "one: completed, 2024-11-24T12:30:00Z, target web"
    assert lines[3].split() == ["release", "image", "localhost/app:1", DIGEST, "record"]
    assert [line for line in lines if line.startswith(("two", "three", "four", "no "))] == [
        *("two: failed, 2024-11-24T12:30:00Z", "three: completed, 2024-11-24T12:30:00Z"),
        *("four: unfinished", "no exporters"),
    ]
    assert [line.partition(":")[2].split(";")[0] for line in done.stderr.splitlines()] == [
        " two: the build failed: exit code: 7 ::error::x",
        " three: exporter 0 has no digest: the record has no result of it",
        " four: the record says neither which exporters ran nor what they made: update BuildKit to 0.14 or later",
    ]
    assert "hunter2" not in done.stdout + done.stderr
    document = json.loads(command("inspect", "many.dockerbuild", "--format", "json", folder=tmp_path).stdout)
    (tmp_path / "results.json").write_text(json.dumps(document))
    assert command("validate", "--schema", "results", "results.json", folder=tmp_path).returncode == 0
    assert {name: build["digest"] for name, build in document["targets"].items()} == {
        "one": DIGEST,
        "two": None,
        "three": None,
        "four": None,
    }
    assert document["targets"]["two"]["record"] == {
        "name": "two",
        "state": "failed",
        "created": "2024-11-24T12:30:00Z",
        "target": None,
        "error": "exit code: 7\n::error::x",
    }


def test_results_without_exporters_are_shown_by_their_position(tmp_path: Path) -> None:
    # As BuildKit 0.13 writes them.
    results = {
        "1": {"media_type": MANIFEST, "digest": OTHER, "size": 1},
        "0": {"media_type": MANIFEST, "digest": DIGEST},
    }
    _old(tmp_path / "old.dockerbuild", {"Ref": "r", "CompletedAt": {}, "Result": {"Results": results}})
    done = command("inspect", "old.dockerbuild", folder=tmp_path)
    assert [line.split() for line in done.stdout.splitlines()[3:]] == [
        ["0", "unknown", "-", DIGEST, "record"],
        ["1", "unknown", "-", OTHER, "record"],
    ]
    assert done.stderr.startswith("warning: the record has results and does not say which exporters made them")


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"Ref": "r", "CreatedAt": "2024-11-24", "FrontendAttrs": [1], "error": {"message": 5}},
        {"CreatedAt": {"seconds": 10**18}, "FrontendAttrs": {"target": {}}, "Exporters": None, "Result": None},
        {"CreatedAt": {"seconds": "now"}, "CompletedAt": None, "error": None},
    ],
)
def test_nothing_that_a_record_says_besides_exporters_can_make_it_unreadable(
    tmp_path: Path, record: dict[str, Any]
) -> None:
    _old(tmp_path / "old.dockerbuild", record)
    done = command("inspect", "old.dockerbuild", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == "no exporters"


def test_two_records_of_one_build_have_different_names(tmp_path: Path) -> None:
    records = [encode({"Ref": "r", "CompletedAt": {}, "Exporters": [{"Type": kind}]}) for kind in ("local", "tar")]
    manifests = [encode({"config": descriptor(each, RECORD_TYPE), "layers": []}) for each in records]
    members = layout(*(descriptor(each, MANIFEST) for each in manifests), blobs=(*records, *manifests))
    write_tar(tmp_path / "two.dockerbuild", members)
    document = json.loads(command("inspect", "two.dockerbuild", "--format", "json", folder=tmp_path).stdout)
    assert list(document["targets"]) == ["r", "r (2)"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("many.dockerbuild", "--push"), "many.dockerbuild: it has 2 records; leave out --output, --tag, --push"),
        (("many.dockerbuild", "--record", "x"), "inspect: many.dockerbuild is a record itself; name the metadata file"),
        (
            ("image.tar",),
            "image.tar: it has no build record; it may be an image; name a file that docker",
        ),
        (("x.zip",), "x.zip: it is a zip, as GitHub serves artifacts; unpack it, and name the file in it"),
        (("cut.gz",), "inspect: cut.gz: not a tar that can be read"),
    ],
)
def test_files_that_cannot_be_used_are_2_and_say_what_to_do(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    write_records(tmp_path / "many.dockerbuild", {"one": ((RELEASE,), {}), "two": ((RELEASE,), {})})
    write_tar(tmp_path / "image.tar", layout(blobs=()))
    (tmp_path / "cut.gz").write_bytes(b"\x1f\x8b\x08")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.dockerbuild", "")
    done = command("inspect", *arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {said}")


def test_the_function_takes_one_record(tmp_path: Path) -> None:
    write_records(tmp_path / "many.dockerbuild", {"one": ((RELEASE,), {}), "two": ((RELEASE,), {})})
    with pytest.raises(InputError, match=r"many\.dockerbuild has 2 records; give a file with one"):
        action.inspect(tmp_path / "many.dockerbuild")
