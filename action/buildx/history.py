"""BuildKit's records of builds, exported with `docker buildx history export` (buildx 0.23 and later)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from action.buildx.failures import error_line
from action.buildx.local_state import BuildRef
from action.errors import EvidenceError, NoRecordsError, ProgramError, SlowEvidenceError, SlowProgramError
from action.process.program import capture_output

EXPORT_SECONDS = 60.0
"""The time limit for all exports of a run, in seconds. One export takes 0.2 s on an idle machine."""

# The limit grows by this for each further record of a bake. BuildKit adds the trace of the whole bake to each record,
# 3 s after its target has ended (BuildKit 0.25, solver/llbsolver/solver.go), and buildx parses and writes each trace
# again to remove secrets (docker/buildx 0.36, util/desktop/bundle/trace.go). So the time grows with the square of the
# number of targets: one record takes 0.5 s of processor time in a bake of 20 targets, and 2 s in a bake of 100.
# `history export --finalize` is slower still: it makes BuildKit write the trace at once.
_SECONDS_PER_RECORD = 1.0

# The number of records in one export: small at first, then as many as the time of the exports before allows.
_FIRST_CHUNK = 4
_MAX_CHUNK = 32

# How long one export of several records should take. If it reaches the limit, all records of the call are lost.
_CHUNK_SECONDS = 5.0


def export_record(
    buildx: tuple[str, ...],
    environment: Mapping[str, str],
    refs: Sequence[str],
    file: Path,
    *,
    seconds: float = EXPORT_SECONDS,
) -> None:
    """Write the records of builds to one file.

    Args:
        buildx: the command that runs buildx.
        environment: buildx's whole environment.
        refs: `builder/node/ref` of each build, as in `buildx.build.ref`; all of one builder.
        file: the path to write to. The format is an OCI image layout as a tar.
        seconds: the time limit.

    Raises:
        SlowEvidenceError: the export did not end within the time limit.
        NoRecordsError: this buildx cannot export records, or this BuildKit keeps none.
        EvidenceError: a reference has another form, or buildx failed; the message gives the reason.
    """
    parsed: list[BuildRef] = []
    for text in refs:
        ref = BuildRef.parse(text)
        if ref is None:
            raise EvidenceError(f"the build's reference {text!r} does not have the form builder/node/ref")
        parsed.append(ref)
    ids = [ref.id for ref in parsed]
    command = (*buildx, "history", "export", "--builder", parsed[0].builder, *ids, "--output", str(file))
    try:
        ended = capture_output(command, environment, seconds=seconds)
    except SlowProgramError as error:
        raise SlowEvidenceError(str(error)) from None
    except ProgramError as error:
        raise EvidenceError(str(error)) from None
    if ended.code == 0 and file.is_file():
        return
    # buildx before 0.19 prints its usage for a subcommand that it does not know, and exits with 0.
    if re.search(r"unknown (flag|command|shorthand)", ended.stderr) or "Usage:" in ended.stdout:
        raise NoRecordsError("this buildx cannot export build records: install buildx 0.23 or later")
    message = error_line(ended)
    if "code = Unimplemented" in message:
        raise NoRecordsError("this BuildKit keeps no build records: update it to 0.14 or later (Docker 27)")
    raise EvidenceError(f"buildx could not export the build's record: {message}")


class Records:
    """The records of a run's builds. Each is exported once, within one time limit for all exports.

    Args:
        buildx: the command that runs buildx.
        environment: buildx's whole environment.
        folder: the folder for the exported files.
        seconds: the time limit for all exports of one record; each further record adds a second.
    """

    def __init__(
        self, buildx: tuple[str, ...], environment: Mapping[str, str], folder: Path, *, seconds: float = EXPORT_SECONDS
    ) -> None:
        self._buildx = buildx
        self._environment = environment
        self._folder = folder
        self._seconds_left = seconds
        self._files: dict[frozenset[str], Path] = {}
        self._exports = 0
        self._requested: set[str] = set()
        self._final_error: EvidenceError | None = None

    def file(self, refs: Sequence[str]) -> Path:
        """Return one file with the records of some builds, all of one builder.

        Args:
            refs: `builder/node/ref` of each build.

        Raises:
            SlowEvidenceError: this export or an earlier one reached the time limit; no further export is started.
            EvidenceError: a record is missing; the message gives the reason.
        """
        key = frozenset(refs)
        self._extend_limit(key)
        if key not in self._files:
            self._files[key] = self._export(refs, self._seconds_left)
        return self._files[key]

    def files(self, refs: Sequence[str], *, seconds: float | None = None) -> Iterator[Path]:
        """Yield files that together contain the records of some builds, without those that are missing.

        Args:
            refs: `builder/node/ref` of each build; they may be of several builders.
            seconds: a time limit for this call, or None if only the limit for all exports applies.

        Raises:
            SlowEvidenceError: a time limit is reached; records that were not yielded yet are not tried again.
            NoRecordsError: this buildx cannot export records, or this BuildKit keeps none.
            EvidenceError: `refs` is one build, and its record is missing; the message gives the reason.
        """
        self._extend_limit(refs)
        wanted = list(dict.fromkeys(refs))
        for exported, known in list(self._files.items()):
            if not exported.isdisjoint(wanted):
                wanted = [ref for ref in wanted if ref not in exported]
                yield known
        left = self._seconds_left if seconds is None else seconds
        size = _FIRST_CHUNK
        while wanted:
            builder = _builder(wanted[0])
            chunk = [ref for ref in wanted if _builder(ref) == builder][:size]
            wanted = [ref for ref in wanted if ref not in chunk]
            started = time.monotonic()
            try:
                self._files[frozenset(chunk)] = self._export(chunk, min(left, self._seconds_left))
            except (SlowEvidenceError, NoRecordsError):
                raise
            except EvidenceError:
                # buildx exports all records of a call or none (docker/buildx 0.36, commands/history/export.go), and
                # does not report which are missing. The caller requests each one that it needs by itself.
                if len(refs) == 1:
                    raise
            took = time.monotonic() - started
            left -= took
            size = max(1, min(_MAX_CHUNK, int(len(chunk) * _CHUNK_SECONDS / max(took, 0.01))))
            if file := self._files.get(frozenset(chunk)):
                yield file

    def _extend_limit(self, refs: Iterable[str]) -> None:
        """Add a second for each record that was not requested before, except for the first of all."""
        new = set(refs) - self._requested
        self._seconds_left += _SECONDS_PER_RECORD * (len(new) - (not self._requested))
        self._requested |= new

    def _export(self, refs: Sequence[str], seconds: float) -> Path:
        if self._final_error is not None:
            raise self._final_error
        if seconds <= 0:
            raise SlowEvidenceError("the time limit for all build records of the run is reached")
        self._exports += 1
        file = self._folder / f"records-{self._exports}.dockerbuild"
        started = time.monotonic()
        try:
            export_record(self._buildx, self._environment, refs, file, seconds=seconds)
        except (SlowEvidenceError, NoRecordsError) as error:
            self._final_error = error
            raise
        finally:
            # After an error too: many slow failures must not take longer than the limit.
            self._seconds_left -= time.monotonic() - started
        return file


def _builder(ref: str) -> str:
    parsed = BuildRef.parse(ref)
    return parsed.builder if parsed else ""
