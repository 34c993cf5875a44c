"""Workflow commands on standard output, and step outputs in the file that GITHUB_OUTPUT names.

Standard library only, because a step masks its secrets before buildx starts.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from action.errors import BuildDigestsError

MAX_ANNOTATIONS = 10
"""Number of annotations of one kind that GitHub shows of a step; it hides the others without a message
(https://github.com/orgs/community/discussions/68471)."""


def mask(secret: str) -> None:
    """Make the runner mask a secret, and each line of it, in everything that is printed from now on.

    Args:
        secret: the secret; it may have several lines.
    """
    # Each line as well: the runner searches the log for masked text line by line.
    lines = [line for line in secret.splitlines() if line.strip()]
    for text in dict.fromkeys((secret, *lines)):
        _issue("add-mask", text)


def notice(message: str) -> None:
    """Print a notice annotation."""
    _issue("notice", message)


def warning(message: str) -> None:
    """Print a warning annotation."""
    _issue("warning", message)


def annotate(kind: str, message: str, **place: str) -> None:
    """Print an annotation with properties.

    Args:
        kind: `error`, `warning` or `notice`.
        message: the message.
        place: the properties: `title`, `file` and `line`; an empty one is left out.
    """
    properties = ",".join(f"{name}={_property(value)}" for name, value in place.items() if value)
    _issue(f"{kind} {properties}".rstrip(), message)


def say(message: str) -> None:
    """Print one line to the log, escaped so that the runner reads no command in it.

    Args:
        message: the text; line breaks become spaces.
    """
    line = " ".join(_printable(message).split())
    sys.stdout.write(f"{line.replace('::', ': :').replace('##[', '## [')}\n")
    sys.stdout.flush()


@contextmanager
def stopped() -> Iterator[None]:
    """Make the runner ignore workflow commands that are printed inside the `with` block.

    The text that a build prints is not trusted: a script in a base image could set the step's outputs. The runner takes
    a line for a command if it begins with `::`, also after a bare carriage return, or contains `##[` at any place
    (actions/runner 2.336, src/Runner.Common/ActionCommand.cs).
    """
    # A new random token each time: only the holder of the token can make the runner read commands again.
    token = os.urandom(16).hex()
    _issue("stop-commands", token)
    try:
        yield
    finally:
        # The runner finds the token only at the start of a line, and the last line of a build may have no line break.
        sys.stdout.write("\n")
        _issue(token, "")


def error(message: str) -> None:
    """Print an error annotation; the exit code of the step does not change."""
    _issue("error", message)


@contextmanager
def group(title: str) -> Iterator[None]:
    """Fold the lines that are printed inside the `with` block under a title."""
    _issue("group", title)
    try:
        yield
    finally:
        _issue("endgroup", "")


def _issue(command: str, message: str) -> None:
    sys.stdout.write(f"::{command}::{_data(message)}\n")
    sys.stdout.flush()


def _data(text: str) -> str:
    # The three characters that actions/toolkit escapes (packages/core/src/command.ts, escapeData).
    return _printable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    # A colon and a comma end a property (the same file, escapeProperty).
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _printable(text: str) -> str:
    """Replace lone surrogates, which Python puts into file names that are not UTF-8, and which cannot be printed."""
    return text.encode("utf-8", "replace").decode()


def set_outputs(outputs: Mapping[str, str]) -> None:
    """Set step outputs, all or none of them; outside a runner, print them as one JSON object.

    Args:
        outputs: output name to its value. An empty value is left out, since an output that is not set reads as empty.

    Raises:
        BuildDigestsError: the file that GITHUB_OUTPUT names cannot be written.
    """
    present = {name: value for name, value in outputs.items() if value}
    file = os.environ.get("GITHUB_OUTPUT")
    if not file:
        sys.stdout.write(json.dumps(present, indent=2) + "\n")
        sys.stdout.flush()
        return
    try:
        _append(file, output_blocks(present).encode())
    except OSError as failed:
        raise BuildDigestsError(
            f"GITHUB_OUTPUT ({file}) cannot be written: {failed.strerror}; no output is set"
        ) from None


def output_blocks(outputs: Mapping[str, str]) -> str:
    """Return step outputs as the file of GITHUB_OUTPUT contains them; an empty value is left out.

    Args:
        outputs: output name to its value.
    """
    return "".join(_block(name, value) for name, value in outputs.items() if value)


def _block(name: str, value: str) -> str:
    """Return an output as the runner reads it: its value between two lines with a delimiter.

    The delimiter is random, since a value with it could set other outputs.
    """
    # Not by a package: a step sets its outputs even if none can be installed.
    delimiter = f"ghadelimiter_{os.urandom(16).hex()}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _append(file: str, data: bytes) -> None:
    """Append all data to a file, or leave the file as it was.

    On a full disk only a part of a block could be written. The runner takes everything after it for the value of that
    output, and fails if the delimiter never comes (actions/runner 2.336, src/Runner.Worker/FileCommandManager.cs).
    """
    # Not open(): Python's buffer would write the rest of the data when the file is truncated or closed.
    opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    size = os.fstat(opened).st_size
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(opened, left) :]
    except BaseException:
        with contextlib.suppress(OSError):
            os.ftruncate(opened, size)
        raise
    finally:
        _close(opened, file, size)


def _close(opened: int, file: str, size: int) -> None:
    try:
        os.close(opened)
    except OSError:
        # A network file system may report a full disk only on close (close(2), "Dealing with error returns").
        os.truncate(file, size)
        raise
