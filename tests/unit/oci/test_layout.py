"""Tars and folders that nobody can trust."""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action.errors import EvidenceError
from action.oci import layout as module
from action.oci.layout import FolderLayout, TarLayout, read_blob
from tests.unit.oci.layouts import blob_name, digest_of, link, one_image, tar_bytes, write_tar


def test_a_member_is_read_by_its_exact_name(tmp_path: Path) -> None:
    file = write_tar(tmp_path / "x.tar", {"index.json": b"one", "./index.json": b"two", "/index.json": b"three"})
    with TarLayout(file) as layout:
        assert layout.read("index.json") == b"one"
        assert layout.read("nothing") is None


@pytest.mark.parametrize(
    "name", ["./index.json", "/index.json", "../index.json", "a/../index.json", "index.json/", "INDEX.JSON"]
)
def test_a_member_of_another_name_is_no_member(tmp_path: Path, name: str) -> None:
    with TarLayout(write_tar(tmp_path / "x.tar", {name: b"x"})) as layout:
        assert layout.read("index.json") is None


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_a_link_or_device_is_no_member(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "secret").write_text("outside")
    file = write_tar(tmp_path / "x.tar", {}, link("index.json", kind, str(tmp_path / "secret")))
    with TarLayout(file) as layout:
        assert layout.read("index.json") is None


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    data = tar_bytes({"index.json": b"one"})[:1024] + tar_bytes({"index.json": b"two"})
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(EvidenceError, match=r"'index.json' is in it twice"), TarLayout(tmp_path / "x.tar"):
        pass


def test_a_blob_whose_bytes_are_others_is_refused(tmp_path: Path) -> None:
    digest = digest_of(b"right")
    with (
        TarLayout(write_tar(tmp_path / "x.tar", {blob_name(digest): b"wrong"})) as layout,
        pytest.raises(EvidenceError, match="has other content than its digest says"),
    ):
        read_blob(layout, digest)


@pytest.mark.parametrize(
    "digest", ["sha512:" + "0" * 128, "sha256:" + "A" * 64, "sha256:../../etc/passwd", "", "sha256:" + "0" * 63]
)
def test_a_digest_of_another_form_names_no_blob(tmp_path: Path, digest: str) -> None:
    with TarLayout(write_tar(tmp_path / "x.tar", {"index.json": b"{}"})) as layout:
        assert read_blob(layout, digest) is None


def test_a_compressed_tar_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(tar_bytes({"index.json": b"one"})))
    with TarLayout(tmp_path / "x.tar.gz") as layout:
        assert layout.read("index.json") == b"one"


def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNPACKED_BYTES", 5_000_000)
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(tar_bytes({"index.json": b"\0" * 20_000_000})))
    with (
        pytest.raises(EvidenceError, match="more than 5000000 bytes when decompressed"),
        TarLayout(tmp_path / "x.tar.gz"),
    ):
        pass


def test_a_member_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("index.json")
    file = write_tar(tmp_path / "x.tar", {"index.json": b"x" * (module.MAX_JSON_BYTES + 1)}, info.replace(name="a"))
    with TarLayout(file) as layout, pytest.raises(EvidenceError, match="more than the limit of 16777216"):
        layout.read("index.json")


def test_a_tar_of_too_many_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MEMBERS", 10)
    file = write_tar(tmp_path / "x.tar", {f"{number}": b"" for number in range(11)})
    with pytest.raises(EvidenceError, match="more than 10 members"), TarLayout(file):
        pass


@pytest.mark.parametrize(
    "data", [b"", b"rubbish", b"\x1f\x8b", b"\x1f\x8brubbish", b"PK\x03\x04" + b"\0" * 600, b"\0" * 100]
)
def test_what_is_no_tar_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(EvidenceError, match=r"x.tar: not a tar that can be read"), TarLayout(tmp_path / "x.tar"):
        pass


def test_what_is_no_plain_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(EvidenceError, match="not a regular file"), TarLayout(path):
            pass
    with pytest.raises(EvidenceError, match="No such file"), TarLayout(tmp_path / "none"):
        pass


def test_a_folder_is_read_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("outside")
    folder = tmp_path / "layout"
    folder.mkdir()
    (folder / "index.json").symlink_to(tmp_path / "secret")
    (folder / "oci-layout").write_text("{}")
    assert FolderLayout(folder).read("index.json") is None
    assert FolderLayout(folder).read("oci-layout") == b"{}"
    assert FolderLayout(folder).read("none") is None


def test_reading_writes_nothing_beside_the_tar(tmp_path: Path) -> None:
    members, _, _ = one_image()
    file = write_tar(tmp_path / "x.tar", {**members, "../escaped": b"x", "/tmp/escaped-absolutely": b"x"})
    before = file.read_bytes()
    with TarLayout(file) as layout:
        layout.read("index.json")
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes() == before
    assert not Path("/tmp/escaped-absolutely").exists()


_GOOD = tar_bytes(one_image()[0])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(_GOOD) - 1), st.integers(0, 255)), max_size=6), st.integers(0, len(_GOOD)))
def test_a_damaged_tar_is_refused_or_says_the_same_of_each_blob(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], length: int
) -> None:
    data = bytearray(_GOOD)
    for place, value in changes:
        data[place] = value
    file = tmp_path_factory.mktemp("damaged") / "x.tar"
    file.write_bytes(data[: max(length, 512)] if length % 3 == 0 else data)
    members = one_image()[0]
    try:
        with TarLayout(file) as layout:
            for name, content in members.items():
                if name.startswith("blobs/"):
                    assert read_blob(layout, digest_of(content)) in {None, content}
    except EvidenceError:
        pass
