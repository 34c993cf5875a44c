"""How often a registry that fails is asked again: the inputs `retries` and `retry-delay`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from action.errors import InputError

_MOST_RETRIES = 20
_MOST_DELAY = 300.0


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and how long apart, something is tried again.

    Attributes:
        retries: how many times at most.
        delay: seconds before the first of them; each wait is twice as long as the one before.
    """

    retries: int
    delay: float


def read_retry_policy(retries: str, delay: str, *, default: RetryPolicy) -> RetryPolicy:
    """Read the two inputs; an empty text is the default.

    Raises:
        InputError: one is no number, or out of bounds.
    """
    return RetryPolicy(
        _count("retries", retries) if retries else default.retries,
        _seconds("retry-delay", delay) if delay else default.delay,
    )


def _count(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(_MOST_RETRIES)) or int(text) > _MOST_RETRIES:
        raise InputError(name, f"{text!r} is no such number", f"write a whole number from 0 to {_MOST_RETRIES}")
    return int(text)


def _seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= _MOST_DELAY:
        raise InputError(name, f"{text!r} is no such number", f"write a number of seconds from 0 to {_MOST_DELAY:g}")
    return value
