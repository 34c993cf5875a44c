"""Results of a build from the files that it left behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from action.attribution.attribute import Observed, attribute
from action.conclusion import deviation_warnings
from action.errors import EvidenceError, InputError
from action.metadata.file import read_metadata_file
from action.observation import is_spread, observe_artifacts
from action.outputs.exporters import requested_exporters
from action.outputs.parse import parse_outputs
from action.record.history import read_record
from action.results.models import BuildResults, results_of


def inspect_files(  # noqa: PLR0913  # one for each option of the command
    metadata_file: Path,
    record_file: Path | None,
    outputs: Sequence[str],
    tags: Sequence[str],
    *,
    push: bool,
    load: bool,
) -> tuple[BuildResults, list[str]]:
    """Say what each output of a build is.

    Args:
        metadata_file: what `--metadata-file` wrote.
        record_file: the build's record, or a bundle of records with it in it, or None.
        outputs: the build's outputs, in their order.
        tags: the build's tags.
        push: whether the build had `--push`.
        load: whether the build had `--load`.

    Returns:
        The results, and why digests are missing.

    Raises:
        DocumentError: the metadata file is faulty.
        InputError: an output breaks a rule, or the record cannot be read.
        DisagreementError: two sources say different things of one exporter.
    """
    requested = requested_exporters(parse_outputs(outputs, source="--output"), tags=tuple(tags), push=push, load=load)
    read = read_metadata_file(metadata_file)
    for fault in read.faults:
        raise fault
    ref = read.metadata.ref
    record = None
    if record_file is not None:
        try:
            record = read_record(record_file, ref.rpartition("/")[2] if ref else None)
        except EvidenceError as error:
            raise InputError("--record", str(error), "name the file that docker buildx history export wrote") from None
    artifacts, missing = observe_artifacts(requested, Path())
    if record is None:
        missing.append("no --record was given")
    observed = Observed(read.metadata, record, artifacts, tuple(missing), is_spread(read.metadata))
    attribution = attribute(requested, observed)
    warnings = deviation_warnings(read.deviations)
    warnings += [f"exporter {key} has no digest: {why}" for key, why in attribution.unknown.items()]
    return results_of(ref, attribution.exporters), warnings
