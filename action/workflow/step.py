"""What the steps of the actions share: the way in, the way out, and the results file."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from action.buildx.program import find_buildx
from action.buildx.signals import Interrupted, end_by_signal, ending_on_signals
from action.buildx.version import GIT_QUERY, is_at_least
from action.errors import FAILED, BuildDigestsError
from action.outcome import Outcome
from action.workflow import commands
from action.workspace import runner_temporary_folder

if TYPE_CHECKING:
    from action.results.models import BakeResults, BuildResults


def guarded(step: Callable[[], int]) -> int:
    """Run a step: an error of ours becomes a workflow command and an exit code, a signal ends the process."""
    try:
        with ending_on_signals():
            return step()
    except BuildDigestsError as error:
        commands.error(str(error))
        return error.exit_code
    except Interrupted as interrupted:
        end_by_signal(interrupted.number)
        return FAILED


def sends_query() -> bool:
    """Whether buildx takes the query form of a Git URL."""
    return is_at_least(find_buildx(), os.environ, GIT_QUERY)


def mask_all(secrets: Iterable[str]) -> None:
    """Have the runner mask secrets."""
    for secret in secrets:
        commands.mask(secret)


def print_arguments(arguments: tuple[str, ...]) -> int:
    """Print buildx's arguments as a JSON array; the exit code of a dry run."""
    sys.stdout.write(json.dumps(arguments) + "\n")
    return 0


def end(outcome: Outcome[BuildResults] | Outcome[BakeResults], outputs: Mapping[str, str]) -> int:
    """Say what became of a run and set the step's outputs; the exit code."""
    for notice in outcome.notices:
        commands.notice(notice)
    for warning in outcome.warnings:
        commands.warning(warning)
    commands.set_outputs(outputs)
    for error in outcome.errors:
        commands.error(str(error))
    if outcome.signal is not None:
        raise Interrupted(outcome.signal)
    return outcome.errors[0].exit_code if outcome.errors else 0


def show_digests(digests: Mapping[str, Mapping[str, str]], keys: Mapping[str, Iterable[str]]) -> None:
    """Print the digest of every exporter in a group of the log; `keys` are all of a target's, without a digest too."""
    lines = [
        f"{' '.join(part for part in (target, key) if part)}: {digests[target].get(key, 'no digest')}\n"
        for target, all_keys in keys.items()
        for key in all_keys
    ]
    if lines:
        with commands.group("Digests"):
            sys.stdout.write("".join(lines))
            sys.stdout.flush()


def compact(value: object) -> str:
    """A value as JSON without white space."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def write_results(document: str) -> Path:
    """Write the results file where later steps of the job find it; the runner removes it with the job."""
    folder = (runner_temporary_folder() or Path(gettempdir())) / "build-digests"
    file = folder / f"results-{uuid.uuid4()}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(document + "\n", encoding="utf-8")
    except OSError as error:
        message = f"the results file {file} cannot be written: {error.strerror}"
        raise BuildDigestsError(message) from None
    return file
