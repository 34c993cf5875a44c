"""From a build that has ended to its outcome: metadata, evidence, attribution, results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from action.errors import BuildDigestsError, DisagreementError, MissingDigestError
from action.evidence.metadata_file import MetadataFile
from action.evidence.responses import Metadata
from action.exporters.attribution import Attribution, attribute, makes_image, uses_response
from action.exporters.names import with_reported_names
from action.exporters.requested import Requested
from action.pipeline.collect import Prove, RecordOf, misleading_folders, observe
from action.pipeline.run_result import RunResult
from action.results import BuildResults, legacy_exporter, results_of

_NOTHING_EXPORTED = (
    "nothing was exported: this builder keeps a build in its cache unless it is told where to put it; set push, load "
    "or outputs (such as outputs: type=image,name=…,push=true)"
)

_MAX_SHOWN = 5


def conclude(  # noqa: PLR0913  # what a build was asked for, what became of it, and where its evidence is
    requested: Requested,
    failed: BuildDigestsError | None,
    read: MetadataFile,
    record_of: RecordOf,
    folder: Path,
    *,
    prove: Prove,
    require_digests: bool,
) -> RunResult[BuildResults]:
    """Say what each exporter of a build made.

    Args:
        requested: the exporters asked for.
        failed: why the build failed, or None where it did not.
        read: the metadata file.
        record_of: gives the build's record.
        folder: where paths in outputs start from.
        prove: proves what a registry answered when buildx asked it by tag.
        require_digests: whether an exporter that makes an image and has no digest is an error.
    """
    if failed and read.text is None:
        return RunResult(None, None, (failed,))
    # With call a frontend writes every key of the response (docker/buildx 0.36, build/build.go): nothing is used.
    metadata = read.metadata if requested.exports else Metadata()
    if failed:
        # What a build that failed exported before it did so is in no list of exporters that can be trusted.
        return RunResult(results_of(metadata.ref, ()), read.text, (failed, *read.faults))
    requested = with_reported_names(requested, metadata)
    observed = observe(requested, metadata, record_of, prove, folder)
    try:
        attribution = attribute(requested, observed)
    except DisagreementError as error:
        return RunResult(None, read.text, (*read.faults, error), warnings=observed.missing)
    told = observed.record is not None and not attribution.unknown
    errors, ignored = _faults(requested, read, told_by_record=told)
    results = results_of(metadata.ref, attribution.exporters)
    warnings = ignored + missing_digests(attribution)
    warnings += [each for each in observed.missing if not any(each in warning for warning in warnings)]
    warnings += misleading_folders(attribution.exporters, folder)
    warnings += [read.too_long] if read.too_long else []
    if require_digests and attribution.unknown:
        errors.append(_missing(attribution))
    nothing = requested.may_default and not results.exporters and not errors
    return RunResult(
        results,
        read.text,
        tuple(errors),
        tuple(warnings),
        (_NOTHING_EXPORTED,) if nothing else (),
    )


def deviation_warnings(deviations: Sequence[str]) -> list[str]:
    """Warn of places of a metadata file that are not as the schema says."""
    if not deviations:
        return []
    more = f" and {len(deviations) - _MAX_SHOWN} more" if len(deviations) > _MAX_SHOWN else ""
    places = ", ".join(deviations[:_MAX_SHOWN])
    expected = "these places are ignored, and build-digests validate says what is expected there"
    return [f"the metadata file is not as its schema says at {places}{more}; {expected}"]


def _faults(
    requested: Requested, read: MetadataFile, *, told_by_record: bool
) -> tuple[list[BuildDigestsError], list[str]]:
    """Split the faults of a metadata file into errors, for what a digest is derived from, and warnings."""
    errors: list[BuildDigestsError] = []
    warnings = deviation_warnings(read.deviations)
    uses = uses_response(requested) and not told_by_record
    for fault, matters in ((read.fault, makes_image(requested)), (read.response_fault, uses)):
        if fault and matters:
            errors.append(fault)
        elif fault:
            warnings.append(f"{fault}; no digest depends on that")
    return errors, warnings


def missing_digests(attribution: Attribution) -> list[str]:
    """Return a warning for each exporter that makes an image and has no digest."""
    first = legacy_exporter(attribution.exporters)
    return [
        f"exporter {key} has no digest: {why}"
        + (
            f"; so the build's `digest` is empty: it is that of exporter {key}, the first that makes an image"
            if first is not None and key == first.key
            else ""
        )
        for key, why in attribution.unknown.items()
    ]


def _missing(attribution: Attribution) -> MissingDigestError:
    keys = ", ".join(attribution.unknown)
    message = f"require-digests is set, and these exporters have no digest: {keys}; the warnings say why"
    return MissingDigestError(message)
