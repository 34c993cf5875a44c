"""Tries again what failed for a reason that passes: a registry that is busy, a connection that broke."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_any,
    stop_when_event_set,
    wait_exponential,
    wait_random,
)

from action.errors import TransientError
from action.inputs.patience import Patience

_LONGEST_WAIT = 60.0
_TRANSIENT = re.compile(
    # containerd names a status as "…: 503 Service Unavailable", registries an overload by their error code.
    r"unexpected status.*: (?:408|425|429|5\d\d) |toomanyrequests"
    # Go names what became of a connection.
    r"|connection (?:reset|refused|timed out)|broken pipe|(?-i:\bEOF\b)|i/o timeout|TLS handshake timeout"
    r"|deadline exceeded|server closed idle connection|client connection lost|GOAWAY|stream error"
    r"|network is unreachable|no route to host|server misbehaving|temporary failure in name resolution",
    re.IGNORECASE,
)
_T = TypeVar("_T")


def is_transient(error: str) -> bool:
    """Whether the last line of an error that buildx printed tells of a fault that passes."""
    return _TRANSIENT.search(error) is not None


def retrying(
    attempt: Callable[[], _T], patience: Patience, say: Callable[[str], None], ended: threading.Event | None = None
) -> _T:
    """Try something until it works, fails for good, or has been tried often enough.

    Args:
        attempt: raises a TransientError where it may work the next time.
        patience: how often, and how long apart. A wait is at most 60 s, and a little longer than it must be by
            chance, so that several jobs do not come back at once.
        say: is told of each failed attempt that is followed by another.
        ended: set when nobody wants it any more; a wait is then cut short and no attempt follows.

    Raises:
        TransientError: the last attempt's.
    """

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0
        say(f"{error}; trying again in {seconds:.1f} s ({state.attempt_number} of {patience.retries})")

    ended = ended or threading.Event()
    retry = Retrying(
        sleep=sleep_using_event(ended),
        retry=retry_if_exception_type(TransientError),
        stop=stop_any(stop_after_attempt(patience.retries + 1), stop_when_event_set(ended)),
        wait=wait_exponential(multiplier=patience.delay, max=_LONGEST_WAIT) + wait_random(0, patience.delay / 2),
        before_sleep=tell,
        reraise=True,
    )
    return retry(attempt)
