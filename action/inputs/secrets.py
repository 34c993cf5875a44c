"""How secrets reach the build: by the environment of the one buildx process, never by a file or an argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from action.errors import InputError
from action.inputs.lists import csv_record
from action.inputs.model import Inputs

_VARIABLE = "BUILD_DIGESTS_SECRET_"
_RULE = "write KEY=VALUE, and a value of several lines in double quotes"


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


def secret_values(inputs: Inputs) -> tuple[str, ...]:
    """Every text that no log may show: the values of `secrets`, and the token."""
    values = [line.partition("=")[2] for line in inputs.secrets]
    return tuple(value for value in (*values, inputs.github_token) if value.strip())


def read_secrets(inputs: Inputs, token_host: Callable[[], str | None]) -> Secrets:
    """Check the secrets and say how each reaches the build.

    Args:
        inputs: the inputs.
        token_host: tells the Git host that the token is for, or None where the context does not need it.

    Raises:
        InputError: a secret without `=` or without a key, or a secret file that is not there. It shows no value.
    """
    warnings: list[str] = []
    environment: dict[str, str] = {}
    early: list[str] = []
    late: list[str] = []

    def leave_out(name: str, key: str) -> None:
        # A pull request from a fork gets no secrets: the peer builds on without them, and so must we.
        warnings.append(f"{name}: {key} has no value and is not passed to the build")

    def pass_value(key: str, value: str) -> None:
        variable = f"{_VARIABLE}{len(environment)}"
        environment[variable] = value
        late.append(csv_record((f"id={key}", f"env={variable}")))

    keys = set()
    for key, variable in _pairs("secret-envs", inputs.secret_envs):
        keys.add(key)
        if variable:
            early.append(csv_record((f"id={key}", f"env={variable}")))
        else:
            # buildx would read a variable or a file named as the key.
            leave_out("secret-envs", key)
    texts = _pairs("secrets", inputs.secrets)
    for key, value in texts:
        keys.add(key)
        if value:
            pass_value(key, value)
        else:
            leave_out("secrets", key)
    for key, path in _pairs("secret-files", inputs.secret_files):
        keys.add(key)
        if not _is_file(path):
            raise InputError("secret-files", f"{key}: there is no file {path!r}", "name a file that the step can read")
        late.append(csv_record((f"id={key}", f"src={path}")))
    own = "GIT_AUTH_TOKEN" in {key for key, _ in texts}
    host = token_host() if inputs.github_token and not own else None
    if host and f"GIT_AUTH_TOKEN.{host}" not in keys:
        pass_value(f"GIT_AUTH_TOKEN.{host}", inputs.github_token)
    return Secrets(tuple(early), tuple(late), environment, tuple(warnings))


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # a name that is too long, a folder that may not be searched
        return False


def _pairs(name: str, items: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs = []
    for number, item in enumerate(items, 1):
        key, equals, value = item.partition("=")
        if not equals:
            raise InputError(name, f"entry {number} has no '='", _RULE)
        if not key.strip():
            raise InputError(name, f"entry {number} has no key before its '='", _RULE)
        pairs.append((key.strip(), value))
    return pairs
