"""The inputs as GitHub gives them, and the forms of their values: booleans, lists, and CSV records of attributes.

Booleans have two forms: that of an action's input, and that of a buildx attribute.

The rules for lists are those of docker/build-push-action 7, which reads them with csv-parse and its option
`relax_quotes` (docker/actions-toolkit 0.95, src/util.ts, `Util.getList`):

- An input is CSV with one record on each line.
- A double quote at the start of a field opens a quoted field. Commas and newlines in it are text, and a quote in it is
  doubled: `"KEY=say ""hi"", twice"`.
- If text follows the closing quote, as in a line of JSON, the quotes are text: `"a"b` stays as it is.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping

from action.errors import InputError
from action.lazy import difflib

_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_inputs(document: str) -> dict[str, str]:
    """Read the environment variable INPUTS, which action.yml sets to `toJSON(inputs)`.

    `parse_inputs('{"push": "true"}')` is `{"push": "true"}`.

    Args:
        document: a JSON object of input names and texts; an empty string is an empty object.

    Returns:
        Input name, in lower case, to its text.

    Raises:
        InputError: the document is not such an object.
    """
    rule = 'expected a JSON object of input names and texts, such as {"push": "true"}'
    try:
        raw = json.loads(document or "{}")
    except (ValueError, RecursionError) as error:
        # The error of json may be shown: it contains a position and never a value.
        raise InputError("INPUTS", f"not JSON ({error})", rule) from None
    if not isinstance(raw, dict):
        raise InputError("INPUTS", f"found {type(raw).__name__}", rule)
    if any(_SURROGATE.search(name) for name in raw):
        raise InputError("INPUTS", "a name contains a lone surrogate, which is not a character", rule)
    # GitHub matches names in any case, and toJSON(inputs) has them as the workflow writes them.
    return {name.lower(): _text(name, value) for name, value in raw.items()}


def known_inputs(raw: Mapping[str, str], names: frozenset[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Separate the inputs that the action declares from those that it does not declare.

    An input that is not declared is not an error: the runner only warns about it (actions/runner 2.336,
    src/Runner.Worker/ActionRunner.cs), and `toJSON(inputs)` of a composite action contains it.

    Args:
        raw: input name to its text.
        names: the names of all inputs that the action declares.

    Returns:
        The declared inputs, and a warning for each other input. A warning shows no value, which may be a secret.
    """
    warnings = []
    for name in raw:
        if name not in names:
            near = difflib.get_close_matches(name, sorted(names), n=1)
            rule = f"did you mean {near[0]}?" if near else "see the inputs in action.yml"
            warnings.append(f"{name}: this action has no such input, so it is ignored; {rule}")
    return {name: text for name, text in raw.items() if name in names}, tuple(warnings)


def _text(name: str, value: object) -> str:
    """Return the text of an input.

    Raises:
        InputError: the value is an array or an object, or contains what no argument of a program can contain.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        raise InputError(name, f"found a JSON {type(value).__name__}", "an input is text")
    if "\0" in value:
        raise InputError(name, "it contains a NUL character", "an argument of a program cannot contain one")
    # JSON can escape half of a surrogate pair (RFC 8259, section 8.2), which has no form in UTF-8.
    if _SURROGATE.search(value):
        raise InputError(name, "it contains a lone surrogate, which is not a character", "write it in UTF-8")
    return value


_YAML = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_GO = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


def yaml_boolean(text: str) -> bool | None:
    """Read a boolean of the YAML 1.2 core schema, as `getBooleanInput` of @actions/core does; None if it is not one."""
    return _YAML.get(text)


def go_boolean(text: str) -> bool | None:
    """Read a boolean as buildx does, with Go's `strconv.ParseBool`; None if it is not one."""
    return _GO.get(text)


def input_boolean(name: str, text: str) -> bool:
    """Read a boolean input; an empty one is False.

    Args:
        name: the name of the input, for the error.
        text: the value of the input.

    Raises:
        InputError: the value is not a boolean.
    """
    value = yaml_boolean(text)
    if value is None and text:
        raise InputError(name, f"{text!r} is not a boolean", "write true or false")
    return bool(value)


def input_text(raw: Mapping[str, str], name: str) -> str:
    """Return an input's text without white space around it; a missing input is empty.

    Args:
        raw: input name to its text.
        name: the name of the input.
    """
    return raw.get(name, "").strip()


def input_flag(raw: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    """Return a boolean input.

    Args:
        raw: input name to its text.
        name: the name of the input.
        default: the value of an empty or missing input.

    Raises:
        InputError: the text is not a boolean.
    """
    text = input_text(raw, name)
    return input_boolean(name, text) if text else default


def environment_boolean(text: str) -> bool:
    """Read a boolean environment variable; a value that is not a boolean, such as `yes`, is False.

    docker/actions-toolkit 0.95 reads its variables in this way (src/util.ts, `parseBoolOrDefault`).
    """
    return go_boolean(text) is True


# Not the csv module: of text after a closing quote it drops the quotes, or with strict=True refuses the line.
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
_NEWLINE = re.compile(r"\r\n|\n|\r")
"""The line ends that csv-parse detects; str.splitlines would also split at others, such as U+2028."""


def split_list(name: str, text: str) -> tuple[str, ...]:
    """Split a list input at newlines and commas; drop white space around items, and empty items.

    `split_list("tags", 'app:1, app:2,"x,y"')` is `("app:1", "app:2", "x,y")`.

    Args:
        name: the name of the input, for errors.
        text: the value of the input.

    Raises:
        InputError: a double quote opens a field and nothing closes it.
    """
    items: list[str] = []
    for record in _records(name, text):
        # The only field of a record is split even if it was quoted, as in Util.getList.
        items += record[0].split(",") if len(record) == 1 else record
    return tuple(item.strip() for item in items if item.strip())


def split_lines(name: str, text: str, *, strip: bool = True) -> tuple[str, ...]:
    """Split a list input at newlines only; commas are part of the items.

    Args:
        name: the name of the input, for errors.
        text: the value of the input.
        strip: whether white space around items is dropped; the value of a secret must keep it.

    Raises:
        InputError: a double quote opens a field and nothing closes it.
    """
    items = [",".join(record) for record in _records(name, text)]
    return tuple(item.strip() if strip else item for item in items if item.strip())


def split_raw_lines(text: str) -> tuple[str, ...]:
    """Split a list input at newlines and keep the quotes, for values that buildx reads as CSV itself."""
    return tuple(line.strip() for line in _NEWLINE.split(text) if line.strip())


def csv_fields(name: str, text: str) -> tuple[str, ...]:
    """Split one CSV record, such as an output or an attestation, into its fields.

    `csv_fields("outputs", 'type=image,"name=a,b"')` is `("type=image", "name=a,b")`.

    Args:
        name: the name of the input, for errors.
        text: the record.

    Raises:
        InputError: the text is not one CSV record.
    """
    # newline="", as the documentation of csv asks: a bare carriage return ends a line too.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        records = [record for record in reader if record]
    except csv.Error as error:
        raise InputError(name, f"{text!r} cannot be read as CSV ({error})", _QUOTES) from None
    if len(records) > 1:
        raise InputError(name, f"{text!r} contains a line break", "write one entry on each line")
    return tuple(records[0]) if records else ()


def csv_record(fields: tuple[str, ...]) -> str:
    """Join fields to one CSV record, and quote those that need it."""
    text = io.StringIO()
    # The writer quotes a field that contains a character of its line terminator, so that has both newline characters.
    csv.writer(text, lineterminator="\r\n").writerow(fields)
    return text.getvalue().removesuffix("\r\n")


def _records(name: str, text: str) -> list[list[str]]:
    """Split a text into records, and each record into fields; empty lines are left out."""
    records: list[list[str]] = [[]]
    place = 0
    while True:
        field = _FIELD.match(text, place)
        assert field is not None  # the last alternative matches anything
        if field["open"]:
            # The message shows the number of the line and no text, which may be a secret.
            line = text.count("\n", 0, place) + 1
            raise InputError(name, f"the double quote that opens an item in line {line} is not closed", _QUOTES)
        records[-1].append(_value(field))
        end = _END.match(text, field.end())
        assert end is not None  # a field ends only at one of these
        if not end[0]:
            return [record for record in records if record != [""]]
        if end[0] != ",":
            records.append([])
        place = end.end()


def _value(field: re.Match[str]) -> str:
    """Return the value of a matched field, without the quotes that csv-parse removes."""
    if field["quoted"] is not None:
        return field["quoted"].replace('""', '"')
    if field["relaxed"] is not None:
        unescaped = field["relaxed"].replace('""', '"')
        return f'"{unescaped}"{field["rest"]}'
    return field["plain"]
