"""The cases: programs that run the same build, and the bare build that each is compared with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.node import input_variables, main_of

ROOT = Path(__file__).resolve().parents[1]
_ACTIONS = {"build": ROOT, "bake": ROOT / "bake"}


_BAKES = (
    ("bake of 50", "50", 8),
    ("bake of 50 beside a target of 8 s", "50-slow", 4),
)
"""Each bake: its name in the table, that of its file, and how often it runs."""


@dataclass(frozen=True)
class Peer:
    """A checkout of docker/build-push-action, whose main step is run the way GitHub's runner runs it.

    Attributes:
        folder: the checkout, with its `dist` folder.
    """

    folder: Path

    @property
    def command(self) -> tuple[str, ...]:
        """The command of its main step."""
        return main_of(self.folder)

    def environment(self, inputs: Mapping[str, str], *, summary: bool) -> dict[str, str]:
        """Return the variables that a runner sets: one for each input, with the default if the input is not given.

        Args:
            inputs: input name to its text.
            summary: whether docker/build-push-action writes its summary and its record.
        """
        switches = dict.fromkeys(("DOCKER_BUILD_SUMMARY", "DOCKER_BUILD_RECORD_UPLOAD"), str(summary).lower())
        return {**input_variables(self.folder, inputs), **switches}


@dataclass(frozen=True)
class Case:
    """A program that is measured.

    Attributes:
        name: its name.
        command: the program and its arguments.
        environment: its whole environment.
        against: the name of the case that it is compared with: of its bare build or of a warm step; a bare build has
            its own name.
        rounds: the largest number of runs, or None for as many as the other cases.
        before: is called before each run, or None.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    against: str
    rounds: int | None = None
    before: Callable[[], None] | None = None


@dataclass(frozen=True)
class Bench:
    """The place where cases run.

    Attributes:
        folder: the folder with the files of the builds, the workspace.
        beside: the folder for the runner's own: steps keep no packages in the workspace.
        registry: the address of the registry that the builds push to.
        index: the URL of the package index.
        github: GITHUB_API_URL of a local stand-in for GitHub's API.
        token: a token that this stand-in accepts.
        peer: docker/build-push-action, or None.
    """

    folder: Path
    beside: Path
    registry: str
    index: str
    github: str
    token: str
    peer: Peer | None = None

    def install(self) -> None:
        """Install the action's packages for the warm steps, with each installer, so that the index has all answers."""
        path = _with_this_python(os.environ["PATH"])
        for searched in (_without_uv(path), _with_uv(path)):
            environment = {**self._environment(), "PATH": searched}
            shutil.rmtree(environment["RUNNER_TOOL_CACHE"], ignore_errors=True)
            command = (sys.executable, "-I", "-S", str(ROOT / "action" / "start.py"), "install")
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)

    def cases(self) -> list[Case]:
        """Return every case; of each kind the bare build comes first."""
        one = (f"type=image,name={self.registry}/bench:one,push=true",)
        three = (
            f"type=image,name={self.registry}/bench:three,push=true,id=release",
            "type=oci,dest=oci.tar",
            "type=docker,dest=docker.tar",
        )
        return [
            *self._builds("one output", one),
            *self._builds("three outputs", three),
            *self._longer(one),
            *self._colds(one),
            *self._bakes(),
        ]

    def _builds(self, kind: str, outputs: Sequence[str]) -> list[Case]:
        bare = self._bare(kind, outputs, "Dockerfile")
        step = self._step(f"action, {kind}", bare.name, "build", self._inputs(outputs, "Dockerfile"))
        cases = [bare, step, replace(step, name=f"{step.name}, summary", environment=self._with_summary(step))]
        if self.peer is not None:
            inputs = {"context": ".", "outputs": "\n".join(outputs), "provenance": "false", "github-token": "none"}
            for name, summary in (("summary off", False), ("summary on", True)):
                environment = {**self._environment(), **self.peer.environment(inputs, summary=summary)}
                cases.append(Case(f"peer, {kind}, {name}", self.peer.command, environment, bare.name))
        return cases

    def _longer(self, outputs: Sequence[str]) -> list[Case]:
        bare = self._bare("1 s longer", outputs, "waits-1.Dockerfile")
        inputs = self._inputs(outputs, "waits-1.Dockerfile")
        step = self._step("action, 1 s longer", bare.name, "build", inputs)
        comment = self._step("action, 1 s longer, summary, comment", bare.name, "build", {**inputs, "comment": "true"})
        return [bare, step, replace(comment, environment=self._with_summary(comment))]

    def _bakes(self) -> list[Case]:
        options = ("--allow", "fs=*", "--set", "*.attest=type=provenance,disabled=true")
        inputs = {
            "source": ".",
            "set": "*.attest=type=provenance,disabled=true",
            "provenance": "false",
            "summary": "false",
        }
        cases = []
        for kind, name, rounds in _BAKES:
            file = f"bake-{name}.json"
            command = ("docker", "buildx", "bake", "--metadata-file", "metadata.json", "--file", file, *options)
            bare = Case(f"bare, {kind}", command, self._environment(), f"bare, {kind}", rounds=rounds)
            step = self._step(f"action, {kind}", bare.name, "bake", {**inputs, "files": file})
            cases += [bare, replace(step, rounds=rounds)]
        return cases

    def _colds(self, outputs: Sequence[str]) -> list[Case]:
        """Return a step with all packages, and the same with an empty tool cache and each installer."""
        bare = self._bare("3 s longer", outputs, "waits-3.Dockerfile")
        warm = self._step("action, 3 s longer", bare.name, "build", self._inputs(outputs, "waits-3.Dockerfile"))
        warm = replace(warm, environment=self._with_summary(warm))
        cases = [bare, warm]
        path = _with_this_python(os.environ["PATH"])
        for installer, searched in (("pip", _without_uv(path)), ("uv", _with_uv(path))):
            cache = self.beside / f"cold-{installer}"
            environment = {
                **warm.environment,
                "PATH": searched,
                "RUNNER_TOOL_CACHE": str(cache / "tools"),
                "PIP_NO_CACHE_DIR": "1",
                "UV_CACHE_DIR": str(cache / "uv"),
            }
            cases.append(Case(f"cold, {installer}", warm.command, environment, warm.name, before=_removing(cache)))
        return cases

    def _bare(self, kind: str, outputs: Sequence[str], file: str) -> Case:
        name = f"bare, {kind}"
        command = (
            *("docker", "buildx", "build", "--metadata-file", "metadata.json", "--provenance", "false"),
            *(part for output in outputs for part in ("--output", output)),
            *("--file", file, "."),
        )
        return Case(name, command, self._environment(), name)

    def _step(self, name: str, against: str, step: str, inputs: Mapping[str, str]) -> Case:
        variables = input_variables(_ACTIONS[step], inputs)
        environment = {**self._environment(), **variables, "DOCKER_BUILD_CHECKS_ANNOTATIONS": "false"}
        return Case(name, main_of(_ACTIONS[step]), environment, against)

    def _inputs(self, outputs: Sequence[str], file: str) -> dict[str, str]:
        return {
            "context": ".",
            "file": file,
            "outputs": "\n".join(outputs),
            "provenance": "false",
            "github-token": self.token,
        }

    def _with_summary(self, case: Case) -> dict[str, str]:
        summary = {"GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"), "DOCKER_BUILD_CHECKS_ANNOTATIONS": "true"}
        return {**case.environment, **summary}

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "RUNNER_"))}
        return {
            **kept,
            "BUILDX_METADATA_WARNINGS": "true",
            "PATH": _with_this_python(os.environ["PATH"]),
            "PIP_FIND_LINKS": "",
            "PIP_INDEX_URL": self.index,
            "UV_DEFAULT_INDEX": self.index,
            "GITHUB_API_URL": self.github,
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "GITHUB_OUTPUT": str(self.folder / "outputs"),
            "GITHUB_REF": "refs/pull/7/merge",
            "GITHUB_REPOSITORY": "octo/app",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_SHA": "c0ffee" + "0" * 34,
            "GITHUB_STATE": str(self.folder / "state"),
            "GITHUB_WORKSPACE": str(self.folder),
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(self.beside / "temp"),
            "RUNNER_TOOL_CACHE": str(self.beside / "tools"),
        }


def _removing(folder: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(folder, ignore_errors=True)


def _without_uv(path: str) -> str:
    return os.pathsep.join(folder for folder in path.split(os.pathsep) if not Path(folder, "uv").exists())


def _with_this_python(path: str) -> str:
    # The first Python of the machine may be a shim that takes longer to start than the step.
    return os.pathsep.join((str(Path(sys.executable).resolve().parent), path))


def _with_uv(path: str) -> str:
    return os.pathsep.join((path, str(Path(sys.executable).parent)))
