"""A build of a hostile checkout on a real engine: no program that buildx starts runs anything of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engine.conftest import Workplace


def _git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run([*command, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture
def trapped(work: Workplace) -> Path:
    """A repository whose folder `app` is a bare repository made of ordinary files; what its settings would write."""
    version = subprocess.run(["git", "version"], capture_output=True, text=True, check=True, timeout=60).stdout.split()[
        2
    ]
    if tuple(map(int, version.split(".")[:2])) < (2, 38):
        pytest.skip("this git has no safe.bareRepository")
    mark = work.folder.with_name("ran")
    _git(work.folder, "init", "--quiet")
    _git(work.folder, "commit", "--quiet", "--allow-empty", "--message=x")
    app = work.folder / "app"
    app.mkdir()
    shutil.copy(work.folder / "Dockerfile", app)
    shutil.copy(work.folder / "hello.txt", app)
    for name in ("HEAD", "objects", "refs"):
        source = work.folder / ".git" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, app / name)
    config = (
        f'[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n\tfsmonitor = "echo ran >> {mark}"\n'
    )
    (app / "config").write_text(config)
    work.environment = {**work.environment, "BUILDX_GIT_CHECK_DIRTY": "true"}
    return mark


def test_a_bare_repository_in_the_context_runs_nothing(work: Workplace, trapped: Path) -> None:
    subprocess.run(["git", "status"], cwd=work.folder / "app", capture_output=True, check=False, timeout=60)
    assert trapped.exists(), "the trap itself does not work"
    trapped.unlink()
    step = work.step(context="app", outputs="type=cacheonly")
    assert step.code == 0, step.log
    assert not trapped.exists()


def test_settings_of_git_that_a_workflow_passes_stay(work: Workplace) -> None:
    docker = work.folder.with_name("docker")
    docker.mkdir()
    (docker / "docker").write_text(
        "#!/bin/sh\ngit config --get test.own >&2\ngit config --get safe.bareRepository >&2\nexit 1\n"
    )
    (docker / "docker").chmod(0o755)
    work.environment = {
        **work.environment,
        "PATH": f"{docker}:{work.environment['PATH']}",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "test.own",
        "GIT_CONFIG_VALUE_0": "kept",
    }
    assert "kept\nexplicit\n" in work.step().log
