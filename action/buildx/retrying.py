"""Tries again what failed for a reason that passes: a registry that is busy, a connection that broke."""

from __future__ import annotations

import itertools
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

from action.buildx.diagnosis import last_error_line, plain
from action.buildx.program import Ended
from action.errors import TransientError
from action.inputs.patience import Patience

_LONGEST_WAIT = 60.0
_TRANSIENT = re.compile(
    # containerd names a status as "…: 503 Service Unavailable", registries an overload by their error code.
    r"unexpected status.*: (?:408|425|429|5\d\d) |toomanyrequests"
    # Go names what became of a connection.
    r"|connection (?:reset|refused|timed out)|broken pipe|(?-i:\bEOF$)|i/o timeout|TLS handshake timeout"
    r"|deadline exceeded|server closed idle connection|client connection lost|GOAWAY|stream error"
    r"|network is unreachable|no route to host|server misbehaving|temporary failure in name resolution",
    re.IGNORECASE,
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)')
"""A text as Go quotes it; one that is cut off lasts to the end."""

_STEP = re.compile(r"failed to solve: process |did not complete successfully")
_REQUEST = re.compile(
    # What BuildKit was doing with a registry, a server or its client. File names and commands are quoted.
    r"unexpected status from |toomanyrequests|httpReadSeeker|failed commit on ref|rpc error: code = Unavailable"
    r"|failed to (?:authorize|configure registry|copy|do request|fetch|push|receive status|resolve)\b"
    r'|\b(?:Get|Head|Patch|Post|Put) ""'
)
_T = TypeVar("_T")


def is_transient(error: str) -> bool:
    """Whether the last line of an error that buildx printed tells of a fault that passes."""
    return _TRANSIENT.search(error) is not None


def failed_in_passing(ended: Ended) -> bool:
    """Whether a build failed for a reason that passes: the registry's or the network's, never a step's own failure.

    BuildKit ends a build with one error. That of a step names its command, which may hold any words, and that of a file
    its name.
    """
    if ended.code == 0 or ended.signal is not None:
        return False
    last = last_error_line(plain(ended.stderr))
    said = _QUOTED.sub('""', last)
    return not _STEP.search(last) and _REQUEST.search(said) is not None and is_transient(said)


def retrying_run(run: Callable[[], Ended], first: Ended, patience: Patience, say: Callable[[str], None]) -> Ended:
    """Run a build again until it works, fails for good, or has been tried often enough.

    Args:
        run: runs it once.
        first: how its first run ended.
        patience: how often, and how long apart.
        say: is told of each failed attempt that is followed by another.

    Returns:
        How the last attempt ended.
    """
    runs = itertools.chain((first,), iter(run, None))

    def attempt() -> Ended:
        ended = next(runs)
        if failed_in_passing(ended):
            raise _FailedRunError(ended)
        return ended

    try:
        return retrying(attempt, patience, say)
    except _FailedRunError as failed:
        return failed.ended


class _FailedRunError(TransientError):
    def __init__(self, ended: Ended) -> None:
        super().__init__(f"the build failed with: {last_error_line(plain(ended.stderr))}")
        self.ended = ended


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
