"""docker/build-push-action from a checkout, run the way GitHub's runner runs its main step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Peer:
    """A checkout of docker/build-push-action.

    Attributes:
        folder: the checkout, with its `dist` folder.
    """

    folder: Path

    @property
    def command(self) -> tuple[str, ...]:
        """The command of its main step; `node` is found in PATH."""
        return ("node", str(self.folder / self._definition()["runs"]["main"]))

    def environment(self, inputs: Mapping[str, str], *, summary: bool) -> dict[str, str]:
        """Return the variables that a runner sets: one for each input, with the default if the input is not given.

        Args:
            inputs: input name to its text.
            summary: whether docker/build-push-action writes its summary and its record.
        """
        defaults = {name: str(each.get("default") or "") for name, each in self._definition()["inputs"].items()}
        given = {f"INPUT_{name.upper()}": value for name, value in {**defaults, **inputs}.items()}
        switches = dict.fromkeys(("DOCKER_BUILD_SUMMARY", "DOCKER_BUILD_RECORD_UPLOAD"), str(summary).lower())
        return {**given, **switches}

    def _definition(self) -> dict[str, Any]:
        return dict(yaml.safe_load((self.folder / "action.yml").read_text(encoding="utf-8")))
