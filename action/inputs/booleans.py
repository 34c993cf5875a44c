"""The two ways a boolean is written: in an action's input, and in buildx's own attributes."""

from __future__ import annotations

from action.errors import InputError

_YAML = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_GO = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


def yaml_boolean(text: str) -> bool | None:
    """Read a boolean of the YAML 1.2 core schema, as `getBooleanInput` of @actions/core does; None where it is none."""
    return _YAML.get(text)


def go_boolean(text: str) -> bool | None:
    """Read a boolean as Go's `strconv.ParseBool` does, which buildx uses; None where it is none."""
    return _GO.get(text)


def input_boolean(name: str, text: str) -> bool:
    """Read a boolean input; an empty one is false.

    Raises:
        InputError: the text is no boolean.
    """
    value = yaml_boolean(text)
    if value is None and text:
        raise InputError(name, f"{text!r} is no boolean", "write true or false")
    return bool(value)


def environment_boolean(text: str) -> bool:
    """Read a boolean environment variable; everything but a true value is false, `yes` included.

    docker/actions-toolkit 0.95 reads them this way (util.ts, parseBoolOrDefault).
    """
    return go_boolean(text) is True
