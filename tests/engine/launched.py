"""Steps that the launcher starts, as GitHub's runner does: it alone has the variables of the cache service."""

from __future__ import annotations

import re
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.node import input_variables, main_of
from tests.engine.conftest import ROOT, Step, Workplace, workplace
from tests.github_output import read_github_output
from tests.input_coverage import keep

ACTIONS = {"build": ROOT, "bake": ROOT / "bake"}

STAGES = """\
FROM scratch AS base
COPY hello.txt /base.txt
FROM scratch
COPY hello.txt /hello.txt
COPY --from=base /base.txt /copied.txt
"""
"""A layer of a stage and two of the image: `mode=max` caches all three, `mode=min` those of the image."""


@dataclass
class Launched:
    """A workplace whose steps are started by the launcher, with the variables of a cache service.

    Attributes:
        work: the workplace.
        variables: the variables that the runner gives to JavaScript actions alone.
        tool_cache: RUNNER_TOOL_CACHE.
    """

    work: Workplace
    variables: Mapping[str, str]
    tool_cache: Path

    def step(self, action: str = "build", /, **inputs: str) -> Step:
        """Run an action with inputs, `_` for `-` in their names."""
        defaults = {"context": "."} if action == "build" else {"source": "."}
        named = {name.replace("_", "-"): value for name, value in {**defaults, **inputs}.items()}
        work = self.work
        file = work.folder / f"outputs-{uuid.uuid4().hex}"
        file.touch()
        assert not [name for name in work.environment if name.startswith("ACTIONS_")]
        done = subprocess.run(
            main_of(ACTIONS[action]),
            cwd=work.folder,
            env={
                **work.environment,
                **input_variables(ACTIONS[action], named),
                **self.variables,
                "GITHUB_OUTPUT": str(file),
                "GITHUB_WORKSPACE": str(work.folder),
                "RUNNER_TOOL_CACHE": str(self.tool_cache),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if done.returncode == 0:
            keep(action, named)
        return Step(done.returncode, done.stdout + done.stderr, read_github_output(file))

    def built(self, action: str = "build", /, **inputs: str) -> Step:
        """Run an action that must succeed without a warning."""
        step = self.step(action, **inputs)
        assert step.code == 0, step.log
        assert "::warning::" not in step.log
        assert "::error::" not in step.log
        return step

    def on_another_engine(self, folder: Path, engine: Mapping[str, str]) -> Launched:
        """Return a copy of the files of the workplace, for an engine that has none of its layers."""
        folder.mkdir(exist_ok=True)
        other = workplace(folder, engine, self.work.registry)
        for file in self.work.folder.iterdir():
            if file.is_file() and not file.name.startswith("outputs-"):
                shutil.copy(file, other.folder)
        other.name = self.work.name
        return Launched(other, self.variables, self.tool_cache)


def cached_steps(step: Step) -> int:
    """Return how many instructions a build took from a cache: they are CACHED, or a layer is downloaded for them."""
    instructions = re.findall(r"^#(\d+) \[[^\]\n]*\d+/\d+\] ", step.log, re.MULTILINE)
    return sum(
        1 for number in set(instructions) if re.search(rf"^#{number} (?:CACHED$|sha256:)", step.log, re.MULTILINE)
    )
