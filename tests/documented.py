"""Commands of the documentation, run as a reader of it runs them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.starting import ROOT, installer_variables

_REPOSITORY = "https://github.com/build-digests/build-digests"
_PARTS = ("action", "launcher", "requirements", "schemas")


def blocks(page: str, heading: str) -> list[str]:
    """Return the commands of each block of a section, a line each."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    section = re.split(r"^##+ ", text.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert found, f"docs/{page} has no commands below {heading!r}"
    return ["\n".join(line[2:] for line in block.splitlines() if line.startswith("$ ")) for block in found]


def released(folder: Path) -> dict[str, str]:
    """Make a repository with a release of this checkout; return variables with which git finds it at its address."""
    folder.mkdir()
    for part in _PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    identity = ("-c", "user.name=x", "-c", "user.email=x@localhost")
    for command in (("init", "--quiet"), ("add", "."), (*identity, "commit", "--quiet", "-m", "x"), ("tag", "v1")):
        subprocess.run(["git", *command], cwd=folder, check=True, timeout=60)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{folder.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": _REPOSITORY,
    }


def run(commands: str, folder: Path, tool_cache: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run commands in a shell that stops at the first failure, with folders of the test instead of those named."""
    script = commands.replace("/tmp/", f"{folder}/").replace("/opt/actions-runner/_work/_tool", str(tool_cache))
    return subprocess.run(
        ["/bin/sh", "-ec", script],
        cwd=folder,
        env={**installer_variables(), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
