"""A dry run of the release workflow with act: its own commands, the real `gh`, and GitHub's API on loopback.

Other steps are in the place of actions that only GitHub can run: setup-python, the artifacts between jobs, signing, and
publishing. The tests are left out.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from action import __version__
from tests.release_api import REPOSITORY, TOKEN, serve

ROOT = Path(__file__).resolve().parents[2]
_BIN = Path(sys.executable).parent
_TAG = f"v{__version__}"
_SHORT = {_TAG.rpartition(".")[0], _TAG.partition(".")[0]}
_HERE: dict[str, str] = {
    "actions/upload-artifact": 'cp -r dist "$LEFT/dist"',
    "actions/download-artifact": 'rm -rf dist && cp -r "$LEFT/dist" dist',
    # What would be signed or published must be there.
    "actions/attest": 'env | grep ^WITH_ >> "$LEFT/attested"; cat -- $(env | sed -n "s/^WITH_.*=//p") > "$LEFT/read"',
    "pypa/gh-action-pypi-publish": 'ls "$WITH_packages_dir" > "$LEFT/published"',
}


def _step(step: dict[str, Any]) -> dict[str, Any] | None:
    """What runs here in the place of a step, or None."""
    action = step.get("uses", "").partition("@")[0]
    if action == "actions/setup-python":
        return None
    if step.get("run") == "make setup":
        return {"run": f"ln -s {ROOT}/.venv .venv"}
    if action in _HERE:
        inputs = {f"WITH_{name.replace('-', '_')}": text for name, text in step.get("with", {}).items()}
        return {"run": _HERE[action], "env": inputs}
    return step


def _workflow() -> str:
    document: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    # YAML reads `on` as a boolean.
    document["on"] = document.pop(True)
    for name, job in document["jobs"].items():
        job["steps"] = [{"run": "true"}] if name == "check" else [each for each in map(_step, job["steps"]) if each]
        job.pop("environment", None)
        for step in job["steps"]:
            # act has no name for the repository, and its token is not that of the server.
            for variable in ("GH_TOKEN", "GH_REPO"):
                step.get("env", {}).pop(variable, None)
    return yaml.safe_dump(document, sort_keys=False)


def _repository(folder: Path) -> str:
    """Make a repository with the files that are here, tagged; return its commit."""
    listed = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for other in (folder / ".github/workflows").glob("*.yml"):
        other.unlink()
    (folder / ".github/workflows/release.yml").write_text(_workflow(), encoding="utf-8")
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    origin = f"https://github.com/{REPOSITORY}"
    for arguments in (
        *(("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=all")),
        *(("tag", _TAG), ("remote", "add", "origin", origin)),
    ):
        subprocess.run([*git, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)
    head = ("git", "rev-parse", "HEAD")
    return subprocess.run(head, cwd=folder, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_a_release_builds_signs_publishes_and_moves_the_short_tags(tmp_path: Path) -> None:
    repository, left = tmp_path / "repository", tmp_path / "left"
    repository.mkdir()
    left.mkdir()
    commit = _repository(repository)
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"ref": f"refs/tags/{_TAG}"}), encoding="utf-8")
    with serve({_TAG: commit}) as kept:
        variables = {"LEFT": str(left), **kept.variables()}
        done = subprocess.run(
            [
                *(str(_BIN / "act"), "push", "--eventpath", str(event), "--platform", "ubuntu-24.04=-self-hosted"),
                *(part for name, value in variables.items() for part in ("--env", f"{name}={value}")),
            ],
            cwd=repository,
            env={"PATH": f"{_BIN}:/usr/bin:/bin", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    log = done.stdout + done.stderr
    assert done.returncode == 0, log

    files = {each.name: each.read_bytes() for each in (left / "dist").iterdir()}
    packages = {f"build_digests-{__version__}.tar.gz", f"build_digests-{__version__}-py3-none-any.whl"}
    others = {f"action-{_TAG}.tar.gz", f"build-digests-{_TAG}.cdx.json"}
    assert set(files) == packages | others | {"SHA256SUMS"}
    sums = {f"{hashlib.sha256(files[name]).hexdigest()}  {name}" for name in packages | others}
    assert set(files["SHA256SUMS"].decode().splitlines()) == sums

    assert set((left / "attested").read_text().split()) == {
        "WITH_subject_checksums=dist/SHA256SUMS",
        f"WITH_subject_path=dist/action-{_TAG}.tar.gz",
        f"WITH_sbom_path=dist/build-digests-{_TAG}.cdx.json",
    }
    assert set((left / "published").read_text().split()) == packages

    (release,) = kept.releases
    assert (release["tag_name"], release["draft"], release["prerelease"]) == (_TAG, False, False)
    assert "gh attestation verify" in release["body"]
    assert release["assets"] == files
    assert kept.tags == {_TAG: commit, **dict.fromkeys(_SHORT, commit)}
    assert TOKEN not in log
