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

from action.buildx.failures import is_rate_limited, last_error, last_error_line, plain
from action.errors import TransientError
from action.inputs.retry_policy import RetryPolicy
from action.process.program import CompletedProgram

_LONGEST_WAIT = 60.0
_LONGEST_ASKED_WAIT = 300.0
"""The longest wait that a registry may ask for; after a shorter one it would refuse again."""

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

_TAG_RACE = re.compile(r'failed to solve: image "": already exists$')
"""Two outputs create one tag at once in the engine's image store (docker/buildx#3576); then it exists."""

_RETRY_AFTER = re.compile(
    # ghcr.io gives a Go duration ("retry-after: 804.187µs, allowed: 44000/minute"), others seconds.
    r"(?<![\w./-])retry[-_ ]after\W{1,4}(?P<wait>(?:\d+(?:\.\d+)?(?:ns|us|µs|μs|ms|h|m|s)?)+)(?P<unit> minutes?)?",
    re.IGNORECASE,
)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|h|m|s)?", re.IGNORECASE)
_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}

_STEP = re.compile(r"failed to solve: process |did not complete successfully")
_REQUEST = re.compile(
    # What BuildKit was doing with a registry, a server or its client. File names and commands are quoted.
    r"unexpected status from |toomanyrequests|httpReadSeeker|failed commit on ref|rpc error: code = Unavailable"
    r"|failed to (?:authorize|configure registry|copy|do request|fetch|push|receive status|resolve)\b"
    r'|\b(?:Get|Head|Patch|Post|Put) ""'
)
_T = TypeVar("_T")


def is_transient(error: str) -> bool:
    """Tell whether an error that buildx printed is a fault that passes.

    Args:
        error: the error; only a rate limit may be named after its first line.
    """
    if retry_after(error) > _LONGEST_ASKED_WAIT:
        return False
    return _TRANSIENT.search(error.partition("\n")[0]) is not None or is_rate_limited(error)


def retry_after(error: str) -> float:
    """Return the seconds that a registry's message asks to wait, or 0 if it asks for none."""
    asked = _RETRY_AFTER.search(error)
    if asked is None:
        return 0.0
    parts = _DURATION_PART.findall(asked["wait"])
    return sum(float(number) * _UNIT_SECONDS[unit.lower()] for number, unit in parts) * (60.0 if asked["unit"] else 1.0)


def failed_in_passing(ended: CompletedProgram) -> bool:
    """Whether a build failed for a reason that passes: the registry's or the network's, never a step's own failure.

    BuildKit ends a build with one error. That of a step names its command, which may hold any words, and that of a file
    its name.
    """
    if ended.code == 0 or ended.signal is not None:
        return False
    text = plain(ended.stderr)
    last = last_error_line(text)
    said = _QUOTED.sub('""', last)
    if _STEP.search(last):
        return False
    if _TAG_RACE.search(said):
        return True
    error = last_error(text)
    if _REQUEST.search(said) is None or retry_after(error) > _LONGEST_ASKED_WAIT:
        return False
    # What a registry says of a rate limit is JSON, and so quoted.
    return is_transient(said) or is_rate_limited(error)


def retrying_run(
    run: Callable[[], CompletedProgram], first: CompletedProgram, retry_policy: RetryPolicy, say: Callable[[str], None]
) -> CompletedProgram:
    """Run a build again until it works, fails for good, or has been tried often enough.

    Args:
        run: runs it once.
        first: how its first run ended.
        retry_policy: how often, and how long apart.
        say: is told of each failed attempt that is followed by another.

    Returns:
        How the last attempt ended.
    """
    runs = itertools.chain((first,), iter(run, None))

    def attempt() -> CompletedProgram:
        ended = next(runs)
        if failed_in_passing(ended):
            raise _FailedRunError(ended)
        return ended

    try:
        return retrying(attempt, retry_policy, say)
    except _FailedRunError as failed:
        return failed.ended


class _FailedRunError(TransientError):
    def __init__(self, ended: CompletedProgram) -> None:
        text = plain(ended.stderr)
        error = last_error(text)
        said = " ".join(error.split()) if is_rate_limited(error) else last_error_line(text)
        super().__init__(f"the build failed with: {said}", retry_after=retry_after(error))
        self.ended = ended


def retrying(
    attempt: Callable[[], _T],
    retry_policy: RetryPolicy,
    say: Callable[[str], None],
    ended: threading.Event | None = None,
) -> _T:
    """Try something until it works, fails for good, or has been tried often enough.

    Args:
        attempt: raises a TransientError where it may work the next time.
        retry_policy: how often, and how long apart. A wait is at most 60 s unless the registry asks for more, and a
            little longer than it must be by chance, so that several jobs do not come back at once.
        say: is told of each failed attempt that is followed by another.
        ended: set when nobody wants it any more; a wait is then cut short and no attempt follows.

    Raises:
        TransientError: the last attempt's.
    """

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0
        say(f"{error}; trying again in {seconds:.1f} s ({state.attempt_number} of {retry_policy.retries})")

    backoff = wait_exponential(multiplier=retry_policy.delay, max=_LONGEST_WAIT)
    jitter = wait_random(0, retry_policy.delay / 2)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, TransientError) else 0.0
        return max(backoff(state), asked) + jitter(state)

    ended = ended or threading.Event()
    retry = Retrying(
        sleep=sleep_using_event(ended),
        retry=retry_if_exception_type(TransientError),
        stop=stop_any(stop_after_attempt(retry_policy.retries + 1), stop_when_event_set(ended)),
        wait=wait,
        before_sleep=tell,
        reraise=True,
    )
    return retry(attempt)
