"""The results of builds from their records alone: a file of `docker buildx history export`, or of Docker Desktop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from action.dataclass import dataclass
from action.errors import EvidenceError, InputError
from action.evidence.record import Record, RecordedRun
from action.evidence.record_file import read_records
from action.exporters.attributed import AttributedBuild, AttributedExporter
from action.exporters.attribution import attribute
from action.exporters.build_evidence import BuildEvidence
from action.exporters.output import parse_outputs
from action.exporters.requested import requested_exporters
from action.oci.image import INDEX_TYPES, Image
from action.pipeline.conclude import missing_digests
from action.pipeline.inspect import exporters_of_record

UNKNOWN_TYPE = "unknown"
"""The type of an exporter of which a record has only the result."""

_BEGINNINGS = (b"\x1f\x8b", b"PK")
"""The first bytes of gzip, which buildx compresses records with, and of zip, in which GitHub serves artifacts."""

_TAR_MAGIC = slice(257, 262)
_HEAD = 512
_ADVICE = "name a file that docker buildx history export wrote, or the artifact of a build"


@dataclass(frozen=True)
class InspectedRecord:
    """A build record and what its exporters made.

    Attributes:
        name: the reference of the build, the last part of `builder/node/ref`; `record 2` if the record has none. No two
            records of a file have the same name.
        run: what the record says of the build as a whole.
        build: the build's exporters.
    """

    name: str
    run: RecordedRun
    build: AttributedBuild

    @property
    def state(self) -> str:
        """Whether the build `completed`, `failed`, or is `unfinished`."""
        return "failed" if self.run.failed else "completed" if self.run.ended else "unfinished"

    @property
    def created(self) -> str | None:
        """When the build started, such as `2026-11-24T12:30:00Z`, or None if that is not known."""
        try:
            created = self.run.created and datetime.fromtimestamp(self.run.created, timezone.utc)
        except (ValueError, OverflowError, OSError):
            return None
        return f"{created:%Y-%m-%dT%H:%M:%SZ}" if created else None


def is_record(file: Path) -> bool:
    """Return whether a file is a build record, or another archive, and not JSON."""
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
    except OSError:
        return False
    return head.startswith(_BEGINNINGS) or head[_TAR_MAGIC] == b"ustar"


def inspect_records(
    file: Path, outputs: Sequence[str], tags: Sequence[str], *, push: bool, load: bool
) -> tuple[list[InspectedRecord], list[str]]:
    """Return what the exporters of each build of a file made.

    Args:
        file: a file with one record or several.
        outputs: the outputs of the build, in their order, if the file has one record; none to take them from it.
        tags: the tags of that build.
        push: whether that build had `--push`.
        load: whether that build had `--load`.

    Returns:
        The builds, in the order of the file; and warnings, such as why digests are missing.

    Raises:
        InputError: the file is not a record, an output breaks a rule, or outputs are given for several records.
    """
    requested = requested_exporters(parse_outputs(outputs, source="--output"), tags=tuple(tags), push=push, load=load)
    records = _read(file)
    if len(records) > 1 and not requested.may_default:
        rule = "leave out --output, --tag, --push and --load: each record lists its own exporters"
        raise InputError(str(file), f"it has {len(records)} records", rule)
    inspected: list[InspectedRecord] = []
    taken: set[str] = set()
    warnings: list[str] = []
    for number, record in enumerate(records, 1):
        name = _name(record, number, taken)
        taken.add(name)
        prefix = f"{name}: " if len(records) > 1 else ""
        if requested.may_default and not record.exporters:
            build = AttributedBuild(None, tuple(_by_position(*each) for each in sorted(record.images.items())))
            found = [_why_nothing_is_listed(record)] if not record.run.failed else []
        else:
            evidence = BuildEvidence(record=record, missing=("the record has no result of it",))
            attribution = attribute(exporters_of_record(record) if requested.may_default else requested, evidence)
            build = AttributedBuild(None, attribution.exporters)
            # A failed build exports nothing, so that a missing digest needs no warning.
            found = [] if record.run.failed else missing_digests(attribution)
        if record.run.failed:
            found.append(f"the build failed: {record.run.error or 'the record does not say why'}")
        inspected.append(InspectedRecord(name, record.run, build))
        warnings += [prefix + warning for warning in found]
    return inspected, warnings


def _read(file: Path) -> list[Record]:
    try:
        with file.open("rb") as opened:
            is_zip = opened.read(2) == b"PK"
    except OSError as error:
        raise InputError(str(file), f"it cannot be read: {error.strerror}", _ADVICE) from None
    if is_zip:
        raise InputError(str(file), "it is a zip, as GitHub serves artifacts", "unpack it, and name the file in it")
    try:
        records = read_records(file)
    except EvidenceError as error:
        raise InputError("inspect", str(error), _ADVICE) from None
    if not records:
        raise InputError(str(file), "it has no build record; it may be an image", _ADVICE)
    return records


def _name(record: Record, number: int, taken: set[str]) -> str:
    name = record.ref or f"record {number}"
    # A file of Docker Desktop can contain a build twice.
    return f"{name} ({number})" if name in taken else name


def _by_position(position: int, image: Image) -> AttributedExporter:
    """Return the exporter at a position of a record that has results and lists no exporters (BuildKit before 0.14)."""
    is_index = image.descriptor is not None and image.descriptor.media_type in INDEX_TYPES
    return AttributedExporter(
        key=str(position),
        index=position,
        id=None,
        type=UNKNOWN_TYPE,
        names=(),
        push=False,
        dest=None,
        digest=image.digest,
        imageid=image.imageid or (image.digest if is_index else None),
        descriptor=image.descriptor,
        platforms=image.platforms,
        evidence="record",
        size=image.size,
    )


def _why_nothing_is_listed(record: Record) -> str:
    if record.images:
        return "the record has results and does not say which exporters made them: update BuildKit to 0.14 or later"
    return "the record says neither which exporters ran nor what they made: update BuildKit to 0.14 or later"
