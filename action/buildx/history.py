"""Gets a build's record out of BuildKit: `docker buildx history export` (buildx 0.23 and later)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from action.buildx.diagnosis import last_error_line, plain
from action.buildx.program import ask, find_plugin
from action.errors import EvidenceError, ProgramError, SlowEvidenceError, SlowProgramError

EXPORT_SECONDS = 60.0
"""How long the export may take: it copies a few blobs, in 0.2 s on a machine at rest."""

_MORE_SECONDS = 1.0
"""How much longer it may take for each record of a bake: each holds the trace of the whole bake."""

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
        ended = ask(command, environment, seconds=seconds)
    except SlowProgramError as error:
        raise SlowEvidenceError(str(error)) from None
    except ProgramError as error:
        raise EvidenceError(str(error)) from None
    if ended.code == 0 and file.is_file():
        return
    said = last_error_line(plain(ended.stderr)) or f"exit code {ended.code}"
    if re.search(r"unknown (flag|command|shorthand)", ended.stderr) or "Usage:" in ended.stdout:
        message = "this buildx cannot export build records: install buildx 0.23 or later"
        raise EvidenceError(message)
    if "code = Unimplemented" in said:
        message = "this BuildKit keeps no build records: update it to 0.14 or later (Docker 27)"
        raise EvidenceError(message)
    message = f"buildx could not export the build's record: {said}"
    raise EvidenceError(message)


class Records:
    """The records of a run's builds, each set of them exported once.

    Args:
        buildx: the command that runs buildx.
        environment: its whole environment.
        folder: where the files are kept.
    """

    def __init__(self, buildx: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> None:
        self._buildx = buildx
        self._environment = environment
        self._folder = folder
        self._files: dict[frozenset[str], Path] = {}
        self._slow: dict[frozenset[str], SlowEvidenceError] = {}

    def file(self, refs: Sequence[str], *, seconds: float = EXPORT_SECONDS) -> Path:
        """The file with the records of some builds, of one builder all.

        Args:
            refs: `builder/node/ref` of each.
            seconds: how long the export of one may take.

        Raises:
            SlowEvidenceError: it took too long; it is not tried again.
            EvidenceError: there is no record to be had, and why.
        """
        key = frozenset(refs)
        if key in self._slow:
            raise self._slow[key]
        if key not in self._files:
            file = self._folder / f"records-{len(self._files)}.dockerbuild"
            try:
                self._export(refs, file, seconds + _MORE_SECONDS * (len(refs) - 1))
            except SlowEvidenceError as error:
                self._slow[key] = error
                raise
            self._files[key] = file
        return self._files[key]

    def _export(self, refs: Sequence[str], file: Path, seconds: float) -> None:
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
