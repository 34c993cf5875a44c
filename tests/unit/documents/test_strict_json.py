from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action.documents.pointer import pointer, pointer_at
from action.documents.strict_json import parse_bytes, parse_document, read_document


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
        (b'{"a": NaN}', "", "NaN is no JSON number"),
        (b'{"a": -Infinity}', "", "-Infinity is no JSON number"),
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
def test_a_broken_document_is_named_with_its_place_and_what_was_expected(
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


def test_the_text_is_kept_where_it_is_text(tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    file.write_bytes(b' {"a": \n')
    assert read_document(file).text == '{"a":'
    file.write_bytes(b'{"a": "\xff"}')
    assert read_document(file).text is None


def test_a_missing_file_and_a_folder_are_plain_faults(tmp_path: Path) -> None:
    missing = read_document(tmp_path / "none.json").fault
    assert missing is not None
    assert "expected a JSON file, but there is no such file" in str(missing)
    folder = read_document(tmp_path).fault
    assert folder is not None
    assert "Is a directory" in str(folder)


@pytest.mark.parametrize(
    "text", ["null", "[]", "{}", "0", '"x"', "[" * 200 + "]" * 200, '{"a": {"a": 1}}', '{"ä": "\\ud83d\\ude00"}']
)
def test_json_is_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text, encoding="utf-8")
    document = read_document(file)
    assert document.fault is None
    assert document.value == json.loads(text)


def test_brackets_in_texts_do_not_nest(tmp_path: Path) -> None:
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
def test_half_a_character_is_read_as_go_reads_it(text: str, value: object) -> None:
    # encoding/json: "replaced by U+FFFD". A text that holds one could be written nowhere.
    assert parse_document(text, "x") == value


def test_the_place_of_a_fault_can_always_be_printed() -> None:
    assert pointer_at('{"\\ud800": ').encode() == b"/?"


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": "' + b'\\"' * 5_000_000 + b"\x01",
        b'{"a": "' + b'\\"' * 5_000_000 + b"\xff",
        b'{"a": "' + b"x" * 30_000_000 + b"\x01",
        b"[" * 150 + b"[]," * 200 + b"]" * 30_000_000,
        b"[[]," * 100 + b":" * 30_000_000,
        b"[[]," * 100 + b'""' * 15_000_000,
        b'["' + b"\\ud800" * 1_000_000 + b'"]',
        b'["' + b"\\\\" * 5_000_000 + b'\\ud800"]',
    ],
    ids=["quotes", "quotes and bytes", "text", "closing brackets", "colons", "texts", "halves", "backslashes"],
)
def test_a_hostile_document_is_read_or_named_in_a_moment(data: bytes) -> None:
    begun = time.process_time()
    parse_bytes(data, "x")
    assert time.process_time() - begun < 3


@given(_JSON, st.integers(0, 400))
def test_any_beginning_of_a_document_is_read_or_named_and_never_more(value: object, length: int) -> None:
    text = json.dumps(value, ensure_ascii=False)
    place = pointer_at(text[:length])
    assert place == "" or place.startswith("/")


def test_a_pointer_escapes_as_the_specification_says() -> None:
    # RFC 6901, sections 3 and 5
    assert pointer(["a/b", "m~n", 0, ""]) == "/a~1b/m~0n/0/"
    assert pointer([]) == ""
