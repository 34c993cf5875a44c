"""References to images: `registry/path:tag@digest`.

https://github.com/distribution/reference/blob/v0.6.0/reference.go
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_REPOSITORY = re.compile(rf"(?P<registry>{_HOST})/(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LONGEST_REPOSITORY = 255


@dataclass(frozen=True)
class Reference:
    """A reference to an image by its name.

    Attributes:
        repository: the full name, registry included: `docker.io/library/app`.
        tag: the tag, or None.
        digest: the digest, or None.
    """

    repository: str
    tag: str | None
    digest: str | None


def parse_reference(text: str) -> Reference | None:
    """Parse a reference; None where it is none."""
    name, _, digest = text.partition("@")
    repository, tag = _split_tag(name)
    full = full_repository(repository)
    if not _REPOSITORY.fullmatch(full) or len(full) > _LONGEST_REPOSITORY:
        return None
    if (tag is not None and not _TAG.fullmatch(tag)) or ("@" in text and not digest):
        return None
    return Reference(full, tag, digest or None)


def repositories_of(names: Iterable[str]) -> frozenset[str]:
    """Return the repositories, registry included, that names are in; what is no name counts as it is."""
    return frozenset(reference.repository if (reference := parse_reference(name)) else name for name in names)


def full_name(name: str) -> str:
    """A name in full, as buildx passes it on: `app` is `docker.io/library/app:latest`."""
    repository, tag = _split_tag(name.partition("@")[0])
    full = full_repository(repository)
    if "@" in name:
        return full + name[len(repository) :]
    return f"{full}:{tag or 'latest'}"


def full_repository(repository: str) -> str:
    """A repository's name with its registry: `app` is `docker.io/library/app`."""
    first, slash, rest = repository.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first.lower() != first):
        first, rest = "docker.io", repository
    if first in {"docker.io", "index.docker.io"}:
        return f"docker.io/{rest if '/' in rest else f'library/{rest}'}"
    return f"{first}/{rest}"


def _split_tag(name: str) -> tuple[str, str | None]:
    before, colon, after = name.rpartition(":")
    return (before, after) if colon and "/" not in after else (name, None)
