"""References to images, `registry/path:tag@digest`, and checking bytes against the digest of one.

The grammar is that of https://github.com/distribution/reference/blob/v0.6.0/reference.go.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from action.dataclass import dataclass
from action.errors import RegistryError

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"

# Not compiled here: a step imports this module before buildx starts, and parses names only after it has ended.
_REPOSITORY = rf"{_HOST}/{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
# Of the path alone since 0.6.0; before that, the registry counted too (distribution/reference#9).
_MAX_PATH_LENGTH = 255
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}


@dataclass(frozen=True)
class Reference:
    """A reference to an image by its name.

    Attributes:
        repository: the full name with the registry: `docker.io/library/app`.
        tag: the tag, or None.
        digest: the digest, or None.
    """

    repository: str
    tag: str | None
    digest: str | None


def parse_reference(text: str) -> Reference | None:
    """Parse a reference, such as `ghcr.io/owner/app:1`; return None if the text is not a reference."""
    name, _, digest = text.partition("@")
    repository, tag = _split_tag(name)
    full = full_repository(repository)
    if not re.fullmatch(_REPOSITORY, full) or len(full.partition("/")[2]) > _MAX_PATH_LENGTH:
        return None
    if (tag is not None and not re.fullmatch(_TAG, tag)) or ("@" in text and not digest):
        return None
    return Reference(full, tag, digest or None)


def repositories_of(names: Iterable[str]) -> frozenset[str]:
    """Return the repositories of names, with their registry; a text that is not a name is returned unchanged."""
    return frozenset(reference.repository if (reference := parse_reference(name)) else name for name in names)


def full_name(name: str) -> str:
    """Return the full name that buildx passes on: `docker.io/library/app:latest` for `app`."""
    repository, tag = _split_tag(name.partition("@")[0])
    full = full_repository(repository)
    if "@" in name:
        return full + name[len(repository) :]
    return f"{full}:{tag or 'latest'}"


def full_repository(repository: str) -> str:
    """Return a repository's name with its registry: `docker.io/library/app` for `app`."""
    first, slash, rest = repository.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first.lower() != first):
        first, rest = "docker.io", repository
    if first in {"docker.io", "index.docker.io"}:
        return f"docker.io/{rest if '/' in rest else f'library/{rest}'}"
    return f"{first}/{rest}"


def check_digest(data: bytes, digest: str, reference: str) -> None:
    """Check that bytes from a registry have the digest that they were requested by.

    Args:
        data: the bytes that the registry serves.
        digest: the expected digest.
        reference: the reference that was requested, for the error.

    Raises:
        RegistryError: the bytes have another digest, or one of an unknown algorithm.
    """
    algorithm = digest.partition(":")[0]
    if algorithm not in _HASHES:
        raise RegistryError(f"{reference}: a digest by {algorithm} cannot be checked; expected sha256 or sha512")
    found = digest_like(digest, data)
    if found != digest:
        raise RegistryError(
            f"{reference}: the registry serves {found}, and not {digest}; it was changed after it was "
            "pushed, or something between here and the registry changes what it serves"
        )


def digest_like(digest: str, data: bytes) -> str:
    """Return the digest of bytes by the algorithm of another digest, or by sha256 if that one is unknown.

    Args:
        digest: a digest, of which only the algorithm counts.
        data: the bytes.
    """
    algorithm = digest.partition(":")[0]
    algorithm = algorithm if algorithm in _HASHES else "sha256"
    return f"{algorithm}:{_HASHES[algorithm](data).hexdigest()}"


def _split_tag(name: str) -> tuple[str, str | None]:
    # The last colon may belong to the registry's port: `localhost:5000/app`.
    before, colon, after = name.rpartition(":")
    return (before, after) if colon and "/" not in after else (name, None)
