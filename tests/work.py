"""What a call costs, in numbers that a busy machine does not change, or changes on both sides of a comparison."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType

_ROUNDS = 3


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
    """Compare the processor time of a call at four times a size with that at the size.

    About 4 where the time is proportional to the size, about 16 where it grows with the square: a test expects less
    than 8. Each side is the shortest of some rounds, which alternate, so that both have the same share of the machine.

    Args:
        call: takes a size.
        size: the smaller size. What takes less than a millisecond there counts as one millisecond.
    """
    few, many = size, 4 * size
    rounds = [(_seconds(call, few), _seconds(call, many)) for _ in range(_ROUNDS)]
    return min(each[1] for each in rounds) / max(min(each[0] for each in rounds), 0.001)


def _seconds(call: Callable[[int], object], size: int) -> float:
    begun = time.process_time()
    call(size)
    return time.process_time() - begun
