"""`python -m tests.peers CHECKOUT`: run the jobs of a peer's own ci.yml with the peer and with this action; compare.

CHECKOUT is a clone of docker/build-push-action or docker/bake-action with its `dist`. Each job runs twice in the same
conditions: a fresh copy of the clone's `test` folder, an engine, a registry, a Git server and a cache service on
loopback, and Node. A job must end alike: each step's outcome, which outputs have a value, how many cache entries there
are. It prints how each job ended, and ends with 1 if one differs, or if jobs.yml lists others than ci.yml has.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from engine.node import NODE
from tests.cache_service import serve
from tests.engine.git_server import GitServer, git_server
from tests.github_api import TOKEN, github_api
from tests.github_output import read_github_output
from tests.peers.engine import programs_of, started
from tests.peers.workflow import Job, expanded, holds, jobs_of, text

ROOT = Path(__file__).resolve().parents[2]
_REGISTRY = "localhost:5000"
_SECONDS = 180

_SKIPPED = {"Check proxy", "Stop docker", "Uninstall docker cli"}
"""Steps that need the network, or would change this machine: variables have the effect of these."""


@dataclass
class Ran:
    """How a job ended.

    Attributes:
        steps: the outcome of each step that ran: its name, whether it succeeded, and the outputs that have a value.
        log: what the steps printed.
        entries: how many entries the cache service has.
    """

    steps: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    entries: int = 0


@dataclass(frozen=True)
class Place:
    """Where jobs run.

    Attributes:
        checkout: the peer's clone.
        environment: the environment of each step.
        registry: the registry's address.
        git: the server of the clone's files.
    """

    checkout: Path
    environment: Mapping[str, str]
    registry: str
    git: GitServer

    def run(self, job: Job, action: Path, folder: Path) -> Ran:
        """Run a job with an action in a folder."""
        _lay_out(self.checkout, folder, self.registry)
        config = Path(self.environment["DOCKER_CONFIG"])
        (folder / "home/.docker/cli-plugins").symlink_to(config / "cli-plugins")
        ran = Ran()
        uses = [step.get("uses", "") for step in job.steps]
        has_docker = not any(step.get("name") == "Uninstall docker cli" for step in job.steps)
        with serve() as caches, programs_of(self.environment, docker=has_docker) as path:
            variables = {
                **self.environment,
                **self.git.environment,
                **job.variables,
                "PATH": path,
                "HOME": str(folder / "home"),
                "DOCKER_CONFIG": str(folder / "home/.docker"),
                "BUILDX_CONFIG": str(config / "buildx"),
                "RUNNER_TEMP": str(folder / "temp"),
                "GITHUB_WORKSPACE": str(folder / "work"),
                "BUILDX_BUILDER": "" if any("setup-buildx-action" in each for each in uses) else "default",
            }
            if any(step.get("name") == "Stop docker" for step in job.steps):
                variables["DOCKER_HOST"] = f"unix://{folder}/nothing.sock"
            run = _Run(job, action, folder, variables, caches.variables(), self.registry, ran)
            run.all_steps()
            ran.entries = len(caches.keys())
        return ran


@dataclass
class _Run:
    job: Job
    action: Path
    folder: Path
    variables: dict[str, str]
    token: Mapping[str, str]
    registry: str
    ran: Ran
    known: dict[str, Any] = field(default_factory=dict)

    def all_steps(self) -> None:
        failed = False
        for step in self.job.steps:
            name = step.get("name", step.get("uses", ""))
            if failed or name in _SKIPPED or not holds(step.get("if"), self._contexts()):
                continue
            uses = str(step.get("uses", "run"))
            outputs: dict[str, str] = {}
            if uses == "run":
                code = self._script(step)
            elif uses.startswith("./"):
                code, outputs = self._action(step)
            else:
                self._foreign(step, uses)
                continue
            outcome = "failure" if code else "success"
            filled = tuple(sorted(key for key in ("digest", "imageid", "metadata") if outputs.get(key)))
            self.ran.steps.append((name, outcome, filled))
            conclusion = "success" if step.get("continue-on-error") else outcome
            self.known[step.get("id", "")] = {"outcome": outcome, "conclusion": conclusion, "outputs": outputs}
            failed = conclusion == "failure"

    def _contexts(self) -> dict[str, Any]:
        github = {"token": TOKEN, "event_name": "push", "sha": self.variables["GITHUB_SHA"]}
        runner = {"os": "Linux"}
        env = {name: value.replace(_REGISTRY, self.registry) for name, value in self.job.variables.items()}
        return {"steps": self.known, "matrix": self.job.matrix, "env": env, "github": github, "runner": runner}

    def _value(self, template: object) -> str:
        return expanded(template, self._contexts()).replace(_REGISTRY, self.registry)

    def _foreign(self, step: Mapping[str, Any], uses: str) -> None:
        name = step.get("id", "")
        if "setup-buildx-action" in uses:
            given = step.get("with", {})
            if self._value(given.get("driver", "docker-container")) == "docker":
                self.variables["BUILDX_BUILDER"] = "default"
            self.known[name] = {"outputs": {"name": self.variables["BUILDX_BUILDER"] or "matrix"}}
        elif "metadata-action" in uses:
            image = self.job.variables.get("DOCKER_IMAGE", f"{_REGISTRY}/name/app")
            definition = self.folder / "temp/bake.json"
            tags = [f"{image.replace(_REGISTRY, self.registry)}:main"]
            definition.write_text(json.dumps({"target": {"docker-metadata-action": {"tags": tags}}}))
            labels = "org.opencontainers.image.title=app"
            outputs = {"tags": tags[0], "labels": labels, "version": "main", "bake-file": str(definition)}
            self.known[name] = {"outputs": outputs}

    def _script(self, step: Mapping[str, Any]) -> int:
        folder = Path(self._value(step.get("working-directory", self.folder / "work")))
        command = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", self._value(step["run"]))
        done = self._started(command, {**self.variables, **self._own(step)}, folder)
        return done.returncode

    def _own(self, step: Mapping[str, Any]) -> dict[str, str]:
        return {name: self._value(value) for name, value in step.get("env", {}).items()}

    def _action(self, step: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
        definition = yaml.safe_load((self.action / "action.yml").read_text(encoding="utf-8"))
        inputs = {name: text(each.get("default")) for name, each in definition["inputs"].items()}
        inputs = {**inputs, **{name: text(value) for name, value in step.get("with", {}).items()}}
        output = self.folder / f"output-{uuid.uuid4().hex}"
        output.touch()
        variables = {
            **self.variables,
            **self._own(step),
            **self.token,
            **{f"INPUT_{name.upper()}": self._value(value) for name, value in inputs.items()},
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "GITHUB_STATE": str(self.folder / "state"),
        }
        command = (str(NODE), str(self.action / definition["runs"]["main"]))
        done = self._started(command, variables, self.folder / "work")
        return done.returncode, dict(read_github_output(output))

    def _started(
        self, command: tuple[str, ...], variables: Mapping[str, str], folder: Path
    ) -> subprocess.CompletedProcess[str]:
        named = {name: value for name, value in variables.items() if value or name.startswith("INPUT_")}
        done = subprocess.run(
            command,
            cwd=folder,
            env=named,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        self.ran.log.append(done.stdout)
        return done


def _lay_out(checkout: Path, folder: Path, registry: str) -> None:
    """Copy the clone's test files; the built-in frontend takes the place of the one that `# syntax` names."""
    for name in ("home/.docker", "temp"):
        (folder / name).mkdir(parents=True)
    for name in ("summary", "state"):
        (folder / name).touch()
    shutil.copytree(checkout / "test", folder / "work" / "test")
    for file in (folder / "work").rglob("*"):
        if file.is_file():
            file.write_text(_adapted(file.read_text(), registry))
    shutil.copy(folder / "work/test/Dockerfile", folder / "work/Dockerfile")


def _adapted(content: str, registry: str) -> str:
    kept = [line for line in content.splitlines(keepends=True) if not line.startswith("# syntax=")]
    # Debian's busybox has no such option, and its shell prefers its own commands to those of PATH.
    return "".join(kept).replace("netstat -aptn", "netstat -atn").replace(_REGISTRY, registry)


def main() -> int:
    """Run the jobs, and return 1 if one ends in another way than with the peer."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers", description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--only", action="append", help="the name of a job")
    parser.add_argument("--verbose", action="store_true", help="print what the steps of a job that differs printed")
    options = parser.parse_args()
    checkout = options.checkout.resolve()
    is_bake = "bake" in yaml.safe_load((checkout / "action.yml").read_text())["name"].lower()
    actions = {"peer": checkout, "ours": ROOT / "bake" if is_bake else ROOT}
    every = list(jobs_of(checkout / ".github/workflows/ci.yml"))
    jobs = [job for job in every if job.name in (options.only or [job.name])]
    table = yaml.safe_load(Path(__file__).with_name("jobs.yml").read_text(encoding="utf-8"))
    listed = set(table["docker/bake-action" if is_bake else "docker/build-push-action"]["jobs"])
    unlike = sorted({job.name for job in every} ^ listed)
    if unlike:
        print(f"jobs that only one of ci.yml and jobs.yml has: {', '.join(unlike)}", flush=True)
    differing = len(unlike)
    with tempfile.TemporaryDirectory(prefix="bd-peers-") as name, started(_made(Path(name) / "images")) as (docker, at):
        files = {
            str(each.relative_to(checkout)): _adapted(each.read_text(), at)
            for each in (checkout / "test").rglob("*")
            if each.is_file()
        }
        with git_server(_made(Path(name) / "git"), files) as git, github_api() as github:
            tool_cache = {"RUNNER_TOOL_CACHE": str(Path(name) / "tools"), "GITHUB_API_URL": github.url}
            common = {"RUNNER_OS": "Linux", "GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "1", "GITHUB_RUN_ATTEMPT": "1"}
            place = Place(checkout, {**docker.environment, **tool_cache, **common}, at, git)
            for job in jobs:
                folder = Path(name) / uuid.uuid4().hex
                both = {who: place.run(job, action, folder / who) for who, action in actions.items()}
                alike = both["peer"].steps == both["ours"].steps and both["peer"].entries == both["ours"].entries
                differing += not alike
                ends = "alike" if alike else "DIFFERS"
                print(f"{ends:8} {job.title}: {both['peer'].entries} cache entries", flush=True)
                for who, ran in both.items():
                    print(f"         {who}: {ran.entries} {ran.steps}", flush=True)
                    if options.verbose:
                        print("\n".join(ran.log))
                shutil.rmtree(folder, ignore_errors=True)
    return int(differing > 0)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
