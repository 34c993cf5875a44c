"""Runs workflows with act on the machine itself, against the engine and the registry that `make test` starts.

act runs a job in a copy of the repository in its cache; `uses: ./` is then the action in that copy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.node import NODE
from tests.input_coverage import FOLDER_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = Path(__file__).parent
SHIPPED = (
    "action.yml",
    "bake",
    "merge",
    "promote",
    "validate",
    "launcher",
    "action",
    "schemas",
    "requirements",
    "examples/demo",
)
_SIGNER = """#!/bin/bash
# Signing takes GitHub's identity. This looks at what would be signed: each must be served by its registry.
set -eu
test "$1 $2" = "sign --yes"
for image in "${@:3}"; do
  docker buildx imagetools inspect --raw "$image" > /dev/null
  echo "$image" >> "$LEFT/signed"
done
"""
_NODE = """#!{python}
# Gives variables to JavaScript actions alone, and keeps the inputs of each run of an action that succeeds.
import json, os, pathlib, subprocess, sys, uuid
if "process.execPath" in sys.argv[-1]:
    # act asks Node for its path, and runs that.
    sys.exit(print(os.path.abspath(sys.argv[0])))
code = subprocess.call([{node!r}, *sys.argv[1:]], env={{**os.environ, **{variables!r}}})
inputs = {{name[6:].lower(): text for name, text in os.environ.items() if name.startswith("INPUT_")}}
main = pathlib.Path(sys.argv[-1])
if {folder!r} and code == 0 and main.parent.name == "launcher":
    pathlib.Path({folder!r}, f"{{uuid.uuid4().hex}}.{{main.stem}}").write_text(json.dumps(inputs))
sys.exit(code)
"""
_DEFINITION = 'target "app" { platforms = ["linux/amd64", "linux/arm64"] }'
_RUNNERS = ("ubuntu-latest", "ubuntu-24.04-arm")


def copy_of_the_action(folder: Path) -> Path:
    """Copy what a release has of the action into a folder, which may not exist yet; return it."""
    for name in SHIPPED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return folder


def commit_all(folder: Path) -> None:
    """Make a folder a repository with one commit."""
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    for arguments in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=all")):
        subprocess.run([*git, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


@dataclass(frozen=True)
class Ran:
    """A workflow that ran.

    Attributes:
        code: act's exit code.
        log: all that it printed.
        left: the folder that the workflow's steps left files in.
    """

    code: int
    log: str
    left: Path

    def read(self, name: str) -> str:
        return (self.left / name).read_text(encoding="utf-8").strip()


@dataclass(frozen=True)
class Act:
    """act, with a home of its own."""

    folder: Path
    home: Path
    registry: str

    @property
    def own_registry(self) -> str:
        """A part of the registry that no other test pushes to: the examples all have the same names."""
        return f"{self.registry}/{self.folder.name.lower()}"

    def run(
        self,
        workflow: str,
        *,
        javascript: Mapping[str, str] | None = None,
        options: tuple[str, ...] = (),
        **environment: str,
    ) -> Ran:
        """Run a workflow's text in a new repository with this action, a Dockerfile, a bake file and a file to copy.

        Args:
            workflow: the text.
            javascript: variables that JavaScript actions alone get, as from GitHub's runner.
            options: more options of act.
            environment: variables that every step gets.
        """
        repository = self.folder / "repository"
        left = self.folder / "left"
        left.mkdir()
        repository.mkdir()
        copy_of_the_action(repository)
        (repository / "Dockerfile").write_text("FROM scratch\nCOPY hello.txt /\n", encoding="utf-8")
        (repository / "docker-bake.hcl").write_text(_DEFINITION, encoding="utf-8")
        (repository / "hello.txt").write_text(f"hello {self.folder.name}\n", encoding="utf-8")
        workflows = repository / ".github" / "workflows"
        workflows.mkdir(parents=True)
        (workflows / "workflow.yml").write_text(workflow, encoding="utf-8")
        commit_all(repository)
        signer = self.folder / "bin" / "cosign"
        signer.parent.mkdir()
        signer.write_text(_SIGNER, encoding="utf-8")
        signer.chmod(0o755)
        # In this mode act runs JavaScript actions with the first node in PATH.
        node = signer.with_name("node")
        folder = os.environ.get(FOLDER_VARIABLE, "")
        if folder or javascript:
            script = _NODE.format(
                python=sys.executable, node=str(NODE), folder=folder, variables=dict(javascript or {})
            )
            node.write_text(script, encoding="utf-8")
            node.chmod(0o755)
        else:
            node.symlink_to(NODE)
        variables = {"LEFT": str(left), "REGISTRY": self.registry, "NAME": self.folder.name.lower(), **environment}
        done = subprocess.run(
            [
                *(Path(sys.executable).parent / "act", "push"),
                *(part for runner in _RUNNERS for part in ("--platform", f"{runner}=-self-hosted")),
                *(part for name, value in variables.items() for part in ("--env", f"{name}={value}")),
                *(
                    part
                    for name in ("REGISTRY", "NAME", "SECOND")
                    if name in variables
                    for part in ("--var", f"{name}={variables[name]}")
                ),
                *options,
            ],
            cwd=repository,
            env={
                **os.environ,
                "PATH": f"{signer.parent}:{os.environ['PATH']}",
                "HOME": str(self.home),
                "XDG_CACHE_HOME": str(self.home / ".cache"),
            },
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return Ran(done.returncode, done.stdout + done.stderr, left)


@pytest.fixture(scope="session")
def act_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all runs: the action's packages are installed once."""
    return tmp_path_factory.mktemp("act-home")


@pytest.fixture
def act(tmp_path: Path, act_home: Path) -> Act:
    registry = os.environ.get("BUILD_DIGESTS_REGISTRY")
    if not registry:
        pytest.fail("these tests need an engine: run them with make test, or python -m engine run -- pytest")
    return Act(tmp_path, act_home, registry)
