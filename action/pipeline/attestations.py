"""The files of the input `attestations`: the SBOM and provenance of each exporter's image, byte for byte.

They are read from the tar or folder that an output wrote, or else from BuildKit's content store. From a registry only
indexes and manifests are read: `imagetools inspect --raw` refuses a statement, whose `subject` is a list (buildx 0.29).
The provenance in the build record is not used, because it describes the build and not the image of an exporter.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from action.buildx.imagetools import Registries
from action.buildx.request import Request
from action.dataclass import dataclass, replace
from action.errors import BuildDigestsError, EvidenceError, SlowEvidenceError
from action.evidence.record import is_pipe_or_device
from action.exporters.attributed import AttributedExporter, references
from action.exporters.output import ARTIFACT_TYPES, FILE_TYPES, STDOUT
from action.inputs.merge import RETRY_POLICY
from action.oci.content import MISSING, Statement, check_size, find_statements
from action.oci.layout import open_layout, read_long_blob
from action.oci.reference import check_digest
from action.pipeline.compared_images import builder_of
from action.pipeline.live_source import LiveSource
from action.pipeline.run_result import RunResult
from action.process.log import Log

_MAX_NAME = 100
_UNSAFE = re.compile("[^A-Za-z0-9_.-]")
_KINDS = {"provenance": "provenance", "sbom": "SBOM"}
_UNAFFECTED = "the build and its outputs are not affected"


def with_attestations(
    result: RunResult, folder: Path, name: str, live: LiveSource | None, registries: Registries
) -> RunResult:
    """Write the attestations of each exporter's image to files; return the result with notices and warnings.

    Args:
        result: the result of the run.
        folder: the folder that the run's paths are relative to.
        name: the folder for the files, as the user wrote it.
        live: reads from BuildKit's content store, or None.
        registries: reads indexes that BuildKit no longer has; its log gets a line for each file.
    """
    builds = result.builds or {}
    lacking: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    warnings: list[str] = []
    targets = _safe_names(builds)
    for target, build in builds.items():
        keys = _safe_names(each.key for each in build.exporters)
        for exporter in build.exporters:
            if exporter.type in FILE_TYPES or exporter.digest is None:
                continue
            what = f"target {target}: exporter {exporter.key}" if target else f"exporter {exporter.key}"
            place = [*([targets[target]] if result.bake else []), keys[exporter.key]]
            try:
                kinds = _write(
                    _Image(exporter, exporter.digest, build.ref, folder, live, registries), Path(folder, name), place
                )
            except BuildDigestsError as error:
                if isinstance(error, SlowEvidenceError):
                    # A node that does not answer is not asked again: each target of a bake would wait for it.
                    live = None
                warnings.append(
                    f"attestations: those of {what} ({exporter.type}) are not all written: {error}; {_UNAFFECTED}"
                )
                continue
            for kind in lacking.keys() - kinds:
                lacking[kind].append(what)
    notices = [
        f"attestations: there is no {_KINDS[kind]} in the image of {', '.join(without)}: set the input {kind} to true"
        for kind, without in lacking.items()
        if without
    ]
    return replace(result, notices=(*result.notices, *notices), warnings=(*result.warnings, *warnings))


def registries_of(request: Request, buildx: tuple[str, ...], log: Log) -> Registries:
    """Return the registries of a run, with its builder's settings.

    Args:
        request: what was run.
        buildx: the command that runs buildx.
        log: the destination of the log.
    """
    return Registries(buildx, os.environ, builder_of(request), RETRY_POLICY, log)


@dataclass(frozen=True)
class _Image:
    """The image of an exporter, and the places that its parts are read from."""

    exporter: AttributedExporter
    digest: str
    ref: str | None
    folder: Path
    live: LiveSource | None
    registries: Registries

    def blob(self, digest: str) -> bytes | None:
        """Return a blob, checked against its digest, or None if no source has it."""
        exporter = self.exporter
        if exporter.type in ARTIFACT_TYPES and exporter.dest not in {None, STDOUT}:
            file = self.folder / str(exporter.dest)
            if not is_pipe_or_device(file):
                with open_layout(file) as layout:
                    return read_long_blob(layout, digest)
        if self.live is None or self.ref is None:
            return None
        return self.live.blob(self.ref, digest)

    def document(self, digest: str) -> bytes | None:
        """Return an index or manifest, from the registry too if the image was pushed, or None if no source has it."""
        data = self.blob(digest)
        if data is None and (pushed := references((self.exporter,))):
            reference = f"{pushed[0].partition('@')[0]}@{digest}"
            data = self.registries.manifest(reference)
            check_digest(data, digest, reference)
        return data


def _write(image: _Image, folder: Path, place: Sequence[str]) -> set[str]:
    """Write the statements about an image; return their kinds."""
    source = f"{image.exporter.type} {image.digest}"
    statements = find_statements(image.digest, image.document, source)
    for statement, name in zip(statements, statement_files(statements), strict=True):
        check_size(statement, source)
        data = image.blob(statement.digest)
        if data is None or len(data) != statement.size:
            raise EvidenceError(f"{source}: the attestation {statement.digest} is missing; {MISSING}")
        file = _write_below(folder, (*place, *name), data)
        image.registries.log.write_line(f"attestation {statement.digest}: {file}")
    return {statement.kind for statement in statements}


def statement_files(statements: Sequence[Statement]) -> list[tuple[str, str]]:
    """Return the folder and the file of each statement; a second one of the same kind is `sbom-2.json`.

    Args:
        statements: the statements about one image.
    """
    subjects = dict.fromkeys((each.platform or "unknown", each.subject) for each in statements)
    seen: set[str] = set()
    folders = {}
    for platform, subject in subjects:
        # An image for Windows can have several manifests for one platform, for different versions of Windows.
        again = platform in seen
        seen.add(platform)
        name = platform.replace("/", "-")
        folders[platform, subject] = f"{name}-{_hash(subject)}" if again else name
    safe = _safe_names(folders.values())
    counts: dict[tuple[str, str], int] = {}
    files = []
    for each in statements:
        folder = safe[folders[each.platform or "unknown", each.subject]]
        count = counts[folder, each.kind] = counts.get((folder, each.kind), 0) + 1
        files.append((folder, f"{each.kind}-{count}.json" if count > 1 else f"{each.kind}.json"))
    return files


def _safe_names(names: Iterable[str]) -> dict[str, str]:
    """Return a folder name for each name, of letters, digits, `_`, `.` and `-`.

    No two of them differ only in case, because some file systems ignore that. A name that has to be changed gets a hash
    of the original at its end.
    """
    safe: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        changed = _UNSAFE.sub("_", name)[:_MAX_NAME].lstrip(".")
        if changed != name or not name or name.endswith(".") or name.lower() in taken:
            changed = f"{changed.rstrip('.')}-{_hash(name)}"
        taken.add(changed.lower())
        safe[name] = changed
    return safe


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _write_below(folder: Path, place: Sequence[str], data: bytes) -> Path:
    """Write a file below a folder without following a link, and return its path.

    Args:
        folder: the folder, which is made if it is missing.
        place: the names of the subfolders and of the file.
        data: the content.
    """
    path = folder
    try:
        path.mkdir(parents=True, exist_ok=True)
        for part in place[:-1]:
            path /= part
            path.mkdir(exist_ok=True)
            if path.is_symlink():
                raise EvidenceError(f"{path} is a link; remove it, since it could lead to any place")
        file = path / place[-1]
        # Written beside it and renamed: a link of that name is replaced and not followed.
        new = path / f".{place[-1]}-{os.urandom(8).hex()}"
        _write_and_rename(new, file, data)
    except OSError as error:
        raise EvidenceError(f"{error.filename or path} cannot be written: {error.strerror}") from None
    return file


def _write_and_rename(new: Path, file: Path, data: bytes) -> None:
    try:
        with new.open("xb") as opened:
            opened.write(data)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
