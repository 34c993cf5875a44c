"""The secrets of a build: the inputs `secrets`, `secret-envs`, `secret-files` and `github-token`.

buildx gets the value of a secret in an environment variable of its own process. docker/build-push-action writes it to a
temporary file (docker/actions-toolkit 0.95, src/buildx/build.ts, `resolveSecret`), which a killed step leaves behind.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from action.dataclass import dataclass, field
from action.inputs.build import BuildInputs
from action.inputs.values import csv_record

_VARIABLE = "BUILD_DIGESTS_SECRET_"
_RULE = "write KEY=VALUE, and put an entry of several lines in double quotes"
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_BASE64_LINE = 60
"""A line of base64 text of at least this length may continue on the next line: programs break it after 64 or 76."""

_VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_MIN_MASK = 4
"""The minimum length of a text to mask that is only suspected to be a secret.

The runner drops each job output that contains a masked text (actions/runner 2.336, src/Runner.Worker/JobExtension.cs).
With a masked `a` it would drop almost every digest.
"""


@dataclass(frozen=True)
class Secrets:
    """The secrets of a build, as buildx gets them.

    Attributes:
        arguments: the values of the option `--secret` for `secret-envs`.
        late_arguments: those for `secrets`, `secret-files` and the Git token, in that order. In the command line of
            docker/build-push-action the other options of a build are between the two.
        environment: name of a generated environment variable to the value of the secret; for buildx alone.
        warnings: which secrets were left out, and why.
    """

    arguments: tuple[str, ...] = ()
    late_arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """One entry of an input.

    Attributes:
        number: the position in the input, from 1.
        text: the whole entry.
        key: the text before the first `=`, without white space around it.
        value: the text after that `=`, or empty.
        doubtful: whether the entry may be a line of another entry's value, and so a part of a secret.
        label: what a warning calls the entry: its key, or its position if the key may be a part of a secret.
    """

    number: int
    text: str
    key: str
    value: str
    doubtful: bool
    label: str


def secret_values(inputs: BuildInputs, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return all texts to mask in the log.

    These are the values of `secrets`, the token, and texts that may be a secret in the wrong place: all entries of a
    list in which an entry has no `=`, the path of a `secret-files` entry that does not exist, and the name in a
    `secret-envs` entry that is not the name of a variable.

    Args:
        inputs: the inputs.
        environment: environment variables; a name that is in it is not suspected.
    """
    texts, envs, files = (_entries(each) for each in (inputs.secrets, inputs.secret_envs, inputs.secret_files))
    values = [entry.value for entry in texts]
    names = [entry.text if entry.doubtful else entry.value for entry in envs]
    suspects = [name for name in names if name not in environment and not _VARIABLE_NAME.fullmatch(name)]
    suspects += [entry.value for entry in files if not _is_file(entry.value)]
    for entries in (texts, files):
        if any(entry.doubtful for entry in entries):
            # All entries, since a line of a value without quotes may look like KEY=VALUE.
            suspects += [entry.text for entry in entries]
    lines = [line.strip() for text in suspects for line in (text, *text.splitlines())]
    values += [line for line in lines if len(line) >= _MIN_MASK]
    return tuple(value for value in dict.fromkeys((*values, inputs.github_token)) if value.strip())


def read_secrets(inputs: BuildInputs, token_host: Callable[[], str | None]) -> Secrets:
    """Return how each secret reaches the build.

    A secret that cannot be used is left out with a warning, as in docker/build-push-action: a pull request from a fork
    has no secrets, and must still build. A warning shows a key or a position, and never a value.

    Args:
        inputs: the inputs.
        token_host: returns the Git host to use `github-token` for, such as `github.com`, or None if the context
            does not need it. It is called only if there is a token to pass.
    """
    warnings: list[str] = []
    environment: dict[str, str] = {}
    late: list[str] = []

    def pass_value(key: str, value: str) -> None:
        variable = f"{_VARIABLE}{len(environment)}"
        environment[variable] = value
        late.append(csv_record((f"id={key}", f"env={variable}")))

    envs, texts, files = (_entries(each) for each in (inputs.secret_envs, inputs.secrets, inputs.secret_files))
    # An entry without a value is left out: buildx would use the variable or the file that has the name of the key.
    early = [csv_record((f"id={each.key}", f"env={each.value}")) for each in _usable("secret-envs", envs, warnings)]
    for entry in _usable("secrets", texts, warnings):
        pass_value(entry.key, entry.value)
    for entry in _usable("secret-files", files, warnings):
        if _is_file(entry.value):
            late.append(csv_record((f"id={entry.key}", f"src={entry.value}")))
        else:
            warnings.append(f"secret-files: the file of {entry.label} does not exist and is not passed to the build")
    # BuildKit uses the last of two secrets with one ID, so the default Git token must not follow one of the user.
    keys = {entry.key for entry in (*envs, *texts, *files) if not entry.doubtful}
    own = any(entry.key == "GIT_AUTH_TOKEN" for entry in texts if not entry.doubtful)
    host = token_host() if inputs.github_token and not own else None
    if host and f"GIT_AUTH_TOKEN.{host}" not in keys:
        pass_value(f"GIT_AUTH_TOKEN.{host}", inputs.github_token)
    return Secrets(tuple(early), tuple(late), environment, tuple(warnings))


def _entries(items: tuple[str, ...]) -> tuple[_Entry, ...]:
    """Read the items of an input, and mark those that may be a part of another item's value."""
    entries: list[_Entry] = []
    unsure = False
    for number, text in enumerate(items, 1):
        key, equals, value = text.partition("=")
        key = key.strip()
        doubtful = not equals or len(key.splitlines()) > 1 or (bool(entries) and _continues(entries[-1], text))
        # After a doubtful entry, each text before an equals sign may be a line of a secret too.
        unsure = unsure or doubtful
        entries.append(_Entry(number, text, key, value, doubtful, f"entry {number}" if unsure else key))
    return tuple(entries)


def _continues(before: _Entry, text: str) -> bool:
    """Return whether an entry may be the last line of base64 text without quotes, so that its `=` is padding."""
    if len(text) % 4 or not _BASE64.fullmatch(text) or not text.endswith("="):
        return False
    return before.doubtful or (len(before.value) >= _BASE64_LINE and _BASE64.fullmatch(before.value) is not None)


def _usable(name: str, entries: tuple[_Entry, ...], warnings: list[str]) -> list[_Entry]:
    """Return the entries that have a key and a value, and append a warning for each of the others."""
    usable: list[_Entry] = []
    for doubtful, group in itertools.groupby(entries, lambda entry: entry.doubtful):
        several = tuple(group)
        if doubtful:
            warnings.append(f"{name}: {_doubtful_warning(several, entries)}")
            continue
        for entry in several:
            if not entry.key:
                warnings.append(f"{name}: entry {entry.number} has no key before its '=' and is left out; {_RULE}")
            elif not entry.value:
                warnings.append(f"{name}: {entry.label} has no value and is not passed to the build")
            else:
                usable.append(entry)
    return usable


def _doubtful_warning(several: tuple[_Entry, ...], entries: tuple[_Entry, ...]) -> str:
    """Return the warning for doubtful entries that follow each other, which may be lines of the entry before them."""
    first, last = several[0].number, several[-1].number
    what = f"entry {first} is" if first == last else f"entries {first} to {last} are"
    before = entries[first - 2].label if first > 1 else ""
    rule = f"if that is a part of the value of {before}, put the whole entry in double quotes" if before else _RULE
    return f"{what} not KEY=VALUE and not passed to the build; {rule}"


def _is_file(path: str) -> bool:
    """Return whether a path is a file or a pipe."""
    try:
        # Not Path.is_file(), which is false for a pipe, as in `secret-files: KEY=/dev/fd/63` of a shell's `<(…)`.
        return Path(path).exists() and not Path(path).is_dir()
    except (OSError, ValueError):  # the name is too long or contains a NUL, or its folder may not be searched
        return False
