"""Verification: what was pushed is asked of its registry, by digest, and what was written is hashed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from action.buildx.imagetools import Registries
from action.errors import BuildDigestsError, VerificationError
from action.evidence.artifact_file import ARTIFACT_TYPES, is_passed_on
from action.exporters.output import STDOUT
from action.oci.integrity import check_digest
from action.oci.verify import check_artifact
from action.results import BuildResults, ExporterResult, references, results_of

_SOURCES = {"response": "the metadata file", "record": "the build record", "artifact": "its own index.json"}


def verify(
    results: BuildResults, folder: Path, registries: Registries
) -> tuple[BuildResults, tuple[BuildDigestsError, ...]]:
    """Hold the digest of everything that was pushed, or written as an image, against what is there.

    An image that only the engine keeps, and files, are not looked at.

    Args:
        results: what a build says.
        folder: where paths in outputs start from.
        registries: who asks registries.

    Returns:
        The results, without the digest of an exporter that is not as it says; and why.

    Raises:
        Interrupted: a signal ended it.
    """
    asked = [(place, each) for place, exporter in enumerate(results.exporters) for each in references((exporter,))]

    def ask(registries: Registries, item: tuple[int, str]) -> BuildDigestsError | None:
        _, reference = item
        try:
            check_digest(registries.manifest(reference), reference.rpartition("@")[2], reference)
        except BuildDigestsError as error:
            return error
        return None

    answers = registries.at_once(ask, asked)
    faults: dict[int, list[str]] = {}
    for (place, _), answer in zip(asked, answers, strict=True):
        if answer is not None:
            faults.setdefault(place, []).append(str(answer))
    for place, exporter in enumerate(results.exporters):
        faults.setdefault(place, []).extend(_of_what_is_here(exporter, folder))
    errors = tuple(_error(results.exporters[place], fault) for place in sorted(faults) for fault in faults[place])
    exporters = tuple(
        _without_digest(exporter) if faults.get(place) else exporter for place, exporter in enumerate(results.exporters)
    )
    return results_of(results.ref, exporters), errors


def _of_what_is_here(exporter: ExporterResult, folder: Path) -> Iterator[str]:
    written = exporter.type in ARTIFACT_TYPES and exporter.dest not in {None, STDOUT}
    if exporter.digest is None:
        if written or exporter.push:
            yield "it has no digest that could be verified; the warnings say why"
        return
    if exporter.push and not references((exporter,)):
        yield f"none of its names ({', '.join(exporter.names)}) is one that a registry can be asked for"
    if not written or is_passed_on(folder / str(exporter.dest)):
        return
    try:
        check_artifact(folder / str(exporter.dest), exporter.digest)
    except BuildDigestsError as error:
        yield str(error)


def _error(exporter: ExporterResult, fault: str) -> VerificationError:
    source = _SOURCES[exporter.evidence] if exporter.evidence else ""
    said = f"{source} says {exporter.digest}, but " if exporter.digest else ""
    return VerificationError(
        f"exporter {exporter.key} ({exporter.type}) is not verified: {said}{fault}; its digest is not handed on"
    )


def _without_digest(exporter: ExporterResult) -> ExporterResult:
    return msgspec.structs.replace(exporter, digest=None, imageid=None, descriptor=None, platforms=(), evidence=None)
