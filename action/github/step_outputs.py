"""Step outputs, written to the file that GITHUB_OUTPUT names.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-output-parameter
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping

from action.errors import BuildDigestsError


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
    blocks = "".join(_block(name, value) for name, value in present.items())
    try:
        _append(file, blocks.encode())
    except OSError as failed:
        raise BuildDigestsError(
            f"GITHUB_OUTPUT ({file}) cannot be written: {failed.strerror}; no output is set"
        ) from None


def _block(name: str, value: str) -> str:
    """Return an output as the runner reads it: its value between two lines with a delimiter.

    The delimiter is random, since a value with it could set other outputs.
    """
    # Without a package: a step sets its outputs even if none can be installed.
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
