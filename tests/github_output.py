"""Reads a GITHUB_OUTPUT file as the runner does (actions/runner, FileCommandManager.cs)."""

from __future__ import annotations

from pathlib import Path


def read_github_output(file: Path) -> dict[str, str]:
    """Every output of the file: `name<<delimiter`, the value's lines, the delimiter."""
    outputs = {}
    lines = iter(file.read_text(encoding="utf-8").removesuffix("\n").split("\n"))
    for line in lines:
        if not line:
            continue
        name, marker, delimiter = line.partition("<<")
        assert marker, line
        value: list[str] = []
        for each in lines:
            if each == delimiter:
                break
            value.append(each)
        outputs[name] = "\n".join(value)
    return outputs
