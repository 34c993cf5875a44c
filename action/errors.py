"""Every error that a user can see, each with the exit code it ends the program with.

The message is written for the user: what was wrong, where, what was expected, what to do.
"""

from __future__ import annotations

FAILED = 1
"""Exit code of a build that failed and of a fault that was found."""

BAD_INPUT = 2
"""Exit code of bad usage and of bad input."""


class BuildDigestsError(Exception):
    """Base of all errors of this package; its text is the message for the user."""

    exit_code = FAILED


class InputError(BuildDigestsError):
    """An input that breaks a rule.

    Args:
        name: the input, option or environment variable at fault, as the user writes it.
        problem: what is wrong with it, with its value where that is no secret.
        rule: what was expected instead.
    """

    exit_code = BAD_INPUT

    def __init__(self, name: str, problem: str, rule: str) -> None:
        """Join the three parts to one message."""
        super().__init__(f"{name}: {problem}; {rule}")


class ProgramError(BuildDigestsError):
    """buildx or the engine is missing, does not answer, or is too old for what was asked."""


class SlowProgramError(ProgramError):
    """A program did not end in time."""


class BuildFailedError(BuildDigestsError):
    """buildx ended with an error."""


class DocumentError(BuildDigestsError):
    """A JSON document that does not have the form it must have.

    Args:
        source: the file, or what stands for it.
        pointer: JSON pointer (RFC 6901) to the place at fault; empty for the whole document.
        problem: what was expected there, and what was found.
    """

    def __init__(self, source: str, pointer: str, problem: str) -> None:
        """Join the three parts to one message."""
        self.source = source
        self.pointer = pointer
        self.problem = problem
        place = f"at {pointer}" if pointer else "at the top"
        super().__init__(f"{source}: {place}: {problem}")


class EvidenceError(BuildDigestsError):
    """A record or an artifact that cannot be read; the digests it would prove stay unknown."""


class SlowEvidenceError(EvidenceError):
    """A record that did not come in time: asking again would take as long."""


class NoRecordsError(EvidenceError):
    """This buildx exports no records, or this BuildKit keeps none: asking for another one is of no use."""


class DisagreementError(BuildDigestsError):
    """Two sources that speak of one exporter and say different things."""


class MissingDigestError(BuildDigestsError):
    """`require-digests` is set and an exporter that makes an image has no digest."""


class VerificationError(BuildDigestsError):
    """`verify` is set, and what a registry serves or a tar holds is not what the build says."""


class RegistryError(BuildDigestsError):
    """A registry refused something, cannot be reached, or serves something else than it was given."""


class TransientError(RegistryError):
    """A registry failed for a reason that passes by itself: it is busy, it broke down, or the connection broke.

    Args:
        message: the message for the user.
        retry_after: seconds that the registry asks to wait before the next request; 0 if it asks for none.
    """

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        """Keep the wait beside the message."""
        super().__init__(message)
        self.retry_after = retry_after


class MergeError(BuildDigestsError):
    """Results of several jobs that do not make up one image."""


class PackagesError(BuildDigestsError):
    """Packages that a step imports are not here and cannot be installed."""


class GitHubError(BuildDigestsError):
    """GitHub's API refuses something, or cannot be reached."""
