"""What a step says to the runner: workflow commands on standard output, and step outputs.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from actions_toolkit.command import issue_command

from action.errors import BuildDigestsError


def mask(secret: str) -> None:
    """Have the runner mask a secret in all that is printed from now on, each line of it too."""
    lines = [line for line in secret.splitlines() if line.strip()]
    for text in dict.fromkeys((secret, *lines)):
        _issue("add-mask", text)


def notice(message: str) -> None:
    """Print a notice."""
    _issue("notice", message)


def warning(message: str) -> None:
    """Print a warning."""
    _issue("warning", message)


def annotate(message: str, *, title: str, file: str | None, line: int | None) -> None:
    """Print a warning at a place.

    Args:
        message: what is wrong.
        title: the heading.
        file: the file, from the repository's root; or None.
        line: the line, from 1; or None.
    """
    place = {"title": title, "file": file or "", "line": str(line or "")}
    issue_command("warning", {name: value for name, value in place.items() if value}, message)
    sys.stdout.flush()


def say(message: str) -> None:
    """Print a line of the log, which is no command whatever it holds."""
    line = " ".join(_printable(message).split())
    sys.stdout.write(f"{line.replace('::', ': :').replace('##[', '## [')}\n")
    sys.stdout.flush()


@contextmanager
def stopped() -> Iterator[None]:
    """Have the runner take nothing that is printed meanwhile for a command.

    What a build prints comes from anybody. The runner takes a line for a command that begins with `::`, after a bare
    carriage return too, and one that holds `##[` anywhere (actions/runner 2.336, src/Runner.Common/ActionCommand.cs):
    the script of a base image could set the step's outputs.
    """
    token = os.urandom(16).hex()
    _issue("stop-commands", token)
    try:
        yield
    finally:
        # The token must begin a line, whatever the last one was.
        sys.stdout.write("\n")
        _issue(token, "")


def error(message: str) -> None:
    """Print an error; the step's exit code is set by who calls this."""
    _issue("error", message)


@contextmanager
def group(title: str) -> Iterator[None]:
    """Fold what is printed meanwhile under a title."""
    _issue("group", title)
    try:
        yield
    finally:
        _issue("endgroup", "")


def set_outputs(outputs: Mapping[str, str]) -> None:
    """Set step outputs; outside of a runner they are printed as one JSON object.

    Args:
        outputs: name to value; an empty value is not set, so that it reads as empty.

    Raises:
        BuildDigestsError: the runner's file cannot be written.
    """
    present = {name: value for name, value in outputs.items() if value}
    file = os.environ.get("GITHUB_OUTPUT")
    if not file:
        sys.stdout.write(json.dumps(present, indent=2) + "\n")
        sys.stdout.flush()
        return
    from actions_toolkit.file_command import prepare_key_value_message  # noqa: PLC0415  # a build need not wait for it

    blocks = "".join(f"{prepare_key_value_message(name, value)}\n" for name, value in present.items())
    try:
        _append(file, blocks.encode())
    except OSError as failed:
        raise BuildDigestsError(
            f"GITHUB_OUTPUT ({file}) cannot be written: {failed.strerror}; no output is set"
        ) from None


def _append(file: str, data: bytes) -> None:
    """Append data to a file as a whole, or leave the file as it is: the runner misreads all that follows half a block.

    Without Python's buffer, which would write its rest when the file is truncated or closed.
    """
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
        # On a file system of a network a full disk may be reported only now.
        os.truncate(file, size)
        raise


def _issue(command: str, message: str) -> None:
    issue_command(command, {}, _printable(message))
    sys.stdout.flush()


def _printable(text: str) -> str:
    """The text without halves of characters, which a file's name may hold."""
    return text.encode("utf-8", "replace").decode()
