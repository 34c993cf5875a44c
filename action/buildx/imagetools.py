"""Registries, read and written with `docker buildx imagetools`.

buildx has the user's credentials and the builder's registry settings, so that this package needs no registry client.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from action.buildx.failures import advice, error_line, last_error, plain
from action.buildx.request import manifest_query, optional, repeated
from action.buildx.retry import call_with_retries, is_transient, retry_after
from action.dataclass import dataclass, field, replace
from action.errors import ProgramError, RegistryError, TransientError
from action.inputs.policy import RetryPolicy
from action.process.log import Log
from action.process.program import CompletedProgram, ProgramGroup, capture_output, run_program
from action.process.search import query_environment
from action.process.signals import Interrupted


def create_arguments(
    builder: str, tags: Sequence[str], annotations: Sequence[str], sources: Sequence[str], *, unwrapped: bool = False
) -> tuple[str, ...]:
    """Return the arguments after `docker buildx` that make one index of several images, or copy one image.

    Args:
        builder: the builder whose registry settings apply, or empty.
        tags: the names that the index is pushed by.
        annotations: the index's annotations, each with its level: `index:key=value`.
        sources: references to the images, by digest.
        unwrapped: whether a manifest that is the only source is copied as it is, and not put into an index; buildx
            before 0.15 does not have the option.
    """
    return (
        *("imagetools", "create"),
        *(("--prefer-index=false",) if unwrapped else ()),
        *optional("--builder", builder),
        *repeated("--tag", tags),
        *repeated("--annotation", annotations),
        *sources,
    )


# Each request is a process of buildx.
_MAX_CONCURRENT = 8

# A registry's answer if buildx copies images that share a layer at the same time, and pushes a manifest before the
# layer. Seen with buildx 0.29; since 0.33 all copies of a command share one ingester, which prevents it
# (commands/imagetools/create.go). The next attempt finds the layer.
_RACE = "blob unknown to registry"

_DENIED = re.compile(r"\b(?:401|403) |unauthorized|denied|authorization failed", re.IGNORECASE)
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Registries:
    """The registries that buildx can reach.

    Attributes:
        buildx: the command that runs buildx.
        environment: buildx's whole environment.
        builder: the builder whose registry settings apply, or empty.
        retry_policy: how often a request is retried.
        log: receives a line for each retry, and the progress of a push.
        seconds: the time limit of one request that reads.
        programs: the running requests, so that all can be ended together.
    """

    buildx: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    builder: str
    retry_policy: RetryPolicy
    log: Log
    seconds: float = 60.0
    programs: ProgramGroup = field(default_factory=ProgramGroup, repr=False)

    def manifest(self, reference: str) -> bytes:
        """Return the manifest or index that a registry serves for a tag or digest, byte for byte.

        Raises:
            RegistryError: the registry does not have it, refuses the request, or fails in every attempt.
            ProgramError: the buildx plugin is missing, or does not answer within the time limit.
        """
        command = manifest_query(self.builder, reference)

        def attempt() -> bytes:
            ended = self._query(command)
            if _is_not_found(ended, reference) and "@" in reference:
                # Read once more: a connection that breaks while containerd requests a manifest by digest is reported as
                # "not found" too, because containerd then requests a blob with that digest, which does not exist
                # (containerd 2.2, core/remotes/docker/resolver.go).
                ended = self._query(command)
            if _is_not_found(ended, reference):
                raise RegistryError(f"{reference}: not found; check the name, and whether the image was deleted there")
            return _stdout(ended, reference)

        return self._with_retries(attempt)

    def find(self, reference: str) -> bytes | None:
        """Return the manifest or index that a registry serves for a tag, or None if there is no such tag.

        Raises:
            RegistryError: the registry refuses the request, or fails in every attempt.
            ProgramError: the buildx plugin is missing, or does not answer within the time limit.
        """
        command = manifest_query(self.builder, reference)
        return self._with_retries(lambda: answered(self._query(command), reference))

    def config(self, reference: str) -> bytes:
        """Return the config of an image as buildx prints it: its standard members only, without empty ones.

        Args:
            reference: a manifest of one image, by digest.

        Raises:
            RegistryError: the registry does not have it, refuses the request, or fails in every attempt.
            ProgramError: the buildx plugin is missing, or does not answer within the time limit.
        """
        command = ("imagetools", "inspect", *optional("--builder", self.builder), "--format", "{{json .Image}}")
        return self._with_retries(lambda: _stdout(self._query((*command, reference)), reference))

    def preview(self, arguments: tuple[str, ...]) -> bytes:
        """Return the index that `imagetools create` would push, without pushing it.

        Args:
            arguments: the return value of `create_arguments`.

        Raises:
            RegistryError: a source is missing, or the registry refuses the request or fails in every attempt.
        """
        command = (*arguments[:2], "--dry-run", *arguments[2:])
        # buildx prints a newline after the index, which is not part of it.
        return self._with_retries(lambda: _stdout(self._query(command), "the sources")).removesuffix(b"\n")

    def create(self, arguments: tuple[str, ...], sources: Sequence[str]) -> None:
        """Make one index of several images and push it; buildx's progress goes to the log.

        Args:
            arguments: the return value of `create_arguments`.
            sources: references to the images, all of which the registry has just served.

        Raises:
            RegistryError: the registry refuses the push, or fails in every attempt.
            Interrupted: a signal ended the push.
        """

        def attempt() -> None:
            # Captured even on a terminal: the error in the output decides whether this is retried.
            log = replace(self.log, captured=True)
            ended = run_program((*self.buildx, *arguments), self.environment, log=log)
            if ended.signal is not None:
                raise Interrupted(ended.signal)
            # The sources exist, so that "not found" is a broken connection here; see `manifest`.
            if any(_is_not_found(ended, source) for source in sources) or (ended.code and _RACE in ended.stderr):
                raise TransientError(error_line(ended))
            _stdout(ended, "the index")

        self._with_retries(attempt)

    def call_concurrently(self, function: Callable[[Registries, _T], _R], items: Iterable[_T]) -> list[_R]:
        """Call a function for several items, up to eight at the same time.

        Args:
            function: gets registries for its requests, and an item.
            items: the items.

        Returns:
            The function's return values, in the order of the items. The first error of a call ends all others and is
            raised; so does a signal.
        """
        own = replace(self, programs=ProgramGroup())
        pool = ThreadPoolExecutor(_MAX_CONCURRENT)
        try:
            return list(pool.map(lambda item: function(own, item), items))
        except BaseException:
            own.programs.kill_all()
            raise
        finally:
            # `with` would wait for the threads, and a signal must end this at once.
            pool.shutdown(wait=False, cancel_futures=True)

    def _with_retries(self, attempt: Callable[[], _T]) -> _T:
        return call_with_retries(attempt, self.retry_policy, self.log.write_line, self.programs.killed)

    def _query(self, arguments: tuple[str, ...]) -> CompletedProgram:
        return capture_output(
            (*self.buildx, *arguments),
            query_environment(self.environment),
            seconds=self.seconds,
            programs=self.programs,
        )


def answered(ended: CompletedProgram, reference: str) -> bytes | None:
    """Return the manifest or index that a registry served for a tag, or None if there is no such tag.

    Args:
        ended: how `imagetools inspect --raw` ended.
        reference: the reference that it was given.

    Raises:
        RegistryError: the registry refused the request, or failed.
        ProgramError: the buildx plugin is missing.
    """
    return None if _is_not_found(ended, reference) else _stdout(ended, reference)


def _stdout(ended: CompletedProgram, what: str) -> bytes:
    """Return what buildx printed, or raise the error that it ended with.

    Args:
        ended: how buildx ended.
        what: the subject of the error message.
    """
    if ended.code == 0:
        return ended.stdout.encode()
    error = error_line(ended)
    if advised := advice(plain(ended.stderr)):
        raise ProgramError(f"{advised} ({error})")
    message = error if what in error else f"{what}: {error}"
    # A rate limit can be named in a later line of the error.
    whole = last_error(plain(ended.stderr)) or error
    if is_transient(whole):
        raise TransientError(message, retry_after=retry_after(whole))
    if _DENIED.search(error):
        message += "; log in before this step (docker/login-action), with an account that may do this"
    raise RegistryError(message)


def _is_not_found(ended: CompletedProgram, reference: str) -> bool:
    return ended.code != 0 and error_line(ended).endswith(f"{reference}: not found")
