"""docker/build-push-action from a checkout, run the way GitHub's runner runs its main step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.node import input_variables, main_of


@dataclass(frozen=True)
class Peer:
    """A checkout of docker/build-push-action.

    Attributes:
        folder: the checkout, with its `dist` folder.
    """

    folder: Path

    @property
    def command(self) -> tuple[str, ...]:
        """The command of its main step."""
        return main_of(self.folder)

    def environment(self, inputs: Mapping[str, str], *, summary: bool) -> dict[str, str]:
        """Return the variables that a runner sets: one for each input, with the default if the input is not given.

        Args:
            inputs: input name to its text.
            summary: whether docker/build-push-action writes its summary and its record.
        """
        switches = dict.fromkeys(("DOCKER_BUILD_SUMMARY", "DOCKER_BUILD_RECORD_UPLOAD"), str(summary).lower())
        return {**input_variables(self.folder, inputs), **switches}
