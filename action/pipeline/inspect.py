"""The results of a build from the files that it left behind: metadata file, record and tars."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from action.buildx.local_state import build_id
from action.buildx.pushed_digests import proved_digests
from action.documents.strict_json import read_document
from action.errors import EvidenceError, InputError, ProgramError
from action.evidence.metadata_file import MetadataFile, read_metadata_file
from action.evidence.record import Record, StatusLog
from action.evidence.record_file import read_record
from action.evidence.responses import Metadata
from action.exporters.attributed import AttributedBuild, AttributedExporter
from action.exporters.attribution import attribute
from action.exporters.build_evidence import BuildEvidence
from action.exporters.caches import CacheEvidence, attribute_caches, missing_caches, needs_status_log
from action.exporters.output import Output, is_id, parse_caches, parse_outputs
from action.exporters.requested import Requested, requested_exporters
from action.oci.image import Image
from action.packages.sets import SCHEMAS, provide
from action.pipeline.collect import collect_artifacts, is_multi_node, package_readers, shared_files, with_engine_facts
from action.pipeline.conclude import deviation_warnings, missing_digests
from action.pipeline.oci_folders import holds
from action.process.docker import find_buildx

_OTHER_KINDS = {
    "bake": ("the metadata of a bake", "put one target's object into a file of its own, and name that"),
    "results": ("a results file", "the digests are in it already: print it, or check it with build-digests validate"),
    "digests": (
        "a digests document",
        "the digests are in it already: print it, or check it with build-digests validate",
    ),
}


def inspect_files(
    metadata_file: Path,
    record_file: Path | None,
    outputs: Sequence[str],
    tags: Sequence[str],
    *,
    push: bool,
    load: bool,
    cache_to: Sequence[str] = (),
) -> tuple[AttributedBuild, list[str]]:
    """Return the digest of each exporter and cache of a build.

    Args:
        metadata_file: the file that `--metadata-file` wrote.
        record_file: a file with the build's record, which may contain other records too, or None.
        outputs: the build's outputs, in their order.
        tags: the build's tags.
        push: whether the build had `--push`.
        load: whether the build had `--load`.
        cache_to: the build's entries of `--cache-to`, in their order.

    Returns:
        The build with its exporters and caches; and warnings, such as why digests are missing.

    Raises:
        DocumentError: the metadata file is invalid.
        InputError: an output or a cache breaks a rule, the record cannot be read, the metadata file is of another kind,
            or the outputs of the build are not known.
        DisagreementError: two sources claim different images for one exporter.
    """
    requested = requested_exporters(parse_outputs(outputs, source="--output"), tags=tuple(tags), push=push, load=load)
    entries = parse_caches(cache_to, source="--cache-to")
    read = read_metadata_file(metadata_file)
    _check_kind(metadata_file, read)
    for fault in read.faults:
        raise fault
    metadata = read.build.metadata
    ref = metadata.ref
    record = None
    if record_file is not None:
        try:
            record = read_record(record_file, build_id(ref) if ref else None)
        except EvidenceError as error:
            raise InputError("--record", str(error), "name the file that docker buildx history export wrote") from None
        _check_same_build(metadata_file, metadata, record)
    # Without any output on the command line, the evidence lists the exporters.
    if requested.may_default:
        requested = _listed_exporters(metadata_file, metadata, record)
    artifacts, missing = collect_artifacts(requested, Path(), package_readers(), shared_files({"": requested}, Path()))
    if record is None:
        missing.append("no --record was given")
    evidence = BuildEvidence(metadata, record, artifacts, tuple(missing), is_multi_node(metadata))
    attribution = attribute(requested, with_engine_facts(evidence, requested, _prove))
    warnings = deviation_warnings(read.deviations) + missing_digests(attribution)
    warnings += _changed_tars(attribution.exporters, metadata_file)
    status_log = _status_log(record_file, ref) if record_file is not None and needs_status_log(entries) else None
    several = CacheEvidence(status_log, partial(holds, Path()))
    warnings += missing_caches(entries, evidence, several)
    return AttributedBuild(ref, attribution.exporters, attribute_caches(entries, evidence, several)), warnings


def _changed_tars(exporters: Sequence[AttributedExporter], metadata_file: Path) -> Iterator[str]:
    """Yield a warning for each tar that alone gives a digest and was changed after the metadata file was written.

    buildx writes the metadata file last. It is a warning only, because copies of files can have other times.
    """
    for exporter in exporters:
        if (
            exporter.evidence == "artifact"
            and exporter.dest
            and _changed(Path(exporter.dest)) > _changed(metadata_file)
        ):
            yield (
                f"exporter {exporter.key}: {exporter.dest} was changed after {metadata_file} was written; if another "
                "build wrote it, the digest is of that build: name the build's record (--record)"
            )


def _changed(file: Path) -> float:
    """Return when a file was changed, in seconds since 1970; 0 if that is not known."""
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _check_same_build(file: Path, metadata: Metadata, record: Record) -> None:
    """Check that a record is of the build of a metadata file, by its images if one of them does not name its build.

    buildx before 0.13 writes no `buildx.build.ref`. With several outputs the record is then the only evidence of each
    digest, and the record of another build would give wrong ones.
    """
    if metadata.ref and record.ref:
        return
    made, images = metadata.merged.image.digest, [each.digest for each in record.images.values()]
    if made and images and None not in images and made not in images:
        problem = f"it is of another build: its images are {', '.join(map(str, images))}, and {file} has {made}"
        raise InputError("--record", problem, "name the record of the build that wrote the metadata file")


def _status_log(record_file: Path, ref: str | None) -> StatusLog | None:
    """Return the status log of a build from the file with its record, or None if it is not in it."""
    status_logs = package_readers().status_logs(record_file)
    return next((status_log for status_log in status_logs if ref is not None and status_log.ref == build_id(ref)), None)


def _check_kind(file: Path, read: MetadataFile) -> None:
    """Check that a file is the metadata file of a build, and not a results file or the metadata file of a bake.

    The schema of a metadata file allows unknown keys, so such a file looks like the metadata of a build without images.
    """
    metadata = read.build.metadata
    if metadata.ref is not None or metadata.separate is not None or metadata.merged.image.digest:
        return
    provide(SCHEMAS)
    from action.documents.schema import guess_schema  # noqa: PLC0415  # saves its import for most files

    kind = guess_schema(read_document(file).value)
    if kind in _OTHER_KINDS:
        name, advice = _OTHER_KINDS[kind]
        raise InputError(str(file), f"it is {name}, not the metadata file of a build", advice)


def _listed_exporters(file: Path, metadata: Metadata, record: Record | None) -> Requested:
    """Return the exporters that the evidence lists, for a build whose outputs the user did not name.

    Raises:
        InputError: there is a digest, and it is not known which exporter it belongs to.
    """
    if metadata.separate is not None:
        responses = metadata.separate
        found = [(each.type, each.id, {"name": ",".join(each.names or ())}) for each in responses]
        return _exporters_found(found)
    if record is not None and record.exporters:
        return exporters_of_record(record)
    image = metadata.merged.image
    if made := image.digest or image.imageid:
        rule = "name the build's outputs (--output, --push, --load) or its record (--record)"
        raise InputError(str(file), f"it does not say which output made {made}", rule)
    return requested_exporters(())


def exporters_of_record(record: Record) -> Requested:
    """Return the exporters that a record lists."""
    return _exporters_found([(each.type, None, each.attributes or {}) for each in record.exporters])


def _exporters_found(found: Sequence[tuple[str | None, str | None, Mapping[str, str]]]) -> Requested:
    given = [identifier or attributes.get("id") or "" for _, identifier, attributes in found]
    # An ID that two exporters share identifies neither. buildx accepts any text as an ID, even one that is no key.
    counts = Counter(given)
    ids = [each if is_id(each) and counts[each] == 1 else None for each in given]
    outputs = [
        Output(
            index=index,
            type="image" if kind in {None, "", "moby"} else str(kind),
            id=ids[index],
            dest=None,
            attributes={name: value for name, value in attributes.items() if name != "id"},
        )
        for index, (kind, _, attributes) in enumerate(found)
    ]
    return requested_exporters(outputs)


def _prove(ref: str | None, image: Image, repositories: frozenset[str]) -> frozenset[str]:
    try:
        buildx = find_buildx(os.environ)
    except ProgramError:
        return frozenset()
    return proved_digests(buildx, os.environ, ref, image, repositories)
