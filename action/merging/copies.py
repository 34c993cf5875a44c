"""Copying an image, or an artifact that refers to it, to tags of a repository, with its digest checked at both ends."""

from __future__ import annotations

from collections.abc import Mapping

from action.buildx.imagetools import Registries, create_arguments
from action.dataclass import dataclass
from action.errors import RegistryError
from action.oci.image import INDEX_TYPES, MANIFEST_TYPES
from action.oci.models import Document, parse
from action.oci.reference import check_digest

_MAX_MANIFESTS = 1000

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
