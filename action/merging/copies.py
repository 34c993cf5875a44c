"""Copies of an image and of what refers to it, to tags of a repository; digests are checked at both ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from action.buildx.imagetools import Registries, create_arguments
from action.dataclass import dataclass, replace
from action.errors import RegistryError
from action.oci.image import INDEX_TYPES, MANIFEST_TYPES
from action.oci.models import Document, parse
from action.oci.reference import check_digest

_MAX_MANIFESTS = 1000

# How the tags end that refer to an image: those of OCI's tag schema, and cosign's signatures, attestations and SBOMs.
# https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
# https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
# Artifacts that only the registry's referrers API lists have no such tag; no command of buildx reads that API.
_SUFFIXES = ("", ".sig", ".att", ".sbom")
_MAX_ROUNDS = 4

ABSENT = (
    "nothing refers to it by a tag (sha256-… as in OCI's tag schema, or cosign's sha256-….sig, .att, .sbom). buildx "
    "cannot copy what is only in the registry's referrers API: use cosign copy or oras cp -r, or leave referrers out"
)
"""The end of the error for an image without referrers."""

Manifests = Mapping[str, bytes]
"""Digest to manifest or index: an image's own, and those that its index names, attestations included."""


@dataclass(frozen=True)
class Copy:
    """A copy to make.

    Attributes:
        what: what is copied, at the start of error messages: `exporter release`.
        repository: the repository that has it.
        digest: its digest.
        manifests: what the source serves for it.
        target: the repository that it is copied to.
        tags: the tags that it gets there, with the repository, as the user wrote them.
        is_referrer: whether it is what refers to the image, and not the image.
        unwrapped: whether buildx has the option to copy a manifest without an index around it.
    """

    what: str
    repository: str
    digest: str
    manifests: Manifests
    target: str
    tags: tuple[str, ...]
    unwrapped: bool
    is_referrer: bool = False

    @property
    def source(self) -> str:
        """The image by its digest, where it is now."""
        return f"{self.repository}@{self.digest}"

    def arguments(self, builder: str) -> tuple[str, ...]:
        """Return buildx's arguments that make the copy."""
        return create_arguments(builder, self.tags, (), (self.source,), unwrapped=self.unwrapped)

    def check_preview(self, registries: Registries) -> None:
        """Check, without a push, that buildx will push the same bytes.

        Raises:
            RegistryError: it would push others, or the source cannot be read.
        """
        data = registries.preview(self.arguments(registries.builder))
        try:
            check_digest(data, self.digest, self.source)
        except RegistryError:
            raise RegistryError(
                f"{self.what}: docker buildx imagetools create would change the digest: it makes another image of "
                f"{self.source}, such as an index around a manifest. Nothing is pushed; install buildx 0.15 or later"
            ) from None

    def push(self, registries: Registries) -> None:
        """Make the copy, and check that the target serves it by each tag, and each of its manifests by its digest.

        Raises:
            RegistryError: the registry refuses it, or serves something else.
            Interrupted: a signal ended it.
        """
        registries.create(self.arguments(registries.builder), (self.source,))

        def check(registries: Registries, item: tuple[str, str]) -> None:
            reference, digest = item
            check_digest(registries.manifest(reference), digest, reference)

        named = [(tag, self.digest) for tag in self.tags]
        parts = [(f"{self.target}@{digest}", digest) for digest in self.manifests]
        registries.call_concurrently(check, [*named, *parts])


def read_manifests(registries: Registries, repository: str, digest: str) -> Manifests:
    """Read an image, and every manifest and index below it, and check each against its digest.

    Args:
        registries: the registries.
        repository: the repository that has the image.
        digest: its digest.

    Raises:
        RegistryError: one is missing, is not what its digest says, or there are more than 1,000.
        EvidenceError: one is not a manifest or index.
    """

    def read(registries: Registries, digest: str) -> bytes:
        reference = f"{repository}@{digest}"
        data = registries.manifest(reference)
        check_digest(data, digest, reference)
        return data

    found: dict[str, bytes] = {}
    pending = [digest]
    while pending:
        answers = registries.call_concurrently(read, pending)
        found.update(zip(pending, answers, strict=True))
        named = dict.fromkeys(
            entry.digest
            for each, data in zip(pending, answers, strict=True)
            for entry in parse(Document, data, f"{repository}@{each}").manifests or ()
            if entry.media_type in INDEX_TYPES | MANIFEST_TYPES
        )
        pending = [each for each in named if each not in found]
        if len(found) + len(pending) > _MAX_MANIFESTS:
            raise RegistryError(f"{repository}@{digest}: it has more than {_MAX_MANIFESTS} manifests")
    return found


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
    # A signature can itself be signed, and so on.
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
        RegistryError: the tag in the other repository has artifacts that this one lacks, or a request fails.
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
    # OCI's tag schema cuts both parts to these lengths, because a tag has at most 128 characters.
    return f"{algorithm[:32]}-{encoded[:64]}"


def _parts(data: bytes, source: str) -> set[str]:
    """Return the digests of what a tag names: the manifests of an index, or the layers of a manifest.

    cosign keeps each signature of an image as a layer of one manifest.
    """
    document = parse(Document, data, source)
    return {each.digest for each in document.manifests or document.layers or ()}
