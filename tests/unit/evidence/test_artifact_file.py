from __future__ import annotations

import tarfile
import time
from pathlib import Path

import pytest

from action.errors import EvidenceError
from action.evidence.artifact_file import digests_in_folder, read_artifact
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
    link,
    one_image,
    write_tar,
)

AMD, AMD_CONFIG = image()
HEX = "0123456789abcdef" * 4


def test_an_oci_tar_says_its_digest_image_id_and_platform(tmp_path: Path) -> None:
    members, digest, config = one_image()
    made = read_artifact(write_tar(tmp_path / "x.tar", members))
    assert (made.digest, made.imageid) == (digest, config)
    assert [each.platform for each in made.platforms] == ["linux/amd64"]


def test_one_image_under_several_names_is_one_image(tmp_path: Path) -> None:
    entries = [descriptor(AMD, MANIFEST, annotations={"org.opencontainers.image.ref.name": name}) for name in "ab"]
    made = read_artifact(write_tar(tmp_path / "x.tar", layout(*entries, blobs=(AMD, AMD_CONFIG))))
    assert made.digest == digest_of(AMD)


def test_several_images_leave_open_which_one_was_written(tmp_path: Path) -> None:
    other, other_config = image("arm64")
    members = layout(
        descriptor(AMD, MANIFEST), descriptor(other, MANIFEST), blobs=(AMD, AMD_CONFIG, other, other_config)
    )
    with pytest.raises(EvidenceError, match=r"its index.json names 2 images, not one"):
        read_artifact(write_tar(tmp_path / "x.tar", members))


def test_an_index_in_a_tar_is_the_digest(tmp_path: Path) -> None:
    index = encode({"manifests": [descriptor(AMD, MANIFEST, platform={"os": "linux", "architecture": "amd64"})]})
    made = read_artifact(
        write_tar(tmp_path / "x.tar", layout(descriptor(index, INDEX), blobs=(index, AMD, AMD_CONFIG)))
    )
    assert (made.digest, [each.imageid for each in made.platforms]) == (digest_of(index), [digest_of(AMD_CONFIG)])


@pytest.mark.parametrize("config", [f"{HEX}.json", f"blobs/sha256/{HEX}"])
def test_a_docker_tar_of_an_old_engine_says_its_image_id_and_no_digest(tmp_path: Path, config: str) -> None:
    members = {"manifest.json": encode([{"Config": config, "RepoTags": ["a:1"], "Layers": []}])}
    made = read_artifact(write_tar(tmp_path / "x.tar", members))
    assert (made.digest, made.imageid) == (None, f"sha256:{HEX}")


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"manifest.json": b"[]"},
        {"manifest.json": b"{}"},
        {"manifest.json": encode([{"Config": "../x.json"}])},
        {"manifest.json": encode([{"Config": f"{HEX}.json"}, {"Config": f"{HEX[::-1]}.json"}])},
        {"index.json": b"{"},
        {"index.json": b'{"manifests": []}'},
        {"index.json": encode({"manifests": [{"mediaType": "m", "digest": "x", "size": 1}]})},
    ],
)
def test_a_tar_that_does_not_say_its_image_is_a_plain_error(tmp_path: Path, members: dict[str, bytes]) -> None:
    with pytest.raises(EvidenceError, match=r"x\.tar"):
        read_artifact(write_tar(tmp_path / "x.tar", members))


def test_a_blob_that_is_another_than_its_name_says_is_a_plain_error(tmp_path: Path) -> None:
    members, digest, _ = one_image()
    members["blobs/" + digest.replace(":", "/")] = b"{}"
    with pytest.raises(EvidenceError, match="has other content"):
        read_artifact(write_tar(tmp_path / "x.tar", members))


def test_a_folder_names_digests_and_is_no_artifact(tmp_path: Path) -> None:
    members, digest, _ = one_image()
    (tmp_path / "index.json").write_bytes(members["index.json"])
    assert digests_in_folder(tmp_path) == {digest}
    with pytest.raises(EvidenceError, match="not a regular file"):
        read_artifact(tmp_path)


@pytest.mark.parametrize("kind", [MANIFEST, INDEX, CONFIG, "application/vnd.example"])
def test_a_digest_that_the_tar_holds_no_bytes_of_is_none(tmp_path: Path, kind: str) -> None:
    file = write_tar(tmp_path / "x.tar", layout(descriptor(AMD, kind), blobs=(AMD_CONFIG,)))
    with pytest.raises(EvidenceError, match=rf"x.tar: its index.json names {digest_of(AMD)}, which is not in it"):
        read_artifact(file)


@pytest.mark.parametrize("kind", [MANIFEST, INDEX, CONFIG, "application/vnd.example"])
def test_a_digest_of_other_bytes_than_the_tar_holds_is_none(tmp_path: Path, kind: str) -> None:
    members = layout(descriptor(AMD, kind), blobs=(AMD_CONFIG,))
    file = write_tar(tmp_path / "x.tar", {**members, blob_name(digest_of(AMD)): AMD + b" "})
    with pytest.raises(EvidenceError, match=r"x.tar: the blob sha256:\w+ has other content than its digest says"):
        read_artifact(file)


@pytest.mark.parametrize("type_of_link", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_to_the_bytes_is_not_the_bytes(tmp_path: Path, type_of_link: bytes) -> None:
    name = blob_name(digest_of(AMD))
    members = layout(descriptor(AMD, MANIFEST), blobs=(AMD_CONFIG,))
    file = write_tar(tmp_path / "x.tar", {**members, "elsewhere": AMD}, link(name, type_of_link, "elsewhere"))
    with pytest.raises(EvidenceError, match="which is not in it"):
        read_artifact(file)


def test_an_index_of_one_manifest_again_and_again_is_read_or_refused_in_a_moment(tmp_path: Path) -> None:
    entry = encode(descriptor(AMD, MANIFEST))
    index = b'{"manifests": [' + b",".join([entry] * 90_000) + b"]}"
    file = write_tar(tmp_path / "x.tar", layout(descriptor(index, INDEX), blobs=(index, AMD, AMD_CONFIG)))
    begun = time.process_time()
    with pytest.raises(EvidenceError, match=r"x.tar: its JSON has more than"):
        read_artifact(file)
    assert time.process_time() - begun < 3
