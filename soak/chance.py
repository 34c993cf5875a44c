"""Random choices that are the same for a seed, with every version of Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


class Chance:
    """Random choices made with `random()` only.

    Python promises the same sequence in every release for `random()`, and for no other method of `random.Random`
    (https://docs.python.org/3/library/random.html, "Notes on Reproducibility").
    """

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311  # no secret is made of it

    def one(self, items: Sequence[_T]) -> _T:
        """Return one of the items."""
        return items[int(self._random.random() * len(items))]

    def happens(self, probability: float) -> bool:
        """Return True with the given probability, from 0 to 1."""
        return self._random.random() < probability

    def take(self, items: list[_T]) -> _T:
        """Remove one of the items from the list and return it."""
        return items.pop(int(self._random.random() * len(items)))

    def several(self, items: Sequence[_T], max_count: int) -> tuple[_T, ...]:
        """Return different items: at least one, at most `max_count`."""
        left = list(items)
        count = 1 + int(self._random.random() * min(max_count, len(left)))
        return tuple(self.take(left) for _ in range(count))
