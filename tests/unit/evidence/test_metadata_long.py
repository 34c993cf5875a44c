"""The fast reader agrees with the whole one and the schema wherever it is sure, and it is sure of real files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action.documents.schema import faults
from action.documents.strict_json import MAX_BYTES, MAX_WHOLE_BYTES, parse_document
from action.errors import DocumentError
from action.evidence.metadata_file import MAX_TEXT_BYTES, read_metadata_file
from action.evidence.metadata_long import read_known, read_known_bake
from action.evidence.metadata_places import WARNINGS, Judged, Known, judge
from action.evidence.responses import Metadata, read_responses
from action.evidence.validation import validate_file
from tests.measured import measured

FOLDER = Path(__file__).parents[1] / "documents"
FILES = sorted(FOLDER.glob("*valid/*/*.json"))
READERS: dict[str, Callable[[bytes], Known | None]] = {"metadata": read_known, "bake": read_known_bake}
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
SURE = ("buildinfo", "cache", "cache-object", "call", "classic", "platforms", "unknown", "warnings", "warnings-object")


def _agrees(data: bytes, schema: str) -> bool:
    """Whether the reader is sure of a whole document; whatever it is sure of must be what the whole reader says."""
    known = READERS[schema](data)
    if known is None:
        return False
    value = parse_document(data.decode(), "x")
    found = [fault.pointer for fault in faults(value, schema, "x")]
    if known.is_valid:
        assert found == []
    for place in known.deviations:
        assert any(f"{pointer}/".startswith(f"{place}/") for pointer in found), (place, found)
    assert isinstance(value, dict)
    if schema == "metadata":
        assert_same_responses(read_responses(known.document), judge(value))
    else:
        assert list(known.document) == [name for name in value if name != WARNINGS]
        for name, target in known.document.items():
            assert_same_responses(read_responses(target), judge(value[name]))
    return known.is_valid


def assert_same_responses(known: Metadata, judged: Judged) -> None:
    assert not judged.distrusted
    whole = read_responses(judged.document)
    assert known.ref == whole.ref
    assert known.merged.image == whole.merged.image
    assert known.merged.names == whole.merged.names
    assert known.separate is whole.separate is None


@pytest.mark.parametrize("schema", ["metadata", "bake"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parts[-3]}-{path.parent.name}-{path.stem}")
def test_it_is_never_sure_of_a_file_that_the_schema_refuses(path: Path, schema: str) -> None:
    sure = _agrees(path.read_bytes(), schema)
    if (
        schema == "metadata"
        and path.parent == FOLDER / "valid/metadata"
        and path.stem.removeprefix("flat-") in ("flat", *SURE)
    ):
        assert sure
    if schema == "bake" and path == FOLDER / "valid/bake/two-targets.json":
        assert sure


_DESCRIPTOR: dict[str, Any] = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": DIGEST, "size": 855}
_PLATFORM = {"os": "linux", "architecture": "amd64"}
_DESCRIPTORS = (
    _DESCRIPTOR,
    {**_DESCRIPTOR, "size": -1},
    {**_DESCRIPTOR, "digest": OTHER},
    {**_DESCRIPTOR, "platform": {"os": 1}},
    {**_DESCRIPTOR, "platform": _PLATFORM, "annotations": None},
    {**_DESCRIPTOR, "annotations": {"a": 1}},
)
_TEXTS = ("", "x", DIGEST, OTHER, DIGEST.upper(), DIGEST + "\n", "md5:x", "b/n/r", "b/n /r", "containerimage.digest")
_OTHERS: tuple[object, ...] = (
    None,
    0,
    -1,
    1.0,
    True,
    [],
    [{}],
    [1],
    {},
    {"a": 1},
    {"containerimage.digest": DIGEST},
    [[[{}]]],
)
_VALUES: st.SearchStrategy[object] = st.sampled_from((*_DESCRIPTORS, *_TEXTS, *_OTHERS))
_KEYS = st.sampled_from(
    (
        *("buildx.build.ref", "buildx.build.provenance", "buildx.build.provenance/linux/amd64", WARNINGS),
        *("cache.manifest", "containerimage.config.digest", "containerimage.descriptor", "containerimage.digest"),
        *("image.name", "exporter.type", "exporter.id", "exporter.responses", "ExporterResponses"),
        *("cacheExporterResponses", "result.json", "other", ""),
    )
)
_MEMBERS = st.lists(st.tuples(_KEYS, _VALUES), max_size=6)


def _object(members: list[tuple[str, object]], *, escape: bool) -> str:
    """A JSON object of members, with a key twice where it is there twice."""
    keys = [json.dumps(key) for key, _ in members]
    if escape:
        keys = [key.replace("d", "\\u0064") for key in keys]
    return "{" + ",".join(f"{key}: {json.dumps(value)}" for key, (_, value) in zip(keys, members, strict=True)) + "}"


@given(_MEMBERS, st.booleans())
def test_of_any_members_it_is_sure_only_where_the_schema_is(
    members: list[tuple[str, object]],
    escape: bool,  # noqa: FBT001
) -> None:
    data = _object(members, escape=escape).encode()
    try:
        parse_document(data.decode(), "x")
    except DocumentError:
        # A key is in it twice: that is for the whole reader to say, unless it is one that nobody looks at.
        known = READERS["metadata"](data)
        names = [key for key, _ in members]
        assert known is None or all(names.count(key) == 1 for key in known.document)
        return
    _agrees(data, "metadata")


@given(st.lists(st.tuples(st.sampled_from(["web", "api", WARNINGS]), _MEMBERS), max_size=3), st.booleans())
def test_of_any_targets_it_is_sure_only_where_the_schema_is(
    targets: list[tuple[str, list[tuple[str, object]]]],
    escape: bool,  # noqa: FBT001
) -> None:
    text = "{" + ",".join(f'"{name}": {_object(members, escape=escape)}' for name, members in targets) + "}"
    try:
        parse_document(text, "x")
    except DocumentError:
        known = read_known_bake(text.encode())
        for name, value in known.document.items() if known else ():
            written = [members for target, members in targets if target == name]
            keys = [key for members in written for key, _ in members]
            assert isinstance(value, dict)
            assert all(keys.count(key) == 1 for key in value)
        return
    _agrees(text.encode(), "bake")


@pytest.mark.parametrize(
    "data",
    [
        f'{{"containerimage.digest": "{DIGEST}", "containerimage.digest": "{OTHER}"}}',
        f'{{"containerimage.digest": "{DIGEST}", "containerimage\\u002edigest": "{OTHER}"}}',
        f'{{"containerimage.digest": "{DIGEST}", "x": {{"containerimage.digest": "{OTHER}"}}}}',
        '{"buildx.build.provenance/linux/amd64": 1}',
        '{"containerimage.descriptor": {"mediaType": "x", "digest": "a:b", "digest": "a:c", "size": 1}}',
        '{"x": "\xff"}',
        '{"x": "cut',
        "[1]",
        "",
    ],
)
def test_what_could_be_read_in_two_ways_is_left_to_the_whole_reader(data: str) -> None:
    assert read_known(data.encode("latin-1")) is None


MB = 10**6


def _fill(file: Path, before: bytes, piece: bytes, after: bytes, size: int) -> None:
    with file.open("wb") as opened:
        opened.write(before)
        block = piece * (MB // len(piece))
        while opened.tell() < size:
            opened.write(block)
        opened.write(after)


_FLAT = f'{{"buildx.build.ref": "b/n/r", "containerimage.digest": "{DIGEST}", '.encode()
_STATEMENT = b'{"uri": "pkg:docker/alpine@3", "digest": {"sha256": "' + b"0" * 64 + b'"}},\n'


@pytest.mark.parametrize(
    ("before", "piece", "after"),
    [
        (_FLAT + b'"buildx.build.provenance": {"materials": [', _STATEMENT, b"{}]}}"),
        (_FLAT, b'"a":0,', b'"b":0}'),
    ],
    ids=["provenance", "wide"],
)
def test_a_file_of_100_mb_is_read_within_3_s_and_400_mib(
    tmp_path: Path, before: bytes, piece: bytes, after: bytes
) -> None:
    file = tmp_path / "metadata.json"
    _fill(file, before, piece, after, 100 * MB)
    assert _read(file) == ("None", DIGEST)


@pytest.mark.parametrize(
    ("before", "piece", "after"),
    [
        (_FLAT + b'"x": "', "é".encode(), b'"}'),
        (_FLAT + b'"x": "', "\U0001f600".encode(), b'"}'),
        (_FLAT + b'"x": [', b"0,", b"0]}"),
        (_FLAT + b'"x": [', b"{},", b"0]}"),
        (_FLAT + b'"x": [', b"1e999999,", b"0]}"),
        (_FLAT + b'"x": "', b'\\"{[', b'"}'),
        (_FLAT + b'"buildx.build.warnings": [', b"{},", b"{}]}"),
    ],
    ids=["text", "emoji", "numbers", "objects", "beyond doubles", "escapes", "warnings"],
)
def test_a_file_of_34_mb_is_read_within_its_share_of_that(
    tmp_path: Path, before: bytes, piece: bytes, after: bytes
) -> None:
    file = tmp_path / "metadata.json"
    _fill(file, before, piece, after, 34 * MB)
    assert _read(file) == ("None", DIGEST)


@pytest.mark.parametrize(
    ("before", "piece", "after"),
    [
        (b'{"x": ', b"[", b""),
        (b"", b"[{},", b""),
        (b"", b"{},", b""),
        (b'{"x": "', b"x", b""),
        (_FLAT + b'"x": [', b"0,", b"]}"),
        (_FLAT, f'"containerimage.digest": "{OTHER}",'.encode(), b'"b":0}'),
    ],
    ids=["deep", "deep and wide", "no JSON", "cut off", "comma", "key again and again"],
)
@pytest.mark.parametrize("bake", [False, True])
def test_a_file_of_34_mb_that_is_no_metadata_is_refused_within_its_share_of_that(
    tmp_path: Path, before: bytes, piece: bytes, after: bytes, *, bake: bool
) -> None:
    file = tmp_path / "metadata.json"
    _fill(file, before, piece, after, 34 * MB)
    fault, _ = _read(file, bake=bake)
    assert "expected each known key once and valid" in fault


def test_a_bake_with_34_mb_of_warnings_is_refused_within_its_share_of_that(tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    _fill(file, b'{"buildx.build.warnings": [', b"{},", b"{}]}", 34 * MB)
    fault, _ = _read(file, bake=True)
    assert "expected each known key once and valid" in fault


def test_a_bake_of_many_targets_is_refused_within_its_share_of_that(tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    with file.open("wb") as opened:
        opened.write(b"{")
        for number in range(3 * MB):
            opened.write(b'"%x":{},' % number)
        opened.write(b'"last":{}}')
    fault, _ = _read(file, bake=True)
    assert "expected each known key once and valid" in fault


def test_a_bake_of_34_mb_is_read_within_its_share_of_that(tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    provenance = (b'"buildx.build.provenance": {"materials": [' + _STATEMENT * 900 + b"{}]}").replace(b"\n", b"")
    with file.open("wb") as opened:
        opened.write(b"{")
        for number in range(340):
            digest = f'"containerimage.digest": "sha256:{number:064x}", '.encode()
            opened.write(b'"t%d": {%b%b},\n' % (number, digest, provenance))
        opened.write(b'"buildx.build.warnings": []}')
    assert file.stat().st_size > 34 * MB
    found, targets = _read(file, bake=True)
    assert (found, targets) == ("None", "340")


def _read(file: Path, *, bake: bool = False) -> tuple[str, str]:
    """Read a file within its share of what 100 MB may take; return its fault, and its digest or number of targets."""
    found = measured(
        "from pathlib import Path; from action.evidence.metadata_file import read_metadata_file",
        f"read = read_metadata_file(Path({str(file)!r}), bake={bake}); print(read.fault); "
        f"print(len(read.targets) if {bake} else read.build.metadata.merged.image.digest)",
    )
    size = file.stat().st_size
    # A shorter file is read in another way.
    assert size > MAX_WHOLE_BYTES
    assert found.seconds < 3 * size / (100 * MB)
    assert found.memory < 400 * size / (100 * MB)
    file.unlink()
    fault, said = found.said.splitlines()
    return fault, said


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 200 * MB])
def test_a_file_over_the_bound_is_refused_unread(tmp_path: Path, size: int) -> None:
    file = tmp_path / "metadata.json"
    with file.open("wb") as opened:
        opened.truncate(size)
    read = read_metadata_file(file)
    assert f"expected at most {MAX_BYTES} bytes, found {size}" in str(read.fault)
    (fault,) = validate_file(file, None)
    assert f"expected at most {MAX_BYTES} bytes, found {size}" in str(fault)


def test_a_long_file_is_validated_by_what_is_known_of_it(tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    _fill(file, _FLAT + b'"x": [', b"0,", b"0]}", MAX_WHOLE_BYTES + 1)
    assert list(validate_file(file, None)) == []
    assert list(validate_file(file, "metadata")) == []
    _fill(file, b'{"containerimage.digest": "sha256:0", "x": [', b"0,", b"0]}", MAX_WHOLE_BYTES + 1)
    (fault,) = validate_file(file, "metadata")
    assert f"expected at most {MAX_WHOLE_BYTES} bytes" in str(fault)


def test_text_that_is_too_long_to_be_an_output_is_not_handed_on_and_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    _fill(file, _FLAT + b'"x": "', b"x", b'"}', MAX_TEXT_BYTES + 1)
    read = read_metadata_file(file)
    assert (read.text, read.fault) == (None, None)
    assert read.build.metadata.ref == "b/n/r"
    assert f"an output can have {MAX_TEXT_BYTES}" in str(read.too_long)


def test_text_that_is_too_long_is_not_handed_on_where_the_file_was_read_whole_either(tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    # Separate responses are for the whole reader.
    _fill(file, _FLAT + b'"exporter.responses": [], "x": "', b"x", b'"}', MAX_TEXT_BYTES + 1)
    read = read_metadata_file(file)
    assert (read.text, read.fault) == (None, None)
    assert read.build.metadata.separate == ()
    assert f"an output can have {MAX_TEXT_BYTES}" in str(read.too_long)


def test_many_values_in_a_short_file_are_refused_and_not_built() -> None:
    with pytest.raises(DocumentError, match="expected at most 1000000 values, found more"):
        parse_document("[" + "0," * MB + "0]", "x")


def test_a_key_that_is_twice_at_the_end_of_many_is_found_at_once() -> None:
    members = ",".join(f'"k{number}":0' for number in range(200_000))
    with pytest.raises(DocumentError, match="'k7' twice"):
        parse_document(f'{{{members},"k7":1}}', "x")
