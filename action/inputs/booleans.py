"""Booleans in the two forms that users write: in an action's input, and in a buildx attribute."""

from __future__ import annotations

from action.errors import InputError

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


def environment_boolean(text: str) -> bool:
    """Read a boolean environment variable; a value that is not a boolean, such as `yes`, is False.

    docker/actions-toolkit 0.95 reads its variables in this way (src/util.ts, `parseBoolOrDefault`).
    """
    return go_boolean(text) is True
