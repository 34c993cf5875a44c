"""Registries, by way of `docker buildx imagetools`: it has the credentials, and knows each registry's ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from action.buildx.failures import advice, last_error, last_error_line, plain
from action.buildx.retry import is_transient, retry_after, retrying
from action.errors import ProgramError, RegistryError, TransientError
from action.inputs.retry_policy import RetryPolicy
from action.process.log import Log
from action.process.program import CompletedProgram, ProgramGroup, capture_output, run_program
from action.process.signals import Interrupted


def create_arguments(
    builder: str, tags: Sequence[str], annotations: Sequence[str], sources: Sequence[str]
) -> tuple[str, ...]:
    """The arguments after `docker buildx` that join images to one index.

    Args:
        builder: the builder whose settings of registries hold, or empty.
        tags: the names that the index is pushed by.
        annotations: its annotations, each with its level: `index:key=value`.
        sources: references to images, by digest.
    """
    return (
        *("imagetools", "create"),
        *(("--builder", builder) if builder else ()),
        *(part for tag in tags for part in ("--tag", tag)),
        *(part for annotation in annotations for part in ("--annotation", annotation)),
        *sources,
    )


_AT_ONCE = 4
_RACE = "blob unknown to registry"
"""What a registry says where buildx copies images that share a layer at once, and one comes before its layer.

It is a fault of buildx, mended between 0.29 and 0.36 (commands/imagetools/create.go).
"""

_DENIED = re.compile(r"\b(?:401|403) |unauthorized|denied|authorization failed", re.IGNORECASE)
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Registries:
    """The registries that buildx reaches.

    Attributes:
        buildx: the command that runs buildx.
        environment: its whole environment.
        builder: the builder whose settings of registries hold, or empty.
        retry_policy: how often a registry that fails is asked again.
        log: where the log goes: of attempts that failed and are made again, and of a push.
        seconds: how long an answer may take.
        programs: those that ask.
    """

    buildx: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    builder: str
    retry_policy: RetryPolicy
    log: Log
    seconds: float = 60.0
    programs: ProgramGroup = field(default_factory=ProgramGroup, repr=False)

    def manifest(self, reference: str) -> bytes:
        """The manifest or index that a registry serves for a tag or digest, as it is.

        Raises:
            RegistryError: the registry has none, refuses, or keeps failing.
            ProgramError: there is no buildx plugin, or it does not answer.
        """
        command = ("imagetools", "inspect", *self._builder(), "--raw", reference)

        def attempt() -> bytes:
            ended = self._ask(command)
            if _not_found(ended, reference) and "@" in reference:
                # A connection that breaks while containerd asks for a digest is reported as this too: it asks for a
                # blob next, and that there is none (containerd 2.2, core/remotes/docker/resolver.go).
                ended = self._ask(command)
            return _answer(ended, reference)

        return self._retrying(attempt)

    def joined(self, arguments: tuple[str, ...]) -> bytes:
        """The index that `imagetools create` would push.

        Args:
            arguments: what `create_arguments` gives.

        Raises:
            RegistryError: a source is not there, the registry refuses, or it keeps failing.
        """
        command = (*arguments[:2], "--dry-run", *arguments[2:])
        # buildx ends it with a newline of its own.
        return self._retrying(lambda: _answer(self._ask(command), "the sources")).removesuffix(b"\n")

    def create(self, arguments: tuple[str, ...], sources: Sequence[str]) -> None:
        """Join images to one index and push it, its progress going to our standard error.

        Args:
            arguments: what `create_arguments` gives.
            sources: the images, which the registry has served just before.

        Raises:
            RegistryError: the registry refuses, or keeps failing.
            Interrupted: a signal ended it.
        """

        def attempt() -> None:
            ended = run_program((*self.buildx, *arguments), self.environment, log=self.log.stream)
            if ended.signal is not None:
                raise Interrupted(ended.signal)
            if any(_not_found(ended, source) for source in sources) or (ended.code and _RACE in ended.stderr):
                raise TransientError(_said(ended))
            _answer(ended, "the index")

        self._retrying(attempt)

    def at_once(self, function: Callable[[Registries, _T], _R], items: Iterable[_T]) -> list[_R]:
        """Ask several things at once.

        Args:
            function: asks; given registries to ask, and an item.
            items: what to ask of.

        Returns:
            The function's values. Its first error ends all that still runs, and so does a signal.
        """
        own = replace(self, programs=ProgramGroup())
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            return list(pool.map(lambda item: function(own, item), items))
        except BaseException:
            own.programs.kill_all()
            raise
        finally:
            # Not waited for: a signal must end this at once.
            pool.shutdown(wait=False, cancel_futures=True)

    def _retrying(self, attempt: Callable[[], _T]) -> _T:
        return retrying(attempt, self.retry_policy, self.log.write_line, self.programs.killed)

    def _builder(self) -> tuple[str, ...]:
        return ("--builder", self.builder) if self.builder else ()

    def _ask(self, arguments: tuple[str, ...]) -> CompletedProgram:
        return capture_output(
            (*self.buildx, *arguments), self.environment, seconds=self.seconds, programs=self.programs
        )


def _answer(ended: CompletedProgram, what: str) -> bytes:
    if ended.code == 0:
        return ended.stdout.encode()
    said = _said(ended)
    if advised := advice(plain(ended.stderr)):
        raise ProgramError(f"{advised} ({said})")
    message = said if what in said else f"{what}: {said}"
    # A rate limit is named in a later line of the error.
    whole = last_error(plain(ended.stderr)) or said
    if is_transient(whole):
        raise TransientError(message, retry_after=retry_after(whole))
    if _DENIED.search(said):
        message += "; log in before this step (docker/login-action), with an account that may do this"
    raise RegistryError(message)


def _not_found(ended: CompletedProgram, reference: str) -> bool:
    return ended.code != 0 and _said(ended).endswith(f"{reference}: not found")


def _said(ended: CompletedProgram) -> str:
    return last_error_line(plain(ended.stderr)).removeprefix("ERROR: ") or f"exit code {ended.code}"
