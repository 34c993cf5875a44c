"""The policy of a run: the inputs that decide what is checked, what is reported, and when buildx is retried."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from action.dataclass import dataclass
from action.errors import InputError
from action.inputs.values import input_flag, input_text, split_list

_MAX_RETRIES = 20
_MAX_DELAY = 300.0


@dataclass(frozen=True)
class RetryPolicy:
    """How often something is retried, and after which wait.

    Attributes:
        retries: the maximum number of retries.
        delay: seconds before the first retry; each later wait is twice as long as the one before.
    """

    retries: int
    delay: float


NO_RETRIES = RetryPolicy(retries=0, delay=5.0)
"""The default for builds: a failed build is not retried."""


@dataclass(frozen=True)
class Policy:
    """What a run checks, and when it is retried.

    Attributes:
        require_digests: whether an exporter that makes an image and has no digest is an error.
        verify: whether each digest is checked against the registry, and each tar against its digest.
        retry_policy: how often a build that failed for a transient reason is retried.
        compare: the images that the images of the run are compared with, as the user wrote them.
        platform_subjects: whether `refs` and `checksums` list each platform's image.
        attestations: the folder that SBOM and provenance of each image are written to, or empty.
    """

    require_digests: bool = False
    verify: bool = False
    retry_policy: RetryPolicy = NO_RETRIES
    compare: tuple[str, ...] = ()
    platform_subjects: bool = False
    attestations: str = ""

    @property
    def reads_images(self) -> bool:
        """Whether images are read after the build, from registries or from BuildKit."""
        return self.verify or bool(self.compare) or self.reads_builder

    @property
    def reads_builder(self) -> bool:
        """Whether images are read from BuildKit after the build."""
        return self.platform_subjects or bool(self.attestations)

    def check_folder(self, folder: str) -> None:
        """Check that the folder for attestations can be one, before anything is built.

        Args:
            folder: the folder that it is relative to.

        Raises:
            InputError: something else has its name.
        """
        path = Path(folder, self.attestations)
        if self.attestations and (path.is_symlink() or (path.exists() and not path.is_dir())):
            problem = f"{self.attestations!r} is a file or a link, and must be a folder"
            raise InputError("attestations", problem, "name a folder, or one that does not exist yet")


def read_policy(raw: Mapping[str, str]) -> Policy:
    """Read the inputs of the build and the bake action that make up the policy.

    Args:
        raw: input name to its text.

    Raises:
        InputError: a boolean, a number or a list is malformed.
    """
    retries, delay = input_text(raw, "retries"), input_text(raw, "retry-delay")
    return Policy(
        require_digests=input_flag(raw, "require-digests"),
        verify=input_flag(raw, "verify"),
        retry_policy=read_retry_policy(retries, delay, default=NO_RETRIES),
        compare=split_list("compare", input_text(raw, "compare")),
        platform_subjects=input_flag(raw, "platform-subjects"),
        attestations=input_text(raw, "attestations"),
    )


def read_retry_policy(retries: str, delay: str, *, default: RetryPolicy) -> RetryPolicy:
    """Read the inputs `retries` and `retry-delay`.

    Args:
        retries: a whole number from 0 to 20, or an empty string for the default.
        delay: a number of seconds from 0 to 300, or an empty string for the default.
        default: the policy whose values replace empty inputs.

    Raises:
        InputError: a value is not a number or is out of bounds.
    """
    return RetryPolicy(
        _read_count("retries", retries) if retries else default.retries,
        _read_seconds("retry-delay", delay) if delay else default.delay,
    )


def _read_count(name: str, text: str) -> int:
    # The length is checked before int(), which raises ValueError for more than 4300 digits (CVE-2020-10735).
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(_MAX_RETRIES)) or int(text) > _MAX_RETRIES:
        raise InputError(name, f"{text!r} is not valid", f"write a whole number from 0 to {_MAX_RETRIES}")
    return int(text)


def _read_seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    # Not `value < 0 or value > _MAX_DELAY`: float() reads "nan", for which every comparison is false.
    if not 0 <= value <= _MAX_DELAY:
        raise InputError(name, f"{text!r} is not valid", f"write a number of seconds from 0 to {_MAX_DELAY:g}")
    return value
