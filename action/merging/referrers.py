"""What refers to an image by a tag: cosign's signatures and attestations, and the referrers of OCI's tag schema.

Names of the tags: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md and
https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema. What a registry tells only
through its referrers API is not among them: buildx has no command that reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from action.buildx.imagetools import Registries
from action.dataclass import replace
from action.errors import RegistryError
from action.merging.copies import Copy, read_manifests
from action.oci.models import Document, parse

_SUFFIXES = ("", ".sig", ".att", ".sbom")
_MAX_ROUNDS = 4

ABSENT = (
    "nothing refers to it by a tag (sha256-… as in OCI's tag schema, or cosign's sha256-….sig, .att, .sbom). buildx "
    "cannot copy what is only in the registry's referrers API: use cosign copy or oras cp -r, or leave referrers out"
)
"""The end of the error for an image without referrers."""


def find_referrers(registries: Registries, repository: str, digests: Iterable[str]) -> dict[str, str]:
    """Find the tags that refer to an image, to what its index names, or to one another.

    Args:
        registries: the registries.
        repository: the repository of the image.
        digests: the digests of the image and of its manifests.

    Returns:
        Tag, without the repository, to the digest that it has.

    Raises:
        RegistryError: a request is refused, or fails in every attempt.
        EvidenceError: a tag does not name a manifest or index.
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    pending = dict.fromkeys(digests)
    # A signature can be signed too, and so on.
    for _ in range(_MAX_ROUNDS):
        tags = [_tag(digest) + suffix for digest in pending for suffix in _SUFFIXES]
        answers = registries.call_concurrently(lambda each, tag: each.find(f"{repository}:{tag}"), tags)
        seen |= pending.keys()
        pending = {}
        for tag, data in zip(tags, answers, strict=True):
            if data is None:
                continue
            found[tag] = f"sha256:{hashlib.sha256(data).hexdigest()}"
            entries = parse(Document, data, f"{repository}:{tag}").manifests or ()
            pending |= dict.fromkeys(each for each in (found[tag], *(entry.digest for entry in entries)))
        pending = {digest: None for digest in pending if digest not in seen}
        if not pending:
            break
    return found


def copy_referrers(registries: Registries, image: Copy, found: Mapping[str, str]) -> list[Copy]:
    """Return the copies of what refers to an image, into the repository that the image is copied to.

    Args:
        registries: the registries.
        image: the copy of the image.
        found: the return value of `find_referrers`.

    Raises:
        RegistryError: a tag in the other repository names what the one here does not, or a request fails.
        EvidenceError: a tag does not name a manifest or index.
    """
    copies = []
    for tag, digest in found.items():
        manifests = read_manifests(registries, image.repository, digest)
        name = f"{image.target}:{tag}"
        present = registries.find(name)
        if present is not None and not _parts(present, name) <= _parts(manifests[digest], image.source):
            raise RegistryError(
                f"{image.what}: {name} names signatures or artifacts that {image.repository}:{tag} does not name, and "
                "a copy would lose them; nothing is pushed. Add to it with cosign or oras cp -r, or remove that tag"
            )
        copies.append(replace(image, digest=digest, manifests=manifests, tags=(name,), is_referrer=True))
    return copies


def _tag(digest: str) -> str:
    algorithm, _, encoded = digest.partition(":")
    # The longest that OCI's tag schema has; a tag ends at 128 characters.
    return f"{algorithm[:32]}-{encoded[:64]}"


def _parts(data: bytes, source: str) -> set[str]:
    """Return what a tag names: an index its manifests, a manifest its layers, which are cosign's signatures."""
    document = parse(Document, data, source)
    return {each.digest for each in document.manifests or document.layers or ()}
