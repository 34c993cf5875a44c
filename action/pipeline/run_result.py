"""What became of a run: of a build, a bake or a merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from action.buildx.history import Records
from action.errors import BuildDigestsError

if TYPE_CHECKING:
    from action.results import BakeResults, BuildResults

ResultsT = TypeVar("ResultsT", "BuildResults", "BakeResults")


@dataclass(frozen=True)
class Trace:
    """What is left of a run of buildx.

    Attributes:
        known_refs: the builds, `builder/node/ref`, that buildx knew before it.
        contexts: bake target, or empty for a build, to its context as written; empty where that is not known.
        folder: the folder that it ran in, where contexts start from.
        log: the end of what it printed on standard error, empty where that was not captured.
        records: the records of its builds.
        builds: whether it built anything; with `call` there are no builds of its own.
        known_groups: the bakes that buildx knew before it.
    """

    known_refs: frozenset[str]
    contexts: Mapping[str, str]
    folder: Path
    log: str
    records: Records
    builds: bool = True
    known_groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RunResult(Generic[ResultsT]):
    """What became of a run.

    Attributes:
        results: every exporter with its digest, of a bake for each target; None where nothing can be said of them.
        metadata: the metadata file's text, or None where it is none.
        errors: what went wrong, the gravest first; a step or command that has one fails.
        warnings: digests and evidence that are missing, and why.
        notices: what the user may not expect.
        signal: the signal that ended the run, or None.
        trace: what is left of the run; None where buildx built nothing.
    """

    results: ResultsT | None
    metadata: str | None
    errors: tuple[BuildDigestsError, ...] = ()
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    signal: int | None = None
    trace: Trace | None = None
