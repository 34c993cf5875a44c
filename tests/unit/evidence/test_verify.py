from __future__ import annotations

import json
import tarfile
import time
from pathlib import Path

import pytest

from action.errors import EvidenceError
from action.evidence.artifact_file import check_artifact
from tests.unit.oci.layouts import (
    CONFIG,
    INDEX,
    MANIFEST,
    blob_name,
    descriptor,
    digest_of,
    encode,
    image,
    layout,
    one_image,
    write_tar,
)

LAYER = b"a layer, longer than a block " * 100
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


def two_platforms() -> tuple[dict[str, bytes], str]:
    """A layout of an index of two images that share a layer, and the index's digest."""
    blobs, entries = [LAYER], []
    for architecture in ("amd64", "arm64"):
        config = encode({"os": "linux", "architecture": architecture})
        manifest = encode({"config": descriptor(config, CONFIG), "layers": [descriptor(LAYER, LAYER_TYPE)]})
        blobs += [config, manifest]
        entries.append(descriptor(manifest, MANIFEST))
    index = encode({"mediaType": INDEX, "manifests": entries})
    return layout(descriptor(index, INDEX), blobs=(*blobs, index)), digest_of(index)


def test_a_tar_whose_every_blob_has_its_digest_is_whole(tmp_path: Path) -> None:
    members, digest = two_platforms()
    check_artifact(write_tar(tmp_path / "a.tar", members), digest)
    members, digest, _ = one_image()
    check_artifact(write_tar(tmp_path / "b.tar", members), digest)


def test_a_folder_is_read_as_a_tar_is(tmp_path: Path) -> None:
    members, digest = two_platforms()
    for name, data in members.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    check_artifact(tmp_path, digest)
    (tmp_path / blob_name(digest_of(LAYER))).write_bytes(LAYER + b"!")
    with pytest.raises(EvidenceError, match="has the bytes of sha256:"):
        check_artifact(tmp_path, digest)


@pytest.mark.parametrize("place", range(6))
def test_a_blob_that_is_missing_or_has_a_byte_changed_is_found(tmp_path: Path, place: int) -> None:
    members, digest = two_platforms()
    name = sorted(each for each in members if each.startswith("blobs/"))[place]
    data = members.pop(name)
    with pytest.raises(EvidenceError, match=r"is not in it|does not contain"):
        check_artifact(write_tar(tmp_path / "missing.tar", members), digest)
    for spoilt in (data[:-1] + b"\x00", data[:-1], data + b" "):
        members[name] = spoilt
        with pytest.raises(EvidenceError, match=r"has the bytes of|other content than its digest says"):
            check_artifact(write_tar(tmp_path / "spoilt.tar", members), digest)


def test_another_images_tar_is_named_by_what_it_holds(tmp_path: Path) -> None:
    members, digest, _ = one_image()
    other = "sha256:" + "0" * 64
    with pytest.raises(EvidenceError, match=f"does not contain {other}; its index.json names {digest}"):
        check_artifact(write_tar(tmp_path / "a.tar", members), other)


def test_a_tar_that_is_cut_off_is_found(tmp_path: Path) -> None:
    members, digest = two_platforms()
    file = write_tar(tmp_path / "a.tar", members)
    with tarfile.open(file) as tar:
        last = max(tar.getmembers(), key=lambda member: member.offset_data)
    file.write_bytes(file.read_bytes()[: last.offset_data + last.size // 2])
    with pytest.raises(EvidenceError):
        check_artifact(file, digest)


def test_a_layer_that_may_not_be_distributed_need_not_be_there(tmp_path: Path) -> None:
    _, config = image()
    foreign = descriptor(LAYER, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", urls=["https://x"])
    manifest = encode({"config": descriptor(config, CONFIG), "layers": [foreign]})
    members = layout(descriptor(manifest, MANIFEST), blobs=(manifest, config))
    check_artifact(write_tar(tmp_path / "a.tar", members), digest_of(manifest))


def test_an_index_that_names_itself_ends(tmp_path: Path) -> None:
    # No bytes can hold their own digest; two indexes that name one and the same child come nearest.
    manifest, config = image()
    inner = encode({"manifests": [descriptor(manifest, MANIFEST)] * 2})
    outer = encode({"manifests": [descriptor(inner, INDEX), descriptor(inner, INDEX)]})
    members = layout(descriptor(outer, INDEX), blobs=(manifest, config, inner, outer))
    check_artifact(write_tar(tmp_path / "a.tar", members), digest_of(outer))


def test_what_is_no_manifest_is_said_to_be_none(tmp_path: Path) -> None:
    blob = json.dumps([1]).encode()
    members = layout(descriptor(blob, MANIFEST), blobs=(blob,))
    with pytest.raises(EvidenceError, match="expected an object"):
        check_artifact(write_tar(tmp_path / "a.tar", members), digest_of(blob))


def test_manifests_that_name_more_than_a_tar_can_hold_are_refused_in_a_moment(tmp_path: Path) -> None:
    absent = encode(descriptor(b"absent", MANIFEST))
    blob = b'{"manifests": [' + absent + b"]}"
    blobs = [blob]
    for _ in range(8):
        blob = b'{"manifests": [' + (absent + b",") * 60_000 + encode(descriptor(blob, INDEX)) + b"]}"
        blobs.append(blob)
    file = write_tar(tmp_path / "a.tar", layout(descriptor(blob, INDEX), blobs=tuple(blobs)))
    begun = time.process_time()
    with pytest.raises(EvidenceError, match=r"a.tar: .* (names|has) more than"):
        check_artifact(file, digest_of(blob))
    assert time.process_time() - begun < 3
