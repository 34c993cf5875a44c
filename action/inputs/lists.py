"""How the text of a list input becomes its items.

The rules are those of docker/build-push-action (docker/actions-toolkit, `Util.getList`): an input is CSV with one
record a line; a double quote at the start of a field opens a quoted one, in which commas and newlines are text.
"""

from __future__ import annotations

import csv
import io

from action.errors import InputError


def split_list(name: str, text: str) -> tuple[str, ...]:
    """Split a list input at newlines and commas.

    Args:
        name: the input's name, for errors.
        text: the input as the user wrote it.

    Raises:
        InputError: a quote is opened and not closed, or is followed by more text.
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
        InputError: a quote is opened and not closed, or is followed by more text.
    """
    items = [",".join(record) for record in _records(name, text)]
    return tuple(item.strip() if strip else item for item in items if item.strip())


def split_raw_lines(text: str) -> tuple[str, ...]:
    """Split `outputs` at newlines, quotes and all: buildx reads each line as CSV itself."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def csv_fields(name: str, text: str) -> tuple[str, ...]:
    """Split one CSV record, such as an output or an attestation, into its fields.

    Args:
        name: where the record stands, for errors.
        text: the record.

    Raises:
        InputError: the record is not CSV.
    """
    records = _records(name, text)
    if len(records) > 1:
        raise InputError(name, f"{text!r} holds a line break", "one entry is one line")
    return tuple(records[0]) if records else ()


def csv_record(fields: tuple[str, ...]) -> str:
    """Join fields to one CSV record, quoting those that need it."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()


def _records(name: str, text: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return [record for record in reader if record]
    except csv.Error as error:
        problem = f"line {reader.line_num} cannot be read as CSV ({error})"
        rule = 'a double quote that opens an item must close it, and one inside it is doubled ("")'
        raise InputError(name, problem, rule) from None
