"""`attestations`: SBOM and provenance of each image as files, with the bytes that the registry or the tar has."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Step, Workplace, lines
from tests.engine.other_end import image_manifests, not_served, served, served_blob, tar_digest

_TWO = "linux/amd64,linux/arm64"


def _files(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _messages(step: Step) -> list[str]:
    return re.findall(r"^::(?:notice|warning|error)::.*attestations: .*$", step.log, re.MULTILINE)


def _kind(layer: dict[str, Any]) -> str:
    predicate = layer["annotations"]["in-toto.io/predicate-type"]
    return {"https://spdx.dev/Document": "sbom"}.get(predicate, "provenance")


def _served(image: str, reference: str) -> dict[str, bytes]:
    """What the registry has of attestations: `OS-ARCH/KIND.json` to its bytes."""
    index = served(image, reference)[1]
    platforms = {each["digest"]: each["platform"] for each in image_manifests(index)}
    found = {}
    for entry in index["manifests"]:
        about = platforms.get(entry.get("annotations", {}).get("vnd.docker.reference.digest", ""))
        if about is None:
            continue
        for layer in served(image, entry["digest"])[1]["layers"]:
            name = f"{about['os']}-{about['architecture']}/{_kind(layer)}.json"
            found[name] = served_blob(image, layer["digest"])
    return found


def test_files_have_the_bytes_that_the_registry_has_for_each_platform(work: Workplace) -> None:
    step = work.step(
        outputs=f"type=image,name={work.image}:1,push=true,id=release",
        platforms=_TWO,
        provenance="mode=max",
        attestations="out",
    )
    assert step.code == 0, step.log
    expected = _served(work.image, "1")
    assert sorted(expected) == ["linux-amd64/provenance.json", "linux-arm64/provenance.json"]
    assert _files(work.folder / "out") == {f"release/{name}": data for name, data in expected.items()}
    for name, data in expected.items():
        digest = hashlib.sha256(data).hexdigest()
        assert f"attestation sha256:{digest}: out/release/{name}" in step.log.replace(f"{work.folder}/", "")
    notice = "attestations: there is no SBOM in the image of exporter release: set the input sbom to true"
    assert _messages(step) == [f"::notice::{notice}"]


def test_each_output_has_its_own_files_from_its_tar_or_the_builder(work: Workplace) -> None:
    outputs = lines(
        f"type=image,name={work.image}:1,push=true,id=release",
        "type=oci,dest=a.tar,name=octo/app:1,compression=zstd,force-compression=true",
        "type=oci,dest=folder,tar=false",
        "type=local,dest=plain",
    )
    step = work.step(outputs=outputs, provenance="mode=min", attestations="a/b", summary="false")
    assert step.code == 0, step.log
    found = _files(work.folder / "a/b")
    assert sorted(found) == [f"{key}/linux-amd64/provenance.json" for key in ("1", "2", "release")]
    assert found["release/linux-amd64/provenance.json"] == _served(work.image, "1")["linux-amd64/provenance.json"]
    with tarfile.open(work.folder / "a.tar") as tar:
        blobs = {Path(each.name).name for each in tar.getmembers()}
    assert step.digests["1"] == tar_digest(work.folder / "a.tar") != step.digests["release"]
    about = json.loads(found["1/linux-amd64/provenance.json"])["subject"][0]["digest"]["sha256"]
    assert about in blobs
    assert hashlib.sha256(found["1/linux-amd64/provenance.json"]).hexdigest() in blobs
    # BuildKit writes the statement of a local output beside its files.
    assert (work.folder / "plain/provenance.json").is_file()


def test_an_sbom_is_a_file_too(work: Workplace, scanner: str) -> None:
    outputs = lines(f"type=image,name={work.image}:1,push=true", "type=oci,dest=a.tar")
    step = work.step(outputs=outputs, sbom=f"generator={scanner}", attestations="out")
    if "network bridge not found" in step.log:
        pytest.skip("this engine has no network for a scanner")
    assert step.code == 0, step.log
    expected = _served(work.image, "1")
    assert sorted(expected) == ["linux-amd64/provenance.json", "linux-amd64/sbom.json"]
    found = _files(work.folder / "out")
    assert {name: found[f"0/{name}"] for name in expected} == expected
    assert len(found) == 4
    assert "attestations:" not in step.log


def test_a_bake_has_a_folder_for_each_target_whatever_the_keys_are(work: Workplace) -> None:
    keys = ("..", "A", "a", "x" * 200)
    outputs = [f"type=image,name={work.image}:{place},push=true,id={key}" for place, key in enumerate(keys)]
    targets = {"web": {"output": outputs}, "api": {"output": ["type=oci,dest=api.tar"], "attest": ["type=provenance"]}}
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
    step = work.bake_step(source=".", targets="web,api", provenance="mode=max", attestations="out")
    assert step.code == 0, step.log
    found = _files(work.folder / "out")
    assert {name.partition("/")[0] for name in found} == {"web", "api"}
    assert all(re.fullmatch(r"(?:web|api)/[\w.-]+/linux-amd64/provenance\.json", name) for name in found)
    folders = [name.split("/")[1] for name in found if name.startswith("web/")]
    assert len({name.lower() for name in folders}) == 4
    assert "A" in folders
    assert not {"..", "a"} & set(folders)
    assert not [name for name in work.folder.iterdir() if name.name in {"linux-amd64", "web"}]


def test_an_image_without_attestations_has_no_file_and_a_notice_says_how_to_get_them(work: Workplace) -> None:
    step = work.step(push="true", tags=f"{work.image}:1", provenance="false", attestations="out")
    assert step.code == 0, step.log
    start = "::notice::attestations: there is no"
    assert _messages(step) == [
        f"{start} provenance in the image of exporter 0: set the input provenance to true",
        f"{start} SBOM in the image of exporter 0: set the input sbom to true",
    ]
    assert not (work.folder / "out").exists()


def test_nothing_is_written_through_a_link_and_the_build_goes_on(work: Workplace, tmp_path: Path) -> None:
    there = tmp_path.with_name(f"{tmp_path.name}-elsewhere")
    there.mkdir()
    (work.folder / "out").mkdir()
    (work.folder / "out/0").symlink_to(there)
    step = work.step(push="true", tags=f"{work.image}:1", provenance="true", attestations="out")
    assert step.code == 0, step.log
    assert step.digests == {"0": served(work.image, "1")[0]}
    (message,) = _messages(step)
    assert message.startswith("::warning::attestations: those of exporter 0 (image) are not all written: ")
    assert "out/0 is a link; remove it" in message
    assert list(there.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_is_refused_before_the_build(work: Workplace, kind: str) -> None:
    out = work.folder / "out"
    out.write_text("") if kind == "file" else out.symlink_to(work.folder)
    step = work.step(push="true", tags=f"{work.image}:1", attestations="out")
    assert step.code == 2
    assert "::error::attestations: 'out' is a file or a link, and must be a folder; name a" in step.log
    assert not_served(work.image, "1")


def test_the_classic_image_store_has_no_attestations_and_that_is_a_notice(classic: Workplace) -> None:
    step = classic.step(push="true", tags=f"{classic.image}:1", attestations="out")
    assert step.code == 0, step.log
    assert [message.partition(" in the")[0] for message in _messages(step)] == [
        "::notice::attestations: there is no provenance",
        "::notice::attestations: there is no SBOM",
    ]
