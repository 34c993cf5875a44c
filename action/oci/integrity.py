"""Whether bytes are what their digest says."""

from __future__ import annotations

import hashlib

from action.errors import RegistryError

_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}


def check_digest(data: bytes, digest: str, reference: str) -> None:
    """Check that bytes have a digest.

    Args:
        data: what was served.
        digest: what it must have.
        reference: what was asked for.

    Raises:
        RegistryError: it has another.
    """
    algorithm, _, encoded = digest.partition(":")
    if algorithm not in _HASHES:
        raise RegistryError(f"{reference}: a digest by {algorithm} cannot be checked; expected sha256 or sha512")
    found = _HASHES[algorithm](data).hexdigest()
    if found != encoded:
        raise RegistryError(
            f"{reference}: the registry serves {algorithm}:{found}, and not {digest}; it was changed after it was "
            "pushed, or something between here and the registry changes what it serves"
        )
