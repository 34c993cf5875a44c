"""What a run of buildx is held to: the inputs `require-digests`, `verify`, `retries` and `retry-delay`."""

from __future__ import annotations

from dataclasses import dataclass

from action.inputs.retry_policy import RetryPolicy

NO_RETRIES = RetryPolicy(retries=0, delay=5.0)
"""What holds where `retries` and `retry-delay` say nothing: a build is not tried again."""


@dataclass(frozen=True)
class Policy:
    """What a run is held to.

    Attributes:
        require_digests: whether an exporter that makes an image and has no digest is an error.
        verify: whether every digest is held against what the registry serves and the tar holds.
        retry_policy: how often a build that failed for a reason that passes by itself is tried again.
    """

    require_digests: bool = False
    verify: bool = False
    retry_policy: RetryPolicy = NO_RETRIES
