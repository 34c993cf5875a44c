"""How secrets reach the build: by the environment of the one buildx process, never by a file or an argument."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from action.inputs.build import Inputs
from action.inputs.csv_lists import csv_record

_VARIABLE = "BUILD_DIGESTS_SECRET_"
_RULE = "write KEY=VALUE, and an entry of several lines in double quotes"
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_BASE64_LINE = 60
"""Base64 text of so many characters may go on in the next line: programs break it after 64 or 76."""

_VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_SHORTEST_MASK = 4
"""Shorter texts that only may be part of a secret are not masked: a masked `a` is in every digest, and GitHub drops
each job output that contains a masked text."""


@dataclass(frozen=True)
class Secrets:
    """The secrets of a build.

    Attributes:
        arguments: the values of buildx's `--secret` for `secret-envs`.
        late_arguments: those for `secrets`, `secret-files` and the Git token, in that order.
        environment: generated variable to the secret's value, for buildx alone.
        warnings: secrets that were left out, and why.
    """

    arguments: tuple[str, ...] = ()
    late_arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """One entry of an input.

    Attributes:
        number: its place, from 1.
        text: the whole entry.
        key: what is before its first `=`, without white space around it.
        value: what follows that `=`, or empty.
        doubtful: whether it may be a line of another entry's value, and so a part of a secret.
        shown: its key, or its place if the key may be a part of a secret.
    """

    number: int
    text: str
    key: str
    value: str
    doubtful: bool
    shown: str


def secret_values(inputs: Inputs, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return every text that no log may show.

    These are the values of `secrets`, the token, and each text that may be a secret because it is in a wrong place: a
    line without `=`, all entries beside such a line, a `secret-files` entry that names no file, and a `secret-envs`
    entry that names no variable.

    Args:
        inputs: the inputs.
        environment: the environment variables.
    """
    texts, envs, files = (_entries(each) for each in (inputs.secrets, inputs.secret_envs, inputs.secret_files))
    values = [entry.value for entry in texts]
    names = [entry.text if entry.doubtful else entry.value for entry in envs]
    suspects = [name for name in names if name not in environment and not _VARIABLE_NAME.fullmatch(name)]
    suspects += [entry.value for entry in files if not _is_there(entry.value)]
    for entries in (texts, files):
        if any(entry.doubtful for entry in entries):
            # All of them: the lines of one value may look like KEY=VALUE.
            suspects += [entry.text for entry in entries]
    lines = [line.strip() for text in suspects for line in (text, *text.splitlines())]
    values += [line for line in lines if len(line) >= _SHORTEST_MASK]
    return tuple(value for value in dict.fromkeys((*values, inputs.github_token)) if value.strip())


def read_secrets(inputs: Inputs, token_host: Callable[[], str | None]) -> Secrets:
    """Say how each secret reaches the build.

    A secret that cannot be passed on is left out with a warning, as in docker/build-push-action: a pull request from a
    fork has no secrets, and must build. A warning shows a key, or an entry's place, and never a value.

    Args:
        inputs: the inputs.
        token_host: tells the Git host that the token is for, or None if the context does not need it.
    """
    warnings: list[str] = []
    environment: dict[str, str] = {}
    late: list[str] = []

    def pass_value(key: str, value: str) -> None:
        variable = f"{_VARIABLE}{len(environment)}"
        environment[variable] = value
        late.append(csv_record((f"id={key}", f"env={variable}")))

    envs, texts, files = (_entries(each) for each in (inputs.secret_envs, inputs.secrets, inputs.secret_files))
    # An entry without a value is left out: buildx would read a variable or a file named as the key.
    early = [csv_record((f"id={each.key}", f"env={each.value}")) for each in _usable("secret-envs", envs, warnings)]
    for entry in _usable("secrets", texts, warnings):
        pass_value(entry.key, entry.value)
    for entry in _usable("secret-files", files, warnings):
        if _is_there(entry.value):
            late.append(csv_record((f"id={entry.key}", f"src={entry.value}")))
        else:
            warnings.append(f"secret-files: the file of {entry.shown} is not there, and it is not passed to the build")
    keys = {entry.key for entry in (*envs, *texts, *files) if not entry.doubtful}
    own = any(entry.key == "GIT_AUTH_TOKEN" for entry in texts if not entry.doubtful)
    host = token_host() if inputs.github_token and not own else None
    if host and f"GIT_AUTH_TOKEN.{host}" not in keys:
        pass_value(f"GIT_AUTH_TOKEN.{host}", inputs.github_token)
    return Secrets(tuple(early), tuple(late), environment, tuple(warnings))


def _entries(items: tuple[str, ...]) -> tuple[_Entry, ...]:
    entries: list[_Entry] = []
    unsure = False
    for number, text in enumerate(items, 1):
        key, equals, value = text.partition("=")
        key = key.strip()
        doubtful = not equals or len(key.splitlines()) > 1 or (bool(entries) and _continues(entries[-1], text))
        # From here on, what stands before an equals sign may be a line of a secret too.
        unsure = unsure or doubtful
        entries.append(_Entry(number, text, key, value, doubtful, f"entry {number}" if unsure else key))
    return tuple(entries)


def _continues(before: _Entry, text: str) -> bool:
    """Whether an entry may be the last line of base64 text without quotes, and its `=` the padding of that."""
    if len(text) % 4 or not _BASE64.fullmatch(text) or not text.endswith("="):
        return False
    return before.doubtful or (len(before.value) >= _BASE64_LINE and _BASE64.fullmatch(before.value) is not None)


def _usable(name: str, entries: tuple[_Entry, ...], warnings: list[str]) -> list[_Entry]:
    """Return the entries with a key and a value, and append a warning for each of the others."""
    usable: list[_Entry] = []
    for doubtful, group in itertools.groupby(entries, lambda entry: entry.doubtful):
        several = tuple(group)
        if doubtful:
            warnings.append(f"{name}: {_doubt(several, entries)}")
            continue
        for entry in several:
            if not entry.key:
                warnings.append(f"{name}: entry {entry.number} has no key before its '=' and is left out; {_RULE}")
            elif not entry.value:
                warnings.append(f"{name}: {entry.shown} has no value and is not passed to the build")
            else:
                usable.append(entry)
    return usable


def _doubt(several: tuple[_Entry, ...], entries: tuple[_Entry, ...]) -> str:
    first, last = several[0].number, several[-1].number
    what = f"entry {first} is" if first == last else f"entries {first} to {last} are"
    before = entries[first - 2].shown if first > 1 else ""
    rule = f"if that is a part of the value of {before}, put the whole entry in double quotes" if before else _RULE
    return f"{what} not KEY=VALUE and not passed to the build; {rule}"


def _is_there(path: str) -> bool:
    try:
        # Not only a regular file: a pipe is one of the shell's ways to hand over a secret.
        return Path(path).exists() and not Path(path).is_dir()
    except (OSError, ValueError):  # a name that is too long or holds a NUL, a folder that may not be searched
        return False
