"""Strict reading of JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action.documents.pointer import pointer, pointer_at
from action.documents.strict_json import MAX_DEPTH, parse_bytes, parse_document, read_document, read_file
from action.errors import DocumentError
from tests.work import growth

_CHECK = "check whether the program that writes it has succeeded"


@pytest.mark.parametrize(
    ("data", "place", "problem"),
    [
        (b"", "", "expected a JSON document, found nothing"),
        (b" \n", "", "expected a JSON document, found nothing"),
        (b'{"a": {"b": [1, 2', "/a/b/1", "cut off"),
        (b'{"a": "x', "/a", "cut off"),
        (b'{"a": 1', "/a", "cut off"),
        (b'{"a": 1 2}', "/a", "expected JSON: "),
        (b"{'a': 1}", "", "expected JSON: "),
        (b"hello", "", "expected JSON: "),
        (b'{"a": [1, 2}', "/a/1", "expected JSON: "),
        (b'{"a": NaN}', "", "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "", "-Infinity is not a JSON number"),
        (b'{"a": {"b": "\xff"}}', "/a/b", "expected UTF-8, found the byte 0xff at offset 13"),
        (b"\xff\xfe{\x00}\x00", "", "expected UTF-8"),
        (b'{"a": 1, "a": 2}', "/a", "expected each key once, found 'a' twice"),
        (b'{"x": [0, {"k/1": 1, "k/1": 2}]}', "/x/1/k~11", "found 'k/1' twice"),
        (b'{"a": {"b": 1, "b": 2}, "a": 3}', "/a", "twice"),
        (b'{"p~q": ' * 3 + b"?", "/p~0q/p~0q/p~0q", "expected JSON"),
        (b'{"a":' * 10_000, "/a/a/a/a/a/a/a/a/a/a/a/a/\u2026", "at most 200 levels of nesting"),
        (b"[" * 10_000, "/0/0/0/0/0/0/0/0/0/0/0/0/\u2026", "at most 200 levels of nesting"),
        (b"[" * 10_000 + b"]" * 10_000, "/0/0/0/0/0/0/0/0/0/0/0/0/\u2026", "levels of nesting"),
        (b'{"a": ' + b"9" * 5000 + b"}", "", "expected JSON: "),
    ],
)
def test_a_fault_is_reported_with_its_pointer_and_what_was_expected(
    tmp_path: Path, data: bytes, place: str, problem: str
) -> None:
    file = tmp_path / "metadata.json"
    file.write_bytes(data)
    document = read_document(file)
    assert document.fault is not None
    assert document.fault.pointer == place
    assert problem in document.fault.problem
    assert str(document.fault).startswith(f"{file}: at ")
    assert document.value is None


def test_the_text_of_an_invalid_document_is_kept_if_it_is_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    file.write_bytes(b' {"a": \n')
    assert read_document(file).text == '{"a":'
    file.write_bytes(b'{"a": "\xff"}')
    assert read_document(file).text is None


def test_a_missing_file_and_a_folder_are_faults(tmp_path: Path) -> None:
    missing = read_document(tmp_path / "none.json").fault
    assert missing is not None
    assert "expected a JSON file, but there is no such file" in str(missing)
    folder = read_document(tmp_path).fault
    assert folder is not None
    assert "this is a folder" in str(folder)


@pytest.mark.parametrize(
    "text", ["null", "[]", "{}", "0", '"x"', "[" * 200 + "]" * 200, '{"a": {"a": 1}}', '{"ä": "\\ud83d\\ude00"}']
)
def test_valid_json_has_the_value_that_python_reads(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text, encoding="utf-8")
    document = read_document(file)
    assert document.fault is None
    assert document.value == json.loads(text)


def test_brackets_in_strings_are_not_nesting(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps({"a": '[{"' * 5000}), encoding="utf-8")
    assert read_document(file).fault is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('["\\ud800"]', ["\ufffd"]),
        ('["\\udfff\\ud800"]', ["\ufffd\ufffd"]),
        ('["a\\ud83d\\ude00\\uD83D"]', ["a\U0001f600\ufffd"]),
        ('["\\\\ud800 \\\\\\ud800"]', ["\\ud800 \\\ufffd"]),
        ('{"\\ud800": 1}', {"\ufffd": 1}),
    ],
)
def test_half_a_surrogate_pair_is_read_as_go_reads_it(text: str, value: object) -> None:
    # encoding/json: "replaced by U+FFFD". A text that holds one could be written nowhere.
    assert parse_document(text, "x") == value


def test_the_pointer_of_a_fault_can_always_be_encoded() -> None:
    assert pointer_at('{"\\ud800": ').encode() == b"/?"


@pytest.mark.parametrize(
    ("start", "piece", "end", "count"),
    [
        (b'{"a": "', b'\\"', b"\x01", 200_000),
        (b'{"a": "', b'\\"', b"\xff", 200_000),
        (b'{"a": "', b"x", b"\x01", 1_000_000),
        (b"[" * 150 + b"[]," * 200, b"]", b"", 1_000_000),
        (b"[[]," * 100, b":", b"", 1_000_000),
        (b"[[]," * 100, b'""', b"", 500_000),
        (b'["', b"\\ud800", b'"]', 50_000),
        (b'["', b"\\\\", b'\\ud800"]', 200_000),
    ],
    ids=["quotes", "quotes and bytes", "text", "closing brackets", "colons", "texts", "halves", "backslashes"],
)
def test_the_time_for_a_hostile_document_grows_in_proportion_to_its_size(
    start: bytes, piece: bytes, end: bytes, count: int
) -> None:
    assert growth(lambda count: parse_bytes(start + piece * count + end, "x"), count) < 1.5


@given(_JSON, st.integers(0, 400))
def test_any_beginning_of_a_document_has_a_pointer(value: object, length: int) -> None:
    text = json.dumps(value, ensure_ascii=False)
    place = pointer_at(text[:length])
    assert place == "" or place.startswith("/")


def test_a_pointer_escapes_as_the_specification_says() -> None:
    # RFC 6901, sections 3 and 5
    assert pointer(["a/b", "m~n", 0, ""]) == "/a~1b/m~0n/0/"
    assert pointer([]) == ""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.json", "there is no such file"),
        (".", "this is a folder; name a file in it"),
        ("m.json/x", "Not a directory"),
    ],
)
def test_an_unreadable_file_is_reported_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "m.json").write_text("{}")
    with pytest.raises(DocumentError) as error:
        read_file(tmp_path / name)
    assert str(error.value) == f"{tmp_path / name}: at the top: expected a JSON file, but {reason}"
    assert error.value.pointer == ""
    document = read_document(tmp_path / name)
    assert (document.source, str(document.fault)) == (str(tmp_path / name), str(error.value))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "at the top: expected a JSON document, found nothing"),
        (b'{"a": [\xff]}', "at /a/0: expected UTF-8, found the byte 0xff at offset 7"),
        (b'{"a": 1', f"at /a: expected the rest of a JSON document, which is cut off here (line 1); {_CHECK}"),
        (b'{"b": [{"a": {"x": 1, "x": 2}}, {}], "c": {}}', "at /b/0/a/x: expected each key once, found 'x' twice"),
        (b'{"c": {"a": 1, "a": 2}, "b": [{}, []]}', "at /c/a: expected each key once, found 'a' twice"),
    ],
)
def test_a_fault_is_reported_with_its_file_and_pointer(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "m.json"
    file.write_bytes(data)
    document = read_document(file)
    assert (document.source, str(document.fault)) == (str(file), f"{file}: {said}")


def test_nesting_is_read_up_to_the_maximum_and_refused_beyond() -> None:
    def nested(depth: int) -> str:
        return "[" * depth + "]" * depth

    assert parse_document(nested(MAX_DEPTH), "x") is not None
    with pytest.raises(DocumentError, match=f"expected at most {MAX_DEPTH} levels of nesting, found more"):
        parse_document(nested(MAX_DEPTH + 1), "x")
