"""What a call costs, in numbers that a busy machine does not change, or changes on both sides of a comparison."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from types import FrameType

_ROUNDS = 3
_FACTOR = 8
_LEAST = 0.001


def work(call: Callable[[], object]) -> int:
    """Count what Python does in a call: the lines that it executes, and the functions in C that it calls.

    What a function in C does by itself is not counted: for a regular expression or a parser in C use `growth`.

    Args:
        call: takes no arguments, and starts no threads, which would not be counted.
    """
    counter = _Counter()
    traced, profiled = sys.gettrace(), sys.getprofile()
    sys.setprofile(counter.profile)
    sys.settrace(counter)
    try:
        call()
    finally:
        sys.settrace(traced)
        sys.setprofile(profiled)
    return counter.count


class _Counter:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _frame: FrameType, _event: str, _argument: object) -> _Counter:
        self.count += 1
        return self

    def profile(self, _frame: FrameType, event: str, _argument: object) -> None:
        self.count += event == "c_call"


def growth(call: Callable[[int], object], size: int) -> float:
    """Return the power of the size that the processor time of a call grows with: 1 if it is proportional, 2 if squared.

    A test expects less than 1.5: eight times the size then takes up to 22 times as long, so that a busy machine, which
    may double a time, fails no call that takes time in proportion.

    Args:
        call: takes a size.
        size: the smaller of two sizes that are compared; the other is eight times as large. What takes less than a
            millisecond for the smaller one counts as one millisecond.
    """
    rounds = [(_seconds(call, size), _seconds(call, _FACTOR * size)) for _ in range(_ROUNDS)]
    few, many = (min(each[side] for each in rounds) for side in (0, 1))
    return math.log(max(many, _LEAST) / max(few, _LEAST), _FACTOR)


def _seconds(call: Callable[[int], object], size: int) -> float:
    begun = time.process_time()
    call(size)
    return time.process_time() - begun
