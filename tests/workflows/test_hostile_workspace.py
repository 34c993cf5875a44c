"""A build of a stranger's checkout under act: no trap of the workspace, large inputs, and a PATH without a shell."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from engine.node import NODE
from tests.engine.conftest import busybox_program
from tests.engine.other_end import served, served_blob
from tests.hostile import ran, write_hostile_workspace
from tests.workflows.conftest import commit_all, copy_of_the_action

_LARGE = 100_000
"""Characters of each of three inputs. The system passes 128 KiB in one variable at the most (MAX_ARG_STRLEN)."""

_DOCKERFILE = """\
FROM scratch
ARG LARGE
LABEL large=$LARGE
COPY busybox /busybox
RUN --network=none --mount=type=secret,id=large ["/busybox", "sh", "-c", "/busybox wc -c < /run/secrets/large > /size"]
"""
_WORKFLOW = """\
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: build-digests/build-digests@v1
        with:
          context: .
          summary: false
          build-args: LARGE={argument}
          labels: second={label}
          secrets: large=${{{{ secrets.LARGE }}}}
          outputs: |
            type=image,name={image},push=true
            type=tar,dest={left}/files.tar
"""


def _repository(folder: Path, **texts: str) -> None:
    """A repository with the traps, and a workflow that builds in it."""
    write_hostile_workspace(folder, folder.parent / "ran")
    (folder / "Dockerfile").write_text(_DOCKERFILE)
    (folder / ".github/workflows").mkdir(parents=True)
    (folder / ".github/workflows/build.yml").write_text(_WORKFLOW.format(**texts))
    commit_all(folder)


def test_a_build_falls_into_no_trap_takes_300_kb_of_inputs_and_needs_no_shell(tmp_path: Path, act_home: Path) -> None:
    image = f"{os.environ['BUILD_DIGESTS_REGISTRY']}/{tmp_path.name.lower()}"
    workspace, programs, left = tmp_path / "workspace", tmp_path / "programs", tmp_path / "left"
    argument, label, secret = (character * _LARGE for character in "abc")
    left.mkdir()
    _repository(workspace, argument=argument, label=label, image=f"{image}:1", left=str(left))
    shutil.copy(busybox_program(), workspace / "busybox")
    programs.mkdir()
    act, uv = (Path(sys.executable).parent / name for name in ("act", "uv"))
    found = {
        "node": str(NODE),
        "python3": os.path.realpath(sys.executable),
        "docker": shutil.which("docker") or "",
        "uv": str(uv),
    }
    for name, program in found.items():
        (programs / name).symlink_to(program)
    done = subprocess.run(
        [
            *(act, "push", "--platform", "ubuntu-latest=-self-hosted", "--secret", "LARGE"),
            *("--local-repository", f"build-digests/build-digests@v1={copy_of_the_action(tmp_path / 'action')}"),
        ],
        cwd=workspace,
        env={
            **os.environ,
            # act runs the job in a copy, which relative entries lead into.
            "PATH": f".:bin::{programs}",
            "HOME": str(act_home),
            "XDG_CACHE_HOME": str(act_home / ".cache"),
            "LARGE": secret,
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    log = re.sub(r"(.)\1{999,}", r"\1…", done.stdout + done.stderr)
    assert done.returncode == 0, log
    assert ran(tmp_path / "ran") == ""
    digest, manifest = served(image, "1")
    assert f"::set-output:: digest={digest}" in done.stdout
    if "manifests" in manifest:
        _, manifest = served(image, manifest["manifests"][0]["digest"])
    labels = json.loads(served_blob(image, manifest["config"]["digest"]))["config"]["Labels"]
    assert (labels["large"], labels["second"]) == (argument, label)
    with tarfile.open(left / "files.tar") as tar:
        size = tar.extractfile("size")
        assert size is not None
        assert int(size.read()) == len(secret)
    assert secret not in done.stdout
