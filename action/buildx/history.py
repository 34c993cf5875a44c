"""Gets a build's record out of BuildKit: `docker buildx history export` (buildx 0.23 and later)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from action.buildx.diagnosis import last_error_line, plain
from action.buildx.program import ask
from action.errors import EvidenceError, ProgramError

EXPORT_SECONDS = 60.0
"""How long the export may take: it copies a few blobs, in 0.2 s on a machine at rest."""

_REF = re.compile(r"(?P<builder>[^/\s]+)/(?P<node>[^/\s]+)/(?P<id>[a-z0-9]+)")


def export_record(buildx: tuple[str, ...], environment: Mapping[str, str], ref: str, file: Path) -> None:
    """Write the record of one build to a file.

    Args:
        buildx: the command that runs buildx.
        environment: its whole environment.
        ref: `buildx.build.ref` of the metadata file: `builder/node/ref`.
        file: where to write the record, an OCI image layout as a tar.

    Raises:
        EvidenceError: there is no record to be had, and why.
    """
    parts = _REF.fullmatch(ref)
    if not parts:
        message = f"the build's reference {ref!r} has not the form builder/node/ref"
        raise EvidenceError(message)
    command = (*buildx, "history", "export", "--builder", parts["builder"], parts["id"], "--output", str(file))
    try:
        ended = ask(command, environment, seconds=EXPORT_SECONDS)
    except ProgramError as error:
        raise EvidenceError(str(error)) from None
    if ended.code == 0 and file.is_file():
        return
    said = last_error_line(plain(ended.stderr)) or f"exit code {ended.code}"
    if re.search(r"unknown (flag|command|shorthand)", ended.stderr) or "Usage:" in ended.stdout:
        message = "this buildx cannot export build records: install buildx 0.23 or later"
        raise EvidenceError(message)
    message = f"buildx could not export the build's record: {said}"
    raise EvidenceError(message)
