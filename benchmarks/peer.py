"""docker/build-push-action from a checkout of it, run as GitHub's runner runs its main step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Peer:
    """The peer.

    Attributes:
        folder: a checkout of docker/build-push-action, with its `dist`.
    """

    folder: Path

    @property
    def command(self) -> tuple[str, ...]:
        """Its main step; `node` is the one on the PATH."""
        return ("node", str(self.folder / self._definition()["runs"]["main"]))

    def environment(self, inputs: Mapping[str, str], *, summary: bool) -> dict[str, str]:
        """What a runner would set: each input, its default where it is not given.

        Args:
            inputs: input name to its text.
            summary: whether it makes its own summary and record; both are parts of its post step too.
        """
        defaults = {name: str(each.get("default") or "") for name, each in self._definition()["inputs"].items()}
        given = {f"INPUT_{name.upper()}": value for name, value in {**defaults, **inputs}.items()}
        switches = dict.fromkeys(("DOCKER_BUILD_SUMMARY", "DOCKER_BUILD_RECORD_UPLOAD"), str(summary).lower())
        return {**given, **switches}

    def _definition(self) -> dict[str, Any]:
        return dict(yaml.safe_load((self.folder / "action.yml").read_text(encoding="utf-8")))
