from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from action.buildx.retry import call_with_retries, is_transient, is_transient_failure, retry_after
from action.errors import RegistryError, TransientError
from action.inputs.policy import RetryPolicy
from action.process.program import CompletedProgram

URL = "http://ghcr.io/v2/octo/app/manifests/sha256:500429"


@pytest.mark.parametrize(
    "error",
    [
        f"unexpected status from HEAD request to {URL}: 429 Too Many Requests",
        f"httpReadSeeker: failed open: unexpected status from GET request to {URL}: 503 Service Unavailable",
        f'failed commit on ref "index-x": unexpected status from PUT request to {URL}: 500 Internal Server Error',
        f'failed to do request: Head "{URL}": read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer',
        f'failed to do request: Get "{URL}": EOF',
        f'failed to do request: Get "{URL}": dial tcp 127.0.0.1:1: connect: connection refused',
        f'failed to do request: Get "{URL}": net/http: TLS handshake timeout',
        f'failed to do request: Get "{URL}": dial tcp: lookup ghcr.io: Temporary failure in name resolution',
        "toomanyrequests: You have reached your pull rate limit",
    ],
)
def test_a_busy_registry_and_a_broken_connection_are_transient(error: str) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        f"unexpected status from HEAD request to {URL}: 401 Unauthorized",
        f"unexpected status from HEAD request to {URL}: 403 Forbidden",
        f"unexpected status from PUT request to {URL}: 404 Not Found",
        "ghcr.io/octo/app@sha256:429500: not found",
        "ghcr.io/octo/eof:reset: not found",
        "pull access denied, repository does not exist or may require authorization: insufficient_scope",
        f'failed to do request: Head "{URL}": dial tcp: lookup ghrc.io: no such host',
        f'failed to do request: Head "{URL}": tls: failed to verify certificate: x509: unknown authority',
    ],
)
def test_a_refusal_is_final(error: str) -> None:
    assert not is_transient(error)


def test_a_final_error_is_not_retried() -> None:
    tries = []

    def attempt() -> None:
        tries.append(1)
        raise RegistryError("403")

    with pytest.raises(RegistryError, match="403"):
        call_with_retries(attempt, RetryPolicy(5, 0), pytest.fail)
    assert len(tries) == 1


class Waits(threading.Event):
    """An event that nobody sets, and that returns at once with a note of how long it was to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        return False


def busy(seconds: float = 0.0) -> None:
    raise TransientError("busy", retry_after=seconds)


def test_each_wait_is_twice_as_long_as_the_one_before_and_their_number_is_limited() -> None:
    waits, lines = Waits(), list[str]()
    with pytest.raises(TransientError, match="busy"):
        call_with_retries(busy, RetryPolicy(3, 10), lines.append, waits)
    # A random part of up to half the first wait is added.
    assert all(wait <= seconds <= wait + 5 for wait, seconds in zip((10, 20, 40), waits.seconds, strict=True))
    assert [line.rpartition("(")[2] for line in lines] == ["1 of 3)", "2 of 3)", "3 of 3)"]
    assert lines[0] == f"busy; trying again in {waits.seconds[0]:.1f} s (1 of 3)"


def test_a_wait_is_at_most_a_minute() -> None:
    waits = Waits()
    with pytest.raises(TransientError):
        call_with_retries(busy, RetryPolicy(4, 20), lambda _: None, waits)
    assert 60 <= waits.seconds[-1] <= 70


def test_a_wait_that_a_registry_requires_is_kept() -> None:
    waits = Waits()
    with pytest.raises(TransientError):
        call_with_retries(lambda: busy(250), RetryPolicy(1, 0.01), lambda _: None, waits)
    assert 250 <= waits.seconds[0] <= 250.01


def test_the_value_of_the_second_attempt_is_returned() -> None:
    answers: Iterator[TransientError | str] = iter([TransientError("busy"), "value"])

    def attempt() -> str:
        answer = next(answers)
        if isinstance(answer, TransientError):
            raise answer
        return answer

    assert call_with_retries(attempt, RetryPolicy(1, 0), lambda _: None) == "value"


def ended(error: str, code: int = 1, number: int | None = None) -> CompletedProgram:
    return CompletedProgram(
        code, stderr=f"#1 [internal] load build definition\n#1 DONE 0.0s\nERROR: {error}\n", signal=number
    )


PUSHING = 'failed to solve: failed to push ghcr.io/octo/app: failed to do request: Put "https://ghcr.io/v2/x"'


@pytest.mark.parametrize(
    "error",
    [
        f"{PUSHING}: EOF",
        f"{PUSHING}: write tcp 127.0.0.1:1->127.0.0.1:2: write: connection reset by peer",
        "failed to solve: failed to push x: unexpected status from POST request to http://x: 500 Internal Server Error",
        "failed to solve: failed to resolve source metadata for alpine: httpReadSeeker: failed open: EOF",
        'failed to solve: failed to load cache key: Get "http://x/file": dial tcp 127.0.0.1:1: connection refused',
        "failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
    ],
)
def test_a_build_that_a_registry_or_the_network_failed_is_retried(error: str) -> None:
    assert is_transient_failure(ended(error))
    assert not is_transient_failure(ended(error, code=0))
    assert not is_transient_failure(ended(error, number=15))


@pytest.mark.parametrize(
    "error",
    [
        'failed to solve: process "/bin/sh -c curl x" did not complete successfully: exit code: 1',
        f'failed to solve: process "/bin/sh -c echo "{PUSHING}: EOF" did not complete successfully: exit code: 1',
        'failed to solve: failed to compute cache key: failed to calculate checksum of ref x: "/EOF": not found',
        f'failed to solve: failed to calculate checksum of ref x: "/{PUSHING.replace(chr(34), "")}: EOF": not found',
        "dockerfile parse error on line 3: unknown instruction: EOF",
        "failed to solve: failed to push ghcr.io/octo/eof: unexpected status from PUT request: 403 Forbidden",
        "failed to solve: failed to push x: push access denied, repository does not exist",
        "failed to solve: target stage connection reset could not be found",
        "failed to copy files: no space left on device",
    ],
)
def test_a_build_that_failed_by_itself_is_not_retried_whatever_its_text(error: str) -> None:
    assert not is_transient_failure(ended(error))


_BUSY = "failed to fetch: unexpected status from GET request to x: 503 Service Unavailable"


@pytest.mark.parametrize(
    "name",
    [f'/a\\" {_BUSY} \\"b', f"/{'x' * 1800}{_BUSY}{'x' * 300}", _BUSY],
    ids=["quotes", "cut off", "plain"],
)
def test_the_name_of_a_file_is_never_taken_for_a_registrys_answer(name: str) -> None:
    error = f'failed to compute cache key: failed to calculate checksum of ref a::b: "{name}": not found'
    assert not is_transient_failure(CompletedProgram(1, stderr=f"ERROR: failed to build: failed to solve: {error}\n"))


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x1c", "\v"])
def test_only_a_newline_begins_another_line(mark: str) -> None:
    log = f'ERROR: failed to solve: process "echo {mark}ERROR: {_BUSY}{mark}" did not complete successfully\n'
    assert not is_transient_failure(CompletedProgram(1, stderr=log))


LIMITED = (
    'denied: permission_denied: Error from intermediary with HTTP status code 403 "Forbidden" - with-body: {\n'
    '  "documentation_url": "https://docs.github.com/rest/overview/rate-limits#about-secondary-rate-limits",\n'
    '  "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."\n}\n'
)
"""An error message of ghcr.io, on several lines (rubentalstra/FerroEHR#2120)."""


@pytest.mark.parametrize(
    "error",
    [
        f"failed to build: failed to solve: failed to push ghcr.io/octo/app:a: {LIMITED}",
        f"target web: failed to solve: failed to push ghcr.io/octo/app:a: {LIMITED}",
        (
            f"failed to solve: failed to copy: httpReadSeeker: failed open: unexpected status from GET request to x: "
            f"403 Forbidden\n{LIMITED}"
        ),
        (
            f"failed to solve: failed to push x: unexpected status from POST request to {URL}: 403 Forbidden: "
            '{"message": "You have exceeded a secondary rate limit"}'
        ),
        "failed to solve: failed to push x: denied: retry-after: 3.5s, allowed: 44000/minute",
        f'failed to push x: unexpected status from PUT request to {URL}: 403 Forbidden: {{"retry-after":3}}',
    ],
)
def test_a_403_that_names_a_rate_limit_is_retried(error: str) -> None:
    assert is_transient_failure(ended(error))
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        'failed to solve: failed to push x: denied: permission_denied: status code 403 "Forbidden" - with-body: {\n}',
        (
            f"failed to solve: failed to push x: unexpected status from POST request to {URL}: 403 Forbidden: "
            '{"message": "You need the scope write:packages"}'
        ),
        "failed to solve: failed to push ghcr.io/octo/retry-after:2: unexpected status from PUT request: 403 Forbidden",
        "failed to solve: failed to push ghcr.io/octo/secondary-rate-limit:2: denied: permission_denied",
        "failed to solve: failed to push x: denied: retry-after: 6h, allowed: 1/day",
        f'failed to solve: process "echo failed to push {LIMITED}" did not complete successfully: exit code: 1',
        'failed to solve: failed to calculate checksum of ref x: "/denied: a secondary rate limit": not found',
    ],
)
def test_any_other_403_is_not_retried(error: str) -> None:
    assert not is_transient_failure(ended(error))


@pytest.mark.parametrize(
    "error",
    [
        'failed to build: failed to solve: image "docker.io/octo/app:a": already exists',
        'target web: failed to solve: image "ghcr.io/octo/app:a": already exists',
    ],
)
def test_outputs_that_race_for_one_tag_are_retried(error: str) -> None:
    assert is_transient_failure(ended(error))


@pytest.mark.parametrize(
    "error",
    [
        'failed to solve: process "make" did not complete successfully: image "x": already exists',
        'failed to solve: file "x": already exists',
        'failed to solve: image "x": already exists in another form',
    ],
)
def test_other_things_that_exist_already_are_not_a_race(error: str) -> None:
    assert not is_transient_failure(ended(error))


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        ("toomanyrequests: retry-after: 804.187\u00b5s, allowed: 44000/minute", 0.000804187),
        ("toomanyrequests: retry-after: 1m2.5s, allowed: 44000/minute", 62.5),
        ("toomanyrequests: retry-after: 250ms, allowed: 44000/minute", 0.25),
        ("denied: Retry-After: 7", 7),
        ('429 Too Many Requests: {"retry_after": 7}', 7),
        ("429 Too Many Requests: slow down, retry after 2 minutes", 120),
        ("429 Too Many Requests: slow down, retry after 30 seconds", 30),
        ("429 Too Many Requests", 0),
        ("failed to push ghcr.io/octo/retry-after:2: 403 Forbidden", 0),
    ],
)
def test_the_wait_that_a_registry_requires_is_read_from_its_message(error: str, seconds: float) -> None:
    assert retry_after(error) == pytest.approx(seconds)
