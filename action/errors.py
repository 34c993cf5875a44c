"""The errors of this package, each with the exit code that it gives the program.

The message is for the user: what was wrong, where, what was expected, and what to do.

    BuildDigestsError
      InputError              an invalid input, option or environment variable
      ProgramError            buildx or the engine is missing, unreachable or too old
        SlowProgramError        it did not end within its time limit
      BuildFailedError        buildx failed
      DocumentError           an invalid JSON document
      EvidenceError           an unreadable record or artifact
        SlowEvidenceError       it did not come within its time limit
        NoRecordsError          there are no records
      DisagreementError       two sources that contradict each other
      MissingDigestError      no digest, with `require-digests`
      VerificationError       another digest than reported, with `verify`
      RegistryError           a registry refused a request or cannot be reached
        TransientError          it may accept the same request later
      MergeError              results that do not form one image
      PackagesError           third-party packages are missing
      GitHubError             GitHub's API refused a request or cannot be reached
"""

from __future__ import annotations

FAILED = 1
"""Exit code of a failed build, and of a fault that was found."""

BAD_INPUT = 2
"""Exit code of bad usage, and of bad input."""


class BuildDigestsError(Exception):
    """Base class of all errors of this package; its text is the message for the user."""

    exit_code = FAILED

    log: str = ""
    """The end of buildx's log if buildx ran and its output was captured, at most 64 KiB; set by the Python API."""

    results: object = None
    """The BuildResults or BakeResults of a failed run, as far as they are known, or None; set by the Python API."""

    def __reduce__(self) -> tuple[object, ...]:
        """Let an error be pickled, as between the processes of a ProcessPoolExecutor."""
        # By default the class is called with the message, which is not what the constructors take.
        return _unpickled, (type(self), self.args), self.__dict__


def _unpickled(kind: type[BuildDigestsError], arguments: tuple[object, ...]) -> BuildDigestsError:
    error = kind.__new__(kind)
    error.args = arguments
    return error


class InputError(BuildDigestsError):
    """Invalid input, option or environment variable.

    Example: `InputError("push", "'perhaps' is not a boolean", "write true or false")`.

    Args:
        name: the input, option or environment variable, as the user writes it.
        problem: what is wrong with it, with its value unless that is a secret.
        rule: what was expected instead.
    """

    exit_code = BAD_INPUT

    def __init__(self, name: str, problem: str, rule: str) -> None:
        """Build the message from its three parts."""
        super().__init__(f"{name}: {problem}; {rule}")


class ProgramError(BuildDigestsError):
    """Program (buildx, docker, or the engine behind them) that is missing, does not answer, or is too old."""


class SlowProgramError(ProgramError):
    """Program that did not end within its time limit."""


class BuildFailedError(BuildDigestsError):
    """Build that buildx ended with an error."""


class DocumentError(BuildDigestsError):
    """JSON document that does not have the required form.

    Args:
        source: the path of the file, or another name for the document.
        pointer: the JSON pointer (RFC 6901) to the invalid value; empty for the whole document.
        problem: what was expected there, and what was found.
        line: the line of that place, counted from 1; None if it is not known.
    """

    def __init__(self, source: str, pointer: str, problem: str, line: int | None = None) -> None:
        """Build the message from its first three parts."""
        self.source = source
        self.pointer = pointer
        self.problem = problem
        self.line = line
        place = f"at {pointer}" if pointer else "at the top"
        super().__init__(f"{source}: {place}: {problem}")


class EvidenceError(BuildDigestsError):
    """Record or artifact that cannot be read; the digests that depend on it stay unknown."""


class SlowEvidenceError(EvidenceError):
    """Record that did not come within its time limit; a retry would be as slow."""


class NoRecordsError(EvidenceError):
    """Records that do not exist: this buildx exports none, or this BuildKit keeps none."""


class DisagreementError(BuildDigestsError):
    """Contradiction between two sources about one exporter."""


class MissingDigestError(BuildDigestsError):
    """Exporter that makes an image and has no digest, although `require-digests` is set."""


class VerificationError(BuildDigestsError):
    """Difference, found by `verify`, between a reported digest and what a registry serves or a file contains."""


class RegistryError(BuildDigestsError):
    """Registry that refused a request, cannot be reached, or serves other content than was pushed."""


class TransientError(RegistryError):
    """Temporary failure of a registry: it is overloaded, it has an internal error, or the connection was lost.

    Args:
        message: the message for the user.
        retry_after: the seconds that the registry asks to wait before the next request; 0 if it asks for none.
    """

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        """Keep the delay beside the message."""
        super().__init__(message)
        self.retry_after = retry_after


class MergeError(BuildDigestsError):
    """Results of several jobs that do not form one image."""


class PackagesError(BuildDigestsError):
    """Third-party packages that a step needs and that are missing and cannot be installed."""


class GitHubError(BuildDigestsError):
    """GitHub's API that refused a request, or cannot be reached."""
