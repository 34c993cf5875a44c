"""The inputs as GitHub gives them: a JSON object of texts, checked and reduced to those that the action declares."""

from __future__ import annotations

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

    An input that is not declared is no error: the runner only warns of it (actions/runner 2.336,
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
