"""The `build-digests` command, in the process of the tests: a process of its own spends its time on imports.

`test_cli.py` starts real processes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from action.cli import run

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """The exit code of a command, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def command(*arguments: str, folder: Path = ROOT, environment: Mapping[str, str] | None = None) -> Ended:
    """Run the command in a folder, with an environment without GitHub's variables."""
    out, err = io.BytesIO(), io.BytesIO()
    printed, told = (io.TextIOWrapper(each, encoding="utf-8", write_through=True) for each in (out, err))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith(("GITHUB_", "INPUTS"))]:
            patch.delenv(name)
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        with redirect_stdout(printed), redirect_stderr(told), pytest.raises(SystemExit) as ended:
            run(list(arguments))
    assert isinstance(ended.value.code, int)
    assert b"Traceback" not in err.getvalue()
    return Ended(ended.value.code, out.getvalue().decode(), err.getvalue().decode())
