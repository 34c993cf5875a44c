"""Tars made to be misread, or to be read for ever: refused with the file's name, or read within bounds."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from action.errors import EvidenceError
from action.oci.layout import TarLayout
from action.oci.tar import PlainFile, plain_files
from tests.measured import Measured, measured
from tests.unit.oci.layouts import blob_name, digest_of, link, one_image, tar_bytes

MB = 10**6
END = b"\0" * 1024


def header(name: str, size: int | bytes = 0, kind: bytes = b"0", *, goes_on: bool = False) -> bytes:
    """A header by itself, with a right checksum."""
    number = b"%011o\0" % size if isinstance(size, int) else size
    data = bytearray(name.encode().ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + number + b"00000000000\0")
    data += b" " * 8 + kind + b"\0" * 100 + b"ustar\00000"
    data = data.ljust(512, b"\0")
    data[482] = goes_on
    data[148:156] = b"%06o\0 " % sum(data)
    return bytes(data)


def member(name: str, content: bytes, kind: bytes = b"0", **more: bool) -> bytes:
    return header(name, len(content), kind, **more) + content + b"\0" * (-len(content) % 512)


def attributes(**values: str | bytes) -> bytes:
    """A pax header before a member."""
    records = b""
    for key, value in values.items():
        record = f" {key.replace('__', '.')}=".encode() + (value.encode() if isinstance(value, str) else value) + b"\n"
        length = len(record) + 1
        while len(str(length)) + len(record) != length:
            length += 1
        records += str(length).encode() + record
    return member("pax", records, b"x")


def write(folder: Path, *pieces: bytes) -> Path:
    file = folder / "x.tar"
    file.write_bytes(b"".join(pieces))
    return file


def read(file: Path, name: str = "index.json") -> bytes | None:
    with TarLayout(file) as layout:
        return layout.read(name)


INDEX = "index.json"
SPARSE = {
    "GNU__sparse__major": "1",
    "GNU__sparse__minor": "0",
    "GNU__sparse__name": INDEX,
    "GNU__sparse__realsize": "9",
}


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((member(INDEX, b"one"), END), b"one"),
        ((member(INDEX, b"one"),), b"one"),
        ((header(INDEX, b"\x80" + b"\0" * 10 + b"\3"), b"one".ljust(512, b"\0"), END), b"one"),
        ((attributes(path=INDEX), member("x", b"one"), END), b"one"),
        ((attributes(size="3"), header(INDEX, 0), b"one".ljust(512, b"\0"), END), b"one"),
        ((attributes(mtime="1.5"), member(INDEX, b"one"), END), b"one"),
        ((member("@", INDEX.encode() + b"\0", b"L"), member("x", b"one"), END), b"one"),
        ((member("@", b"l" * 150 + b"\0", b"K"), header("x", 0, b"2"), member(INDEX, b"one"), END), b"one"),
        ((member("pax", b"15 comment=abcd\n"[:16].replace(b"15", b"16"), b"g"), member(INDEX, b"one"), END), b"one"),
        ((attributes(**SPARSE), member("GNUSparseFile.0/index.json", b"1\n0\n3\n"), END), None),
        ((attributes(GNU__sparse__map="0,3"), member(INDEX, b"one"), END), None),
        ((member(INDEX, b"one", b"S"), END), None),
        (
            (header(INDEX, 3, b"S", goes_on=True), b"\0" * 512, b"one".ljust(512, b"\0"), member("x", b""), END),
            None,
        ),
        ((header("x", 3, b"D"), b"dir".ljust(512, b"\0"), member(INDEX, b"one"), END), b"one"),
        ((header("x/", 3, b"\0"), member(INDEX, b"one"), END), b"one"),
        ((header("x", 3, b"5"), member(INDEX, b"one"), END), b"one"),
        ((member("x", b"one"), END, member(INDEX, b"two"), END), None),
    ],
)
def test_a_member_is_what_its_headers_say(tmp_path: Path, pieces: tuple[bytes, ...], expected: bytes | None) -> None:
    assert read(write(tmp_path, *pieces)) == expected


@pytest.mark.parametrize("kind", [*(b"1", b"2", b"3", b"4", b"6"), b"S"])
@pytest.mark.parametrize("name", ["index.json", blob_name(digest_of(b"x"))])
def test_what_only_stands_for_a_file_is_none(tmp_path: Path, kind: bytes, name: str) -> None:
    (tmp_path / "target").write_bytes(b"x")
    info = link(name, kind, str(tmp_path / "target"))
    assert read(write(tmp_path, tar_bytes({"target": b"x"}, info)), name) is None


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ((header(INDEX, b"\xff" * 12), END), "is negative"),
        ((header(INDEX, b"-0000000001\0"), END), "is negative"),
        ((header(INDEX, b"0x00000001_\0"), END), "not a number"),
        ((header(INDEX, b"\0" * 10 + b"5\0"), b"12345".ljust(512, b"\0"), END), "not a number"),
        ((header(INDEX, b"0000000\x0003\0\0"), b"123".ljust(512, b"\0"), END), "not a number"),
        ((header(INDEX, b"\x80" + b"\xff" * 11), END), "it is cut off"),
        ((header(INDEX, 8 * 2**30 - 1), END), "it is cut off"),
        ((header("p", b"\x80" + b"\xff" * 11, b"x"), END), "its headers have more than"),
        ((header("p", 200 * MB, b"x"), END), "its headers have more than"),
        ((header("p", 600, b"x"), b"3 a"), "it is cut off"),
        ((attributes(size="-3"), member(INDEX, b"one"), END), "given twice"),
        ((attributes(size="9" * 30), member(INDEX, b"one"), END), "given twice"),
        ((attributes(size="99999999"), member(INDEX, b"one"), END), "it is cut off"),
        ((attributes(path="a"), attributes(path=INDEX), member("x", b"one"), END), "attributes twice"),
        ((attributes(path=INDEX), member("@", b"a\0", b"L"), member("x", b"one"), END), "two names"),
        ((member("@", b"index.json", b"L"), member("x", b"one"), END), "a long name has no end"),
        ((member("@", b"a\0", b"L"), member("@", b"b\0", b"L"), member("x", b"one"), END), "two names"),
        ((member("pax", b"19 path=index.json\n", b"g"), member("x", b"one"), END), "of all members"),
        ((member("pax", b"0 path=x\n", b"x"), member("x", b"one"), END), "cannot be read"),
        ((member("pax", b"99 path=x\n", b"x"), member("x", b"one"), END), "cannot be read"),
        ((member("pax", b"4 a=b\n", b"x"), member("x", b"one"), END), "cannot be read"),
        ((attributes(path=INDEX), END), "belongs to no member"),
        ((member("x", b"one"), b"rubbish " * 64), "checksum"),
        ((member("x", b"one"), header(INDEX)[:100]), "it is cut off"),
        ((member(INDEX, b"one"), member(INDEX, b"two"), END), "is in it twice"),
    ],
)
def test_a_tar_that_can_be_read_in_two_ways_or_in_none_is_refused(
    tmp_path: Path, pieces: tuple[bytes, ...], why: str
) -> None:
    with pytest.raises(EvidenceError, match=rf"x\.tar: .*{why}"):
        read(write(tmp_path, *pieces))


def _repeated(piece: bytes, size: int = 50 * MB) -> bytes:
    return piece * (size // len(piece))


def _map() -> tuple[bytes, ...]:
    return (header("x", 50 * MB, b"0"), _repeated(b"0\n"))


def _bomb(folder: Path) -> None:
    # A gigabyte of nothing, in many parts of a stream.
    write(folder, gzip.compress(member(INDEX, b"{}")), gzip.compress(b"\0" * (16 * MB)) * 64)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "attributes of 50 MB": lambda folder: write(folder, header("p", 50 * MB, b"x"), _repeated(b"9 a=aaaa\n")),
    "many digits": lambda folder: write(folder, member("p", b"1" * (16 * MB), b"x"), member(INDEX, b""), END),
    "many short records": lambda folder: write(folder, member("p", b"2 " * (8 * MB) + b"=", b"x"), member(INDEX, b"")),
    "attributes again and again": lambda folder: write(folder, _repeated(attributes(path="a")), END),
    "long names again and again": lambda folder: write(folder, _repeated(member("@", b"a" * 300, b"L")), END),
    "long links again and again": lambda folder: write(folder, _repeated(member("@", b"a" * 300, b"K")), END),
    "long headers of many members": lambda folder: write(
        folder, _repeated(attributes(comment="a" * 300) + member("x", b"")), END
    ),
    "a sparse map of 50 MB": lambda folder: write(folder, attributes(**SPARSE), *_map(), END),
    "a sparse map that goes on": lambda folder: write(
        folder, header(INDEX, 0, b"S", goes_on=True), _repeated(b"0" * 504 + b"\1" + b"\0" * 7), END
    ),
    "members without end": lambda folder: write(folder, _repeated(header("x", 0, b"5"))),
    "a bomb": _bomb,
    "a bomb cut off": lambda folder: write(folder, gzip.compress(member(INDEX, b"\0" * (20 * MB)))[:-9]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_tar_is_refused_or_read_within_3_s_and_400_mib(tmp_path: Path, name: str) -> None:
    HOSTILE[name](tmp_path)
    found = _measured(tmp_path / "x.tar")
    assert found.said.startswith((f"{tmp_path / 'x.tar'}: ", "None"))


def _measured(file: Path) -> Measured:
    found = measured(
        "from pathlib import Path; from action.oci.layout import TarLayout",
        f"layout = TarLayout(Path({str(file)!r})); print(layout.read('index.json'))",
    )
    assert found.seconds < 3
    assert found.memory < 400
    return found


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_tar_of_100_mb_is_read_within_3_s_and_400_mib(tmp_path: Path, packed: bool) -> None:  # noqa: FBT001
    noise = os.urandom(MB) * 100
    pieces = (member("blobs/sha256/" + "0" * 64, noise), member(INDEX, b"{}"), END)
    write(tmp_path, *(gzip.compress(piece, 0) if packed else piece for piece in pieces))
    assert _measured(tmp_path / "x.tar").said == "b'{}'"


_SEED = (
    tar_bytes({"index.json": b"one", "é" * 80: b"two", "a/" * 80 + "b": b"three"}, link("l", b"2", "x" * 150)),
    attributes(path="index.json", mtime="1") + member("x", b"one") + member("y", b"z" * 600, b"7") + END,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_SEED), st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), max_size=4))
@example(_SEED[0], [(14, 21), (100, 27)])
def test_what_is_read_is_what_another_reader_reads(seed: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(seed)
    for place, value in changes:
        if place < len(data):
            data[place] = value
    try:
        found = {(each.name, each.offset, each.size) for each in plain_files(io.BytesIO(data), 100)}
    except ValueError:
        return
    try:
        tar = tarfile.open(fileobj=io.BytesIO(data), mode="r:")  # noqa: SIM115  # reads the first header
    except tarfile.ReadError:
        # It refuses a first header with a number that is none, also one that we do not need, such as the mode.
        return
    with tar:
        other = {(each.name, each.offset_data, each.size) for each in tar if each.isreg() and not each.issparse()}
    # It ends without a word where a later header has such a number.
    assert other <= found


def test_a_good_tar_is_read_as_tarfile_reads_it() -> None:
    data = tar_bytes(one_image()[0])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        other = [PlainFile(each.name, each.offset_data, each.size) for each in tar]
    assert list(plain_files(io.BytesIO(data), 100)) == other
