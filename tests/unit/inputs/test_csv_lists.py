"""Lists split as docker/build-push-action splits them (docker/actions-toolkit, Util.getList and its tests)."""

from __future__ import annotations

import contextlib
import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action.errors import InputError
from action.inputs.values import csv_fields, csv_record, split_lines, split_list, split_raw_lines
from tests.work import growth


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a,b", ("a", "b")),
        ("a, b ,c", ("a", "b", "c")),
        ("a\nb", ("a", "b")),
        ("a\r\nb", ("a", "b")),
        ("a\n\n\nb,,c\n", ("a", "b", "c")),
        ('"a,b",c', ("a,b", "c")),
        ('"a,b"', ("a", "b")),
        ('x"y,z', ('x"y', "z")),
        ('"a""b",c', ('a"b', "c")),
    ],
)
def test_a_comma_list_splits_at_newlines_and_commas_but_not_in_quotes(text: str, items: tuple[str, ...]) -> None:
    assert split_list("tags", text) == items


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("A=1,2\nB=3", ("A=1,2", "B=3")),
        ('"A=1\n2"\nB=3', ("A=1\n2", "B=3")),
        ('"A=say ""hi"""', ('A=say "hi"',)),
        ('A={"x":1,"y":2}', ('A={"x":1,"y":2}',)),
        ('a,"b,c",d', ("a,b,c,d",)),
        ("  A=1  \n\n", ("A=1",)),
        ("# no comment", ("# no comment",)),
    ],
)
def test_a_line_list_splits_at_newlines_only(text: str, items: tuple[str, ...]) -> None:
    assert split_lines("build-args", text) == items


def test_white_space_of_a_secret_is_kept() -> None:
    assert split_lines("secrets", "A= x \n", strip=False) == ("A= x ",)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ('A={"x":1,"y":2}', ('A={"x":1,"y":2}',)),
        ('{"auths":{"r":{"auth":"x,y"}}}', ('{"auths":{"r":{"auth":"x,y"}}}',)),
        ('"a"b\nc', ('"a"b', "c")),
        ('"a,b"c', ('"a,b"c',)),
        ('"a""b"c', ('"a"b"c',)),
        ('""x"', ('""x"',)),
    ],
)
def test_quotes_that_do_not_enclose_a_whole_item_are_text(text: str, items: tuple[str, ...]) -> None:
    assert split_lines("build-args", text) == items


@pytest.mark.parametrize("text", ['"a hunter2', 'ok\n"b\nhunter2', '"a""hunter2'])
def test_a_quote_that_is_not_closed_is_an_error_with_its_line_and_no_value(text: str) -> None:
    with pytest.raises(
        InputError, match=r"^secrets: the double quote that opens an item in line [12] is not closed"
    ) as error:
        split_lines("secrets", text)
    assert "hunter2" not in str(error.value)


@settings(deadline=None)
@given(st.text('a",\n'))
def test_no_letter_is_lost_with_any_quotes(text: str) -> None:
    try:
        items = split_lines("labels", text, strip=False)
    except InputError:
        return
    assert "".join(items).count("a") == text.count("a")


@pytest.mark.parametrize("mark", ["\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"])
def test_only_a_newline_ends_a_line(mark: str) -> None:
    # csv-parse finds the end of a record at \n, \r\n or \r; str.splitlines knows more of them.
    assert split_raw_lines(f"type=local,dest=a{mark}b\nout") == (f"type=local,dest=a{mark}b", "out")
    assert split_lines("labels", f"a{mark}b\nc") == (f"a{mark}b", "c")
    assert split_list("tags", f"a{mark}b,c") == (f"a{mark}b", "c")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_line_ending_separates_items(end: str) -> None:
    text = end.join(("a", "", "b", ""))
    assert split_raw_lines(text) == split_lines("labels", text) == split_list("tags", text) == ("a", "b")


def test_a_key_of_several_lines_in_quotes_keeps_every_line_empty_ones_and_the_last_included() -> None:
    text = 'TOKEN=abc,def=1\n"PEM=-----BEGIN KEY-----\n\nline, two\n-----END KEY-----\n"\nLAST=x\n'
    assert split_lines("secrets", text, strip=False) == (
        "TOKEN=abc,def=1",
        "PEM=-----BEGIN KEY-----\n\nline, two\n-----END KEY-----\n",
        "LAST=x",
    )


def test_the_error_for_a_quote_in_a_later_line_has_that_line() -> None:
    with pytest.raises(InputError, match=r"^labels: the double quote that opens an item in line 4 is not closed"):
        split_lines("labels", 'a\n"b\nc"\n"d')


@pytest.mark.parametrize(("piece", "after"), [('"a"b,', ""), ("x,", ""), ('"', '"'), ('""', "x"), ("\n", "")])
def test_the_time_for_a_hostile_list_is_proportional_to_its_length(piece: str, after: str) -> None:
    def read(length: int) -> None:
        with contextlib.suppress(InputError):
            split_list("tags", piece * (length // len(piece)) + after)

    # The longest is as long as a variable can be.
    assert growth(read, 12_500) < 1.5


def test_outputs_keep_their_quotes() -> None:
    assert split_raw_lines('type=image,"name=a,b"\n\n type=local,dest=o \n') == (
        'type=image,"name=a,b"',
        "type=local,dest=o",
    )


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_fields_are_unchanged_after_joining_and_splitting(fields: list[str]) -> None:
    written = io.StringIO()
    csv.writer(written).writerow(fields)
    assert csv_fields("x", written.getvalue().removesuffix("\r\n")) == tuple(fields)
    assert next(csv.reader(io.StringIO(csv_record(tuple(fields)), newline=""))) == fields


@pytest.mark.parametrize("text", ['type=sbom,"generator=a', 'type=sbom,"a"b'])
def test_an_entry_that_is_not_csv_is_an_error_with_the_rule(text: str) -> None:
    with pytest.raises(InputError, match=r"^attests: 'type=sbom.* cannot be read as CSV .*; a double quote that opens"):
        csv_fields("attests", text)


def test_an_entry_with_a_line_break_is_an_error() -> None:
    with pytest.raises(InputError, match="contains a line break"):
        csv_fields("attests", "type=sbom\ntype=provenance")
