"""The result of a run: of a build, a bake or a merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from action.buildx.history import Records
from action.errors import BuildDigestsError
from action.exporters.attributed import AttributedBuild


@dataclass(frozen=True)
class Trace:
    """What a run of buildx leaves behind besides its metadata file.

    Attributes:
        known_refs: the builds, `builder/node/ref`, that buildx knew before the run.
        contexts: bake target, or empty for a build, to its context as written; empty if that is not known.
        folder: the folder that buildx ran in, which relative contexts start from.
        log: the end of what buildx printed on standard error; empty if that was not captured.
        records: the records of the run's builds.
        builds: whether the run built anything; with `call` it has no builds of its own.
        known_groups: the bakes that buildx knew before the run.
    """

    known_refs: frozenset[str]
    contexts: Mapping[str, str]
    folder: Path
    log: str
    records: Records
    builds: bool = True
    known_groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RunResult:
    """The result of a run.

    Attributes:
        builds: target name to the exporters of its build with their digests; the name is empty for a build that is not
            of a bake. None if nothing is known of them.
        metadata: the metadata file's text, or None if there is none.
        errors: what went wrong, the gravest first; a step or command that has one fails.
        warnings: missing digests and evidence, and why they are missing.
        notices: what the user may not expect.
        signal: the signal that ended the run, or None.
        trace: what the run left behind; None if buildx built nothing.
        bake: whether the run was a bake.
    """

    builds: Mapping[str, AttributedBuild] | None
    metadata: str | None
    errors: tuple[BuildDigestsError, ...] = ()
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    signal: int | None = None
    trace: Trace | None = None
    bake: bool = False
