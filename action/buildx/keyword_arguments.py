"""Keyword arguments of the Python API as arguments of `docker buildx`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from action.errors import InputError
from action.inputs.values import csv_record

StrPath: TypeAlias = "str | os.PathLike[str]"
"""A path: a text, or an object such as `pathlib.Path`."""

Texts: TypeAlias = "str | Iterable[str]"
"""Several texts, or one."""

Attributes: TypeAlias = "Mapping[str, str | int | os.PathLike[str]]"
"""Attributes of an output or a cache: name to value. True and False are written as `true` and `false`."""

Entries: TypeAlias = "str | Attributes | Iterable[str | Attributes]"
"""Several outputs or caches, or one: each as a CSV record as for buildx, or as its attributes."""

_VARIABLE = "BUILD_DIGESTS_SECRET_"


def texts(name: str, values: Texts) -> list[str]:
    """Return the texts of a keyword argument; a single text is a list of one.

    Without this a text would be read as a list of its letters: `tags="app:1"` as the tags `a`, `p`, …

    Args:
        name: the name of the keyword argument, for errors.
        values: the argument.

    Raises:
        InputError: a value is not a non-empty text.
    """
    found: list[object] = [values] if isinstance(values, str) else list(values)
    for each in found:
        if not isinstance(each, str) or not each:
            raise InputError(name, f"{each!r} is not valid", "give texts that are not empty")
    return [str(each) for each in found]


def paths(values: StrPath | Iterable[StrPath]) -> list[str]:
    """Return the paths of a keyword argument; a single path is a list of one."""
    found = [values] if isinstance(values, (str, os.PathLike)) else values
    return [os.fspath(each) for each in found]


def records(name: str, values: Entries) -> list[str]:
    """Return outputs or caches as buildx reads them, each a CSV record of `name=value` fields.

    Example:
        >>> records("outputs", {"type": "image", "name": "app:1,app:2", "push": True})
        ['type=image,"name=app:1,app:2",push=true']

    Args:
        name: the name of the keyword argument, for errors.
        values: the argument.

    Raises:
        InputError: an attribute cannot be written, or an entry is empty.
    """
    entries = [values] if isinstance(values, (str, Mapping)) else values
    return texts(name, [_record(name, each) for each in entries])


def assignments(name: str, values: Mapping[str, str | None]) -> list[str]:
    """Return `NAME=VALUE` for each item, or `NAME` alone if its value is None.

    Args:
        name: the name of the keyword argument, for errors.
        values: the argument.

    Raises:
        InputError: a name is empty or has an equals sign, or a value is not a text.
    """
    if not isinstance(values, Mapping):
        raise InputError(name, f"{values!r} is not a mapping", 'give names and values: {"NAME": "value"}')
    return [key if value is None else _assignment(name, key, value) for key, value in values.items()]


def secret_options(values: Mapping[str, StrPath]) -> tuple[list[str], dict[str, str]]:
    """Return the values of `--secret`, and environment variables for buildx that contain the secrets.

    buildx reads a text from its environment: in an argument every user of the machine could read it.

    Args:
        values: ID of a secret to its text, or to the path of its file.

    Raises:
        InputError: an ID is empty, or a value is neither a text nor a path.
    """
    found: list[str] = []
    environment: dict[str, str] = {}
    for key, value in values.items():
        if not key or not isinstance(value, (str, os.PathLike)):
            # Not the value, which may be a secret.
            raise InputError("secrets", f"{key!r} is not valid", 'give IDs with texts or paths: {"TOKEN": token}')
        if isinstance(value, str):
            environment[variable := f"{_VARIABLE}{len(environment)}"] = value
            found.append(csv_record((f"id={key}", f"env={variable}")))
        else:
            found.append(csv_record((f"id={key}", f"src={os.fspath(value)}")))
    return found, environment


def options(option: str, values: Iterable[str]) -> list[str]:
    """Return an option for each value, as one argument: a value that starts with a hyphen would be read as an option.

    Example:
        >>> options("--tag", ["app:1"])
        ['--tag=app:1']
    """
    return [f"{option}={value}" for value in values]


def positional(name: str, values: Iterable[str]) -> list[str]:
    """Return arguments that are not options.

    Args:
        name: the name of the keyword argument, for errors.
        values: the arguments; `-` is standard input.

    Raises:
        InputError: an argument is empty or would be read as an option.
    """
    found = list(values)
    for each in found:
        # pflag reads options after other arguments too, so that the value could add any option to the command.
        if not each or (each.startswith("-") and each != "-"):
            rule = f"buildx would read it as an option; for a folder of that name write ./{each}"
            raise InputError(name, f"{each!r} is not valid", rule if each else "give a string that is not empty")
    return found


def plain_arguments(arguments: Sequence[StrPath]) -> list[str]:
    """Return the arguments that a caller gives as a list.

    Raises:
        InputError: they are one text, or one of them is not a text.
    """
    if isinstance(arguments, str):
        rule = f"give a list, such as {arguments.split()!r}; shlex.split makes one"
        raise InputError("arguments", f"{arguments!r} is one text", rule)
    for each in arguments:
        if not isinstance(each, (str, os.PathLike)):
            raise InputError("arguments", f"{each!r} is not valid", "give texts and paths")
    return [os.fspath(each) for each in arguments]


def existing_folder(folder: StrPath) -> str:
    """Return the folder that buildx runs in.

    Raises:
        InputError: there is no such folder.
    """
    if not Path(folder).is_dir():
        raise InputError("folder", f"there is no folder {os.fspath(folder)!r}", "name the folder that buildx runs in")
    return os.fspath(folder)


def _record(name: str, entry: str | Attributes) -> str:
    if not isinstance(entry, Mapping):
        return entry
    return csv_record(tuple(_assignment(name, key, value) for key, value in entry.items())) if entry else ""


def _assignment(name: str, key: object, value: object) -> str:
    if not isinstance(key, str) or not key or "=" in key:
        raise InputError(name, f"the name {key!r} is not valid", "give a name without an equals sign")
    if isinstance(value, bool):
        return f"{key}={'true' if value else 'false'}"
    if not isinstance(value, (str, int, os.PathLike)):
        raise InputError(name, f"the value of {key} is {value!r}", "give a string")
    return f"{key}={value if isinstance(value, (str, int)) else os.fspath(value)}"
