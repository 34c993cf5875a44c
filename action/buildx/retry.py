"""Retries of what failed for a temporary reason: a registry that is busy, a connection that broke."""

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
from action.inputs.policy import RetryPolicy
from action.process.program import CompletedProgram

# Seconds between two attempts, if the registry does not require more.
_MAX_WAIT = 60.0

# A registry may require a longer wait than _MAX_WAIT: it would refuse a request that comes earlier. If it requires more
# than this, the error is final.
_MAX_REQUIRED_WAIT = 300.0

_TRANSIENT = re.compile(
    # containerd prints a status as "…: 503 Service Unavailable"; registries name an overload by its error code
    # (distribution-spec, "Error Codes").
    r"unexpected status.*: (?:408|425|429|5\d\d) |toomanyrequests"
    # Errors of Go's net, net/http and x/net/http2 about a connection.
    r"|connection (?:reset|refused|timed out)|broken pipe|(?-i:\bEOF$)|i/o timeout|TLS handshake timeout"
    r"|deadline exceeded|server closed idle connection|client connection lost|GOAWAY|stream error"
    r"|network is unreachable|no route to host|server misbehaving|temporary failure in name resolution",
    re.IGNORECASE,
)

# A text in quotes, as Go's %q prints it. It can lack its end, because errors are cut.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)')

# Two outputs create the same tag at the same time in the engine's image store (docker/buildx#3576). It exists then, so
# the next attempt succeeds.
_TAG_RACE = re.compile(r'failed to solve: image "": already exists$')

_RETRY_AFTER = re.compile(
    # ghcr.io gives a Go duration ("retry-after: 804.187µs, allowed: 44000/minute"), others seconds.
    r"(?<![\w./-])retry[-_ ]after\W{1,4}(?P<wait>(?:\d+(?:\.\d+)?(?:ns|us|µs|μs|ms|h|m|s)?)+)(?P<unit> minutes?)?",
    re.IGNORECASE,
)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|h|m|s)?", re.IGNORECASE)
# Go prints the micro sign (U+00B5) and reads the Greek letter (U+03BC) as well (time.ParseDuration).
_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}

_STEP = re.compile(r"failed to solve: process |did not complete successfully")

# What BuildKit was doing with a registry, a server or its client. Names and commands are in quotes, which are emptied
# before this is looked for.
_REQUEST = re.compile(
    r"unexpected status from |toomanyrequests|httpReadSeeker|failed commit on ref|rpc error: code = Unavailable"
    r"|failed to (?:authorize|configure registry|copy|do request|fetch|push|receive status|resolve)\b"
    r'|\b(?:Get|Head|Patch|Post|Put) ""'
)
_T = TypeVar("_T")


def is_transient(error: str) -> bool:
    """Return whether an error that buildx printed has a temporary reason.

    Args:
        error: the error. Its first line must give the reason, except for a rate limit, which can be in a later line.
    """
    if retry_after(error) > _MAX_REQUIRED_WAIT:
        return False
    return _TRANSIENT.search(error.partition("\n")[0]) is not None or is_rate_limited(error)


def retry_after(error: str) -> float:
    """Return the wait that a registry's message requires, in seconds, or 0 if it requires none."""
    found = _RETRY_AFTER.search(error)
    if found is None:
        return 0.0
    parts = _DURATION_PART.findall(found["wait"])
    return sum(float(number) * _UNIT_SECONDS[unit.lower()] for number, unit in parts) * (60.0 if found["unit"] else 1.0)


def is_transient_failure(ended: CompletedProgram) -> bool:
    """Return whether a build failed for a temporary reason: the registry or the network, and not one of its steps.

    Args:
        ended: how buildx ended, with its captured standard error.
    """
    if ended.code == 0 or ended.signal is not None:
        return False
    text = plain(ended.stderr)
    last = last_error_line(text)
    # BuildKit ends a build with one error. The error of a step contains the step's command, and others contain file
    # names: both can be any words, but both are in quotes.
    unquoted = _QUOTED.sub('""', last)
    if _STEP.search(last):
        return False
    if _TAG_RACE.search(unquoted):
        return True
    error = last_error(text)
    if _REQUEST.search(unquoted) is None or retry_after(error) > _MAX_REQUIRED_WAIT:
        return False
    # A registry's message about a rate limit is JSON, and therefore in quotes.
    return is_transient(unquoted) or is_rate_limited(error)


def run_with_retries(
    run: Callable[[], CompletedProgram],
    first: CompletedProgram,
    retry_policy: RetryPolicy,
    report: Callable[[str], None],
) -> CompletedProgram:
    """Run a build again while it fails for a temporary reason.

    Args:
        run: runs the build once.
        first: how the first run ended.
        retry_policy: the number of retries and the waits between them.
        report: gets a line for each failed attempt that is followed by another one.

    Returns:
        How the last run ended.
    """
    # The first run has ended already, so its result stands for the first attempt.
    runs = itertools.chain((first,), iter(run, None))

    def attempt() -> CompletedProgram:
        ended = next(runs)
        if is_transient_failure(ended):
            raise _FailedRunError(ended)
        return ended

    try:
        return call_with_retries(attempt, retry_policy, report)
    except _FailedRunError as failed:
        return failed.ended


class _FailedRunError(TransientError):
    """A run of a build that failed for a temporary reason."""

    def __init__(self, ended: CompletedProgram) -> None:
        text = plain(ended.stderr)
        error = last_error(text)
        message = " ".join(error.split()) if is_rate_limited(error) else last_error_line(text)
        super().__init__(f"the build failed with: {message}", retry_after=retry_after(error))
        self.ended = ended


def call_with_retries(
    attempt: Callable[[], _T],
    retry_policy: RetryPolicy,
    report: Callable[[str], None],
    cancelled: threading.Event | None = None,
) -> _T:
    """Call a function again while it raises a TransientError.

    Args:
        attempt: the function. Any other error that it raises is final.
        retry_policy: the number of retries, and the first wait in seconds. Each wait is twice as long as the one before
            and at most 60 s, unless the registry requires a longer one. A random part of up to half the first wait is
            added, so that several jobs do not retry at the same moment.
        report: gets a line for each failed attempt that is followed by another one.
        cancelled: set by another thread to end a wait; no attempt follows then.

    Returns:
        What the function returned.

    Raises:
        TransientError: the error of the last attempt.
    """

    def report_retry(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0
        report(f"{error}; trying again in {seconds:.1f} s ({state.attempt_number} of {retry_policy.retries})")

    backoff = wait_exponential(multiplier=retry_policy.delay, max=_MAX_WAIT)
    jitter = wait_random(0, retry_policy.delay / 2)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        required = error.retry_after if isinstance(error, TransientError) else 0.0
        return max(backoff(state), required) + jitter(state)

    cancelled = cancelled or threading.Event()
    retry = Retrying(
        # Not time.sleep: a signal or the failure of another request must end the wait.
        sleep=sleep_using_event(cancelled),
        retry=retry_if_exception_type(TransientError),
        stop=stop_any(stop_after_attempt(retry_policy.retries + 1), stop_when_event_set(cancelled)),
        wait=wait,
        before_sleep=report_retry,
        reraise=True,
    )
    return retry(attempt)
