"""The result of a build, a bake or a merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from action.buildx.history import Records
from action.errors import BuildDigestsError
from action.exporters.attributed import AttributedBuild


@dataclass(frozen=True)
class Trace:
    """The traces of a run of buildx besides its metadata file.

    Attributes:
        known_refs: the builds, `builder/node/ref`, that buildx knew before the run.
        contexts: target name, empty for a build, to its context as written; empty if the contexts are not known.
        folder: the folder that buildx ran in, which contexts are relative to.
        log: the end of buildx's standard error; empty if that was not captured.
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
        builds: target name, empty for a build, to its exporters with their digests; None if nothing is known of them.
        metadata: the metadata file's text, or None if there is none.
        errors: why the step or command fails, the most important first; empty if it does not.
        warnings: for example why a digest is missing.
        notices: what may surprise the user.
        signal: the signal that ended the run, or None.
        trace: what the run left behind; None if buildx built nothing.
        bake: whether the run was a bake.
        lacks_packages: whether one of the warnings says that packages are missing, which a report needs too.
    """

    builds: Mapping[str, AttributedBuild] | None
    metadata: str | None
    errors: tuple[BuildDigestsError, ...] = ()
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    signal: int | None = None
    trace: Trace | None = None
    bake: bool = False
    lacks_packages: bool = False
