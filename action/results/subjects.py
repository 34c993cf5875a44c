"""What was pushed, in the forms that attesting and signing take."""

from __future__ import annotations

from collections.abc import Iterable

from action.oci.reference import parse_reference
from action.results.models import ExporterResult


def pushed(exporters: Iterable[ExporterResult]) -> tuple[tuple[str, str], ...]:
    """The repository, registry included, and the digest of everything that was pushed; each pair once."""
    pairs = [
        (reference.repository, exporter.digest)
        for exporter in exporters
        if exporter.push and exporter.digest
        for name in exporter.names
        if (reference := parse_reference(name))
    ]
    return tuple(dict.fromkeys(pairs))


def references(exporters: Iterable[ExporterResult]) -> list[str]:
    """`name@digest` of everything that was pushed."""
    return [f"{repository}@{digest}" for repository, digest in pushed(exporters)]


def checksums(exporters: Iterable[ExporterResult]) -> str:
    """A line for everything that was pushed, as `sha256sum` writes them: the hash in hexadecimal, and the name.

    actions/attest takes this form as `subject-checksums`.
    """
    return "".join(f"{digest.partition(':')[2]}  {repository}\n" for repository, digest in pushed(exporters))
