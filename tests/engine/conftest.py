"""A real engine and a real registry: `make test` starts them, or uses those that are there (python -m engine)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from action.buildx.local_state import state_folder
from action.process.docker import find_buildx
from engine import EngineError
from engine.docker import private_docker
from engine.node import input_variables, main_of
from engine.packages import docker_root
from tests.cache_service import CacheService
from tests.engine.metadata_schema import check_metadata
from tests.github_api import GitHub, github_api
from tests.github_output import read_github_output
from tests.input_coverage import keep

ROOT = Path(__file__).resolve().parents[2]
ACTIONS = {"build": ROOT, "bake": ROOT / "bake"}

STAGES = """\
FROM scratch AS base
COPY hello.txt /base.txt
FROM scratch
COPY hello.txt /hello.txt
COPY --from=base /base.txt /copied.txt
"""
"""A layer of a stage and two of the image: `mode=max` caches all three, `mode=min` those of the image."""

_SCHEMAS = {"build": "metadata", "bake": "bake", "merge": "metadata"}


@dataclass(frozen=True)
class Step:
    """What a run of the build action left behind."""

    code: int
    log: str
    outputs: Mapping[str, str]

    @property
    def digests(self) -> dict[str, str]:
        return dict(json.loads(self.outputs.get("digests", "{}")))

    @property
    def imageids(self) -> dict[str, str]:
        return dict(json.loads(self.outputs.get("imageids", "{}")))

    @property
    def exporters(self) -> list[dict[str, Any]]:
        return list(json.loads(self.outputs.get("exporters", "[]")))


@dataclass
class Workplace:
    """A folder with a Dockerfile, an engine, and a registry.

    Attributes:
        folder: the folder.
        environment: the environment of what runs in it.
        registry: the registry's address.
        spoils_metadata: whether a program of the test changes what buildx wrote. Otherwise each run that succeeds is
            checked: the published schemas must take its metadata.
        inputs: inputs of every run of an action.
        name: a name that no other test uses.
    """

    folder: Path
    environment: Mapping[str, str]
    registry: str
    spoils_metadata: bool = False
    inputs: Mapping[str, str] = field(default_factory=dict)
    name: str = field(default_factory=lambda: f"app-{uuid.uuid4().hex[:12]}")

    @property
    def image(self) -> str:
        """A repository in the registry that no other test uses."""
        return f"{self.registry}/{self.name}"

    def step(self, *, context: str = ".", **inputs: str) -> Step:
        """Run the build action with inputs, `_` for `-` in their names."""
        return self._run("build", {"context": context, **inputs})

    def step_in(self, start: Path, **inputs: str) -> Step:
        """Run the build action in a Python that imports what is in a folder first."""
        return self._run("build", {"context": ".", **inputs}, path=(start,))

    def bake_step(self, **inputs: str) -> Step:
        """Run the bake action with inputs, `_` for `-` in their names."""
        return self._run("bake", inputs)

    def merge_step(self, **inputs: str) -> Step:
        """Run the merge action on the folder `results`, with inputs, `_` for `-` in their names."""
        return self._run("merge", {"results": "results", "retry-delay": "0.1", **inputs})

    def promote_step(self, **inputs: str) -> Step:
        """Run the promote action with inputs, `_` for `-` in their names."""
        return self._run("promote", {"retry-delay": "0.1", **inputs})

    def job(self, name: str, *outputs: str, platform: str = "linux/amd64", **inputs: str) -> Path:
        """Build as a job of a matrix does, and put its results file into the folder `results`, under a name."""
        step = self.step(platforms=platform, outputs=lines(*outputs), require_digests="true", **inputs)
        assert step.code == 0, step.log
        file = self.folder / "results" / name / "results.json"
        file.parent.mkdir(parents=True)
        shutil.copy(step.outputs["results"], file)
        return file

    def _run(self, action: str, inputs: Mapping[str, str], path: tuple[Path, ...] = ()) -> Step:
        named = {name.replace("_", "-"): value for name, value in {**self.inputs, **inputs}.items()}
        file = self.folder / f"outputs-{uuid.uuid4().hex}"
        file.touch()
        environment = {**self.environment, "INPUTS": json.dumps(named), "GITHUB_OUTPUT": str(file)}
        done = self.python("-m", "action", "action", action, environment=environment, path=path)
        step = Step(done.returncode, done.stdout + done.stderr, read_github_output(file))
        if step.code == 0:
            keep(action, named)
        if step.code == 0 and not self.spoils_metadata and action in _SCHEMAS:
            check_metadata(step.outputs["metadata"], _SCHEMAS[action])
        return step

    def python(
        self, *arguments: str, environment: Mapping[str, str] | None = None, path: tuple[Path, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run this project's Python in the folder."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**(environment or self.environment), "PYTHONPATH": os.pathsep.join(map(str, (*path, ROOT)))},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode == 0 and not self.spoils_metadata:
            self._check_metadata_file(arguments)
        return done

    def _check_metadata_file(self, arguments: tuple[str, ...]) -> None:
        """Check the metadata file that a command of the terminal names."""
        command = next((each for each in arguments if each in {"build", "bake"}), None)
        named = re.search(r"(?:^|\0)--metadata-file[=\0]([^\0]+)", "\0".join(arguments))
        if command and named:
            check_metadata((self.folder / named[1]).read_text(), _SCHEMAS[command])

    def docker(self, *arguments: str) -> str:
        """Run the docker command."""
        done = subprocess.run(
            ["docker", *arguments], env=self.environment, capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout.strip()


def workplace(folder: Path, environment: Mapping[str, str], registry: str) -> Workplace:
    """A folder with a Dockerfile, and the environment of a step on a runner."""
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY hello.txt /hello.txt\n")
    (folder / "hello.txt").write_text(f"hello {uuid.uuid4()}\n")
    return Workplace(folder, _environment(environment, folder), registry)


def _environment(base: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment of a step on a runner, whatever machine the tests run on."""
    dropped = ("GITHUB_", "RUNNER_", "ACTIONS_", "BUILDX_", "INPUTS")
    kept = {name: value for name, value in base.items() if not name.startswith(dropped)}
    temporary = folder / "runner-temp"
    temporary.mkdir()
    return {**kept, "RUNNER_TEMP": str(temporary)}


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


@pytest.fixture(scope="session")
def registry() -> str:
    address = os.environ.get("BUILD_DIGESTS_REGISTRY")
    if not address or shutil.which("docker") is None:
        pytest.fail("these tests need an engine: run them with make test, or python -m engine run -- pytest")
    return address


@pytest.fixture
def work(tmp_path: Path, registry: str) -> Workplace:
    return workplace(tmp_path, os.environ, registry)


@pytest.fixture(scope="session")
def classic_environment() -> Iterator[Mapping[str, str]]:
    try:
        with private_docker("classic") as docker:
            yield docker.environment
    except EngineError as error:
        pytest.skip(f"no engine with the classic image store: {error}")


@pytest.fixture
def classic(tmp_path: Path, registry: str, classic_environment: Mapping[str, str]) -> Workplace:
    """A folder and an engine with the classic image store."""
    return workplace(tmp_path, classic_environment, registry)


@pytest.fixture(scope="session")
def tool_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the first step of this process installs the packages into."""
    return tmp_path_factory.mktemp("tool-cache")


@pytest.fixture
def job(work: Workplace, cache_service: CacheService, tool_cache: Path) -> Iterator[Launched]:
    """A job on the default branch."""
    (work.folder / "Dockerfile").write_text(STAGES)
    yield Launched(work, cache_service.variables(), tool_cache)
    assert cache_service.refused == []


@pytest.fixture
def later(job: Launched, tmp_path: Path, empty_engine: Mapping[str, str]) -> Launched:
    """A later job, on a machine that has built nothing, with the same files."""
    return job.on_another_engine(tmp_path.with_name(f"{tmp_path.name}-later"), empty_engine)


def busybox_program() -> Path:
    """Return busybox, linked statically, or skip the test."""
    try:
        program = docker_root() / "bin/busybox"
    except EngineError:
        program = Path(shutil.which("busybox") or "/nowhere")
    if not program.is_file():
        pytest.skip("no busybox is here")
    return program


@pytest.fixture
def busybox(work: Workplace) -> None:
    """A program in the folder `busybox` of the workplace, to be copied into an image and run."""
    shutil.copy(busybox_program(), work.folder / "busybox")


@pytest.fixture
def scanner(work: Workplace, busybox: None) -> str:
    """An image that writes an SBOM as BuildKit asks (moby/buildkit, docs/attestations/sbom-protocol.md)."""
    del busybox
    statement = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://spdx.dev/Document",
        "predicate": {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "nothing"},
    }
    (work.folder / "sbom.json").write_text(json.dumps(statement))
    script = "/bin/busybox cp /sbom.json $BUILDKIT_SCAN_DESTINATION/sbom.spdx.json"
    entry = json.dumps(["/bin/busybox", "sh", "-c", script])
    file = work.folder / "scanner.Dockerfile"
    file.write_text(f"FROM scratch\nCOPY busybox /bin/busybox\nCOPY sbom.json /\nENTRYPOINT {entry}\n")
    image = f"{work.image}-scanner:1"
    step = work.step(file=file.name, push="true", tags=image, provenance="false")
    assert step.code == 0, step.log
    return image


@pytest.fixture
def github(work: Workplace) -> Iterator[GitHub]:
    """GitHub's API, and a run of pull request 7."""
    event = work.folder / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": "c0ffee0"}}}))
    with github_api() as running:
        work.environment = {
            **work.environment,
            "GITHUB_API_URL": running.url,
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REPOSITORY": "octo/app",
            "GITHUB_WORKFLOW": "CI",
            "GITHUB_JOB": "build",
        }
        work.inputs = {"matrix": '{"arch": "amd64"}'}
        yield running


def lines(*items: str) -> str:
    """A list input, one item a line."""
    return "\n".join(items)


def fake_docker(work: Workplace, script: str) -> None:
    """Put a program named docker before the real one, which it can run as $REAL."""
    real = shutil.which("docker", path=work.environment["PATH"])
    # Beside the workspace: no program in it is run.
    folder = work.folder.with_name(f"{work.folder.name}-fake")
    folder.mkdir()
    program = folder / "docker"
    program.write_text(f"#!/bin/bash\nREAL={real}\n{script}\n")
    program.chmod(0o755)
    work.environment = {**work.environment, "PATH": f"{folder}:{work.environment['PATH']}"}


def record_plugin(work: Workplace) -> Path:
    """Put a plugin before the real one that records the command of each call in a file; return the file."""
    real = find_buildx(work.environment)[0]
    config = work.folder.with_name(f"{work.folder.name}-config")
    calls = config / "calls"
    program = config / "cli-plugins" / "docker-buildx"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "$2" >> {calls}\nexec {real} "$@"\n')
    program.chmod(0o755)
    state = str(state_folder(work.environment))
    work.environment = {**work.environment, "DOCKER_CONFIG": str(config), "BUILDX_CONFIG": state}
    return calls


ASKS_FOR_RECORD = '[[ "$2" = history || "$2" = dial-stdio ]]'
"""Condition in a script of `fake_docker`: buildx is asked for a build's record, in either of the ways."""


def push_and_load(work: Workplace, tags: str, **inputs: str) -> Step:
    """Push and load an image under names that the engine knows already.

    Two exporters give these names to an image at once. BuildKit updates a name that is there, and creates one that is
    not (exporter/containerimage/export.go): both would create it, and one of them would find that it already exists.
    """
    assert work.step(load="true", tags=tags).code == 0
    (work.folder / "hello.txt").write_text(f"hello again {uuid.uuid4()}\n")
    return work.step(push="true", load="true", tags=tags, **inputs)
