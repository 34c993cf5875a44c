"""How the text of a list input becomes its items.

The rules are those of docker/build-push-action (docker/actions-toolkit, `Util.getList`, which reads with csv-parse and
its `relax_quotes`): an input is CSV with one record a line. A double quote at the start of a field opens a quoted one,
in which commas and newlines are text and a quote is doubled. Where the quote that should close it is followed by more
text, as in a line of JSON, all its quotes are text. Python's csv module drops those quotes or refuses the line.
"""

from __future__ import annotations

import csv
import io
import re

from action.errors import InputError

_FIELD = re.compile(
    r"""
    "(?P<quoted>[^"]*(?:""[^"]*)*)"(?=[,\r\n]|\Z)
    | "(?P<relaxed>[^"]*(?:""[^"]*)*)"(?!")(?P<rest>[^,\r\n]+)
    | (?P<open>")[^"]*(?:""[^"]*)*\Z
    | (?P<plain>[^,\r\n]*)
    """,
    re.VERBOSE,
)
_QUOTES = 'a double quote that opens an item must close it, and one inside it is doubled ("")'
_END = re.compile(r"\r\n|\n|\r|,|\Z")
_NEWLINE = re.compile(r"\r\n|\n|\r")  # str.splitlines would split at others too


def split_list(name: str, text: str) -> tuple[str, ...]:
    """Split a list input at newlines and commas.

    Args:
        name: the input's name, for errors.
        text: the input as the user wrote it.

    Raises:
        InputError: a quote is opened and not closed.
    """
    items: list[str] = []
    for record in _records(name, text):
        items += record[0].split(",") if len(record) == 1 else record
    return tuple(item.strip() for item in items if item.strip())


def split_lines(name: str, text: str, *, strip: bool = True) -> tuple[str, ...]:
    """Split a list input at newlines only; commas belong to the items.

    Args:
        name: the input's name, for errors.
        text: the input as the user wrote it.
        strip: whether white space around an item is dropped (it is kept in a secret's value).

    Raises:
        InputError: a quote is opened and not closed.
    """
    items = [",".join(record) for record in _records(name, text)]
    return tuple(item.strip() if strip else item for item in items if item.strip())


def split_raw_lines(text: str) -> tuple[str, ...]:
    """Split `outputs` at newlines, quotes and all: buildx reads each line as CSV itself."""
    return tuple(line.strip() for line in _NEWLINE.split(text) if line.strip())


def csv_fields(name: str, text: str) -> tuple[str, ...]:
    """Split one CSV record, such as an output or an attestation, into its fields.

    Args:
        name: where the record stands, for errors.
        text: the record.

    Raises:
        InputError: the record is not CSV.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        records = [record for record in reader if record]
    except csv.Error as error:
        raise InputError(name, f"{text!r} cannot be read as CSV ({error})", _QUOTES) from None
    if len(records) > 1:
        raise InputError(name, f"{text!r} holds a line break", "one entry is one line")
    return tuple(records[0]) if records else ()


def csv_record(fields: tuple[str, ...]) -> str:
    """Join fields to one CSV record, quoting those that need it."""
    text = io.StringIO()
    # The writer quotes what holds a character of its line's end, so that must be both characters of newlines.
    csv.writer(text, lineterminator="\r\n").writerow(fields)
    return text.getvalue().removesuffix("\r\n")


def _records(name: str, text: str) -> list[list[str]]:
    records: list[list[str]] = [[]]
    place = 0
    while True:
        field = _FIELD.match(text, place)
        assert field is not None  # noqa: S101  # the last alternative matches anything
        if field["open"]:
            line = text.count("\n", 0, place) + 1
            raise InputError(name, f"the double quote that opens an item in line {line} is not closed", _QUOTES)
        records[-1].append(_value(field))
        end = _END.match(text, field.end())
        assert end is not None  # noqa: S101  # a field ends nowhere else
        if not end[0]:
            return [record for record in records if record != [""]]
        if end[0] != ",":
            records.append([])
        place = end.end()


def _value(field: re.Match[str]) -> str:
    if field["quoted"] is not None:
        return field["quoted"].replace('""', '"')
    if field["relaxed"] is not None:
        unescaped = field["relaxed"].replace('""', '"')
        return f'"{unescaped}"{field["rest"]}'
    return field["plain"]
