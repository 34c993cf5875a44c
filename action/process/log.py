"""Where the log of a run goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True)
class Log:
    """The log of a run.

    Attributes:
        captured: whether buildx's output passes through this process, so that its last error line is known.
        stream: where buildx's standard error goes then.
        say: writes a line of ours: of attempts that failed and are made again.
    """

    captured: bool
    stream: BinaryIO
    say: Callable[[str], None]
