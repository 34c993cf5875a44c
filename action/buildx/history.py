"""Gets a build's record out of BuildKit: `docker buildx history export` (buildx 0.23 and later)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from action.buildx.failures import last_error_line, plain
from action.errors import EvidenceError, NoRecordsError, ProgramError, SlowEvidenceError, SlowProgramError
from action.process.docker import find_plugin
from action.process.program import capture_output

EXPORT_SECONDS = 60.0
"""How long all exports of a run may take. One copies a few blobs, in 0.2 s on a machine at rest."""

_MORE_SECONDS = 1.0
"""How much longer they may take for each further record of a bake.

BuildKit adds to each record the trace of the whole bake, 3 s after its target's end (BuildKit 0.25,
solver/llbsolver/history.go), and buildx rewrites it (util/desktop/bundle/trace.go). So the time grows with the square
of the number of targets: 0.5 s of processor time for each record of a bake of 20 targets, and 2 s of one of 100.
`--finalize` makes BuildKit write the trace at once, and so makes this slower.
"""

_FIRST_CHUNK, _LARGEST_CHUNK = 4, 32
_CHUNK_SECONDS = 5.0
"""How long the export of several records at once should take: if the time is over, all of them are missing."""

_REF = re.compile(r"(?P<builder>[^/\s]+)/(?P<node>[^/\s]+)/(?P<id>[a-z0-9]+)")


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
        environment: its whole environment.
        refs: `buildx.build.ref` of each build: `builder/node/ref`, all of one builder.
        file: where to write the record, an OCI image layout as a tar.
        seconds: how long it may take.

    Raises:
        SlowEvidenceError: it took too long.
        NoRecordsError: this buildx exports no records, or this BuildKit keeps none.
        EvidenceError: there is no record to be had, and why.
    """
    parsed = []
    for ref in refs:
        parts = _REF.fullmatch(ref)
        if not parts:
            message = f"the build's reference {ref!r} has not the form builder/node/ref"
            raise EvidenceError(message)
        parsed.append(parts)
    ids = [parts["id"] for parts in parsed]
    command = (*buildx, "history", "export", "--builder", parsed[0]["builder"], *ids, "--output", str(file))
    try:
        ended = capture_output(command, environment, seconds=seconds)
    except SlowProgramError as error:
        raise SlowEvidenceError(str(error)) from None
    except ProgramError as error:
        raise EvidenceError(str(error)) from None
    if ended.code == 0 and file.is_file():
        return
    said = last_error_line(plain(ended.stderr)) or f"exit code {ended.code}"
    if re.search(r"unknown (flag|command|shorthand)", ended.stderr) or "Usage:" in ended.stdout:
        message = "this buildx cannot export build records: install buildx 0.23 or later"
        raise NoRecordsError(message)
    if "code = Unimplemented" in said:
        message = "this BuildKit keeps no build records: update it to 0.14 or later (Docker 27)"
        raise NoRecordsError(message)
    message = f"buildx could not export the build's record: {said}"
    raise EvidenceError(message)


class Records:
    """The records of a run's builds. Each is exported once, and all exports together have a time limit.

    Args:
        buildx: the command that runs buildx.
        environment: its whole environment.
        folder: where the files are kept.
        seconds: how long the exports may take in all, before what each record after the first adds to it.
    """

    def __init__(
        self, buildx: tuple[str, ...], environment: Mapping[str, str], folder: Path, *, seconds: float = EXPORT_SECONDS
    ) -> None:
        self._buildx = buildx
        self._environment = environment
        self._folder = folder
        self._seconds = seconds
        self._files: dict[frozenset[str], Path] = {}
        self._calls = 0
        self._known: set[str] = set()
        self._given_up: EvidenceError | None = None

    def file(self, refs: Sequence[str]) -> Path:
        """Return one file with the records of some builds, all of one builder.

        Args:
            refs: `builder/node/ref` of each.

        Raises:
            SlowEvidenceError: it took too long, now or earlier; it is not tried again.
            EvidenceError: there is no record to be had, and why.
        """
        key = frozenset(refs)
        self._allow(key)
        if key not in self._files:
            self._files[key] = self._export(refs, self._seconds)
        return self._files[key]

    def files(self, refs: Sequence[str], *, seconds: float | None = None) -> Iterator[Path]:
        """Yield files that together hold the records of some builds. If a record is missing, it is in none.

        Args:
            refs: `builder/node/ref` of each.
            seconds: how long to wait for them in all, if that is less than what is left for all exports.

        Raises:
            SlowEvidenceError: the time is over; the records that are not in the files so far are not tried again.
            NoRecordsError: this buildx exports no records, or this BuildKit keeps none.
        EvidenceError: the record of the one build asked for is missing, and why.
        """
        self._allow(refs)
        wanted = list(dict.fromkeys(refs))
        for held, known in list(self._files.items()):
            if not held.isdisjoint(wanted):
                wanted = [ref for ref in wanted if ref not in held]
                yield known
        left = self._seconds if seconds is None else seconds
        size = _FIRST_CHUNK
        while wanted:
            builder = wanted[0].partition("/")[0]
            chunk = [ref for ref in wanted if ref.partition("/")[0] == builder][:size]
            wanted = [ref for ref in wanted if ref not in chunk]
            started = time.monotonic()
            try:
                self._files[frozenset(chunk)] = self._export(chunk, min(left, self._seconds))
            except (SlowEvidenceError, NoRecordsError):
                raise
            except EvidenceError:
                # At least one of them is missing; whoever needs a digest asks for each by itself.
                if len(refs) == 1:
                    raise
            took = time.monotonic() - started
            left -= took
            size = max(1, min(_LARGEST_CHUNK, int(len(chunk) * _CHUNK_SECONDS / max(took, 0.01))))
            if file := self._files.get(frozenset(chunk)):
                yield file

    def _allow(self, refs: Iterable[str]) -> None:
        new = set(refs) - self._known
        self._seconds += _MORE_SECONDS * (len(new) - (not self._known))
        self._known |= new

    def _export(self, refs: Sequence[str], seconds: float) -> Path:
        if self._given_up is not None:
            raise self._given_up
        if seconds <= 0:
            raise SlowEvidenceError("the time for all build records of the run is over")
        self._calls += 1
        file = self._folder / f"records-{self._calls}.dockerbuild"
        started = time.monotonic()
        try:
            self._export_with_either(refs, file, seconds)
        except (SlowEvidenceError, NoRecordsError) as error:
            self._given_up = error
            raise
        finally:
            self._seconds -= time.monotonic() - started
        return file

    def _export_with_either(self, refs: Sequence[str], file: Path, seconds: float) -> None:
        if plugin := find_plugin(self._environment):
            try:
                export_record(plugin, self._environment, refs, file, seconds=seconds)
            except SlowEvidenceError:
                raise
            except EvidenceError:
                # What docker runs may be another one.
                file.unlink(missing_ok=True)
            else:
                return
        export_record(self._buildx, self._environment, refs, file, seconds=seconds)
