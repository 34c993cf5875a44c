"""The recipes of docs/signing.md, with a real cosign and a local key: what they sign is what cosign verifies."""

from __future__ import annotations

import base64
import json
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine import EngineError
from engine.packages import docker_root
from tests.documented import blocks
from tests.engine.conftest import ROOT, Step, Workplace
from tests.engine.other_end import image_manifests, not_served, served, served_digest

_TWO = "linux/amd64,linux/arm64"

# Before cosign 3 a signature had a tag of its own, `sha256-….sig`; now it is a referrer of OCI.
_OLD_FORMAT = ("--use-signing-config=false", "--new-bundle-format=false", "--tlog-upload=false")


@dataclass(frozen=True)
class Signer:
    """cosign with a pair of keys, in the folder of a workplace."""

    work: Workplace
    program: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the recipes: `cosign` is found, and keeps nothing in the home of the user."""
        work = self.work
        path = f"{self.program.parent}:{work.environment['PATH']}"
        own = {"PATH": path, "COSIGN_PASSWORD": "a b", "TUF_ROOT": str(work.folder.with_name("tuf"))}
        return {**work.environment, **own}

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        return subprocess.run(
            command,
            cwd=self.work.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def verified(self, reference: str, *options: str) -> bool:
        """Return whether cosign verifies an image by the documented command, with more options."""
        (command,) = blocks("signing.md", "With a key")[1:]
        *words, name = shlex.split(command)
        assert name.startswith("ghcr.io/")
        done = self.run(*words, *options, reference)
        if done.returncode == 0:
            claims = json.loads(done.stdout)
            assert {each["critical"]["image"]["docker-manifest-digest"] for each in claims} == {
                reference.partition("@")[2]
            }
        return done.returncode == 0

    def sign(self, step: Step) -> None:
        """Sign what a step pushed, with the documented step."""
        (recipe,) = _steps("With a key")
        key = (self.work.folder / "cosign.key").read_text()
        assert recipe["env"]["REFS"] == "${{ steps.build.outputs.refs }}"
        assert set(recipe["env"]) == {"REFS", "COSIGN_PRIVATE_KEY", "COSIGN_PASSWORD"}
        done = self.run("bash", "-ec", recipe["run"], REFS=step.outputs["refs"], COSIGN_PRIVATE_KEY=key)
        assert done.returncode == 0, done.stderr


def _steps(heading: str) -> list[dict[str, Any]]:
    """The steps of workflows in a section of the page."""
    text = (ROOT / "docs/signing.md").read_text(encoding="utf-8").partition(f"# {heading}\n")[2]
    section = re.split(r"^##+ ", text, maxsplit=1, flags=re.MULTILINE)[0]
    return [step for block in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL) for step in yaml.safe_load(block)]


@pytest.fixture
def signer(work: Workplace) -> Signer:
    """cosign as Debian packages it, or that of the machine."""
    try:
        program = docker_root() / "usr/bin/cosign"
    except EngineError:
        program = Path(shutil.which("cosign") or "/nowhere")
    if not program.is_file():
        pytest.skip("no cosign is here")
    signer = Signer(work, program)
    (command, _) = blocks("signing.md", "With a key")
    done = signer.run(*shlex.split(command))
    assert done.returncode == 0, done.stderr
    return signer


def test_what_the_recipe_signs_with_platform_subjects_is_verified_for_each_platform(signer: Signer) -> None:
    work = signer.work
    step = work.step(push="true", tags=f"{work.image}:1", platforms=_TWO, platform_subjects="true")
    assert step.code == 0, step.log
    digest, index = served(work.image, "1")
    every = [digest, *(each["digest"] for each in image_manifests(index))]
    assert not signer.verified(f"{work.image}@{digest}")
    signer.sign(step)
    assert [signer.verified(f"{work.image}@{each}") for each in every] == [True] * 3


def test_a_signature_of_the_index_is_none_of_its_platforms(signer: Signer) -> None:
    work = signer.work
    step = work.step(push="true", tags=f"{work.image}:1")
    assert step.code == 0, step.log
    signer.sign(step)
    digest, index = served(work.image, "1")
    (platform,) = image_manifests(index)
    assert signer.verified(f"{work.image}@{digest}")
    assert not signer.verified(f"{work.image}@{platform['digest']}")


@pytest.mark.parametrize("form", ["bundle", "tag"])
def test_a_signature_is_verified_where_the_image_is_promoted_to(
    signer: Signer, second_registry: str, form: str
) -> None:
    work = signer.work
    step = work.step(push="true", tags=f"{work.image}:1")
    assert step.code == 0, step.log
    digest = served_digest(work.image, "1")
    options = _OLD_FORMAT[1:2] if form == "tag" else ()
    if form == "tag":
        done = signer.run("cosign", "sign", "--yes", "--key=cosign.key", *_OLD_FORMAT, f"{work.image}@{digest}")
        assert done.returncode == 0, done.stderr
    else:
        signer.sign(step)
    assert not_served(work.image, f"{digest.replace(':', '-')}.sig") is (form == "bundle")
    there = f"{second_registry}/{work.name}"
    assert not signer.verified(f"{there}@{digest}", *options)
    promoted = work.promote_step(source=f"{work.image}@{digest}", tags=f"{there}:stable", referrers="true")
    assert promoted.code == 0, promoted.log
    assert served_digest(there, "stable") == digest
    assert signer.verified(f"{there}@{digest}", *options)


def test_an_attestation_from_a_file_is_verified_with_its_signature(signer: Signer) -> None:
    work = signer.work
    step = work.step(push="true", tags=f"{work.image}:1", provenance="mode=max", attestations="attestations")
    assert step.code == 0, step.log
    digest = served_digest(work.image, "1")
    # An SBOM takes a scanner; the provenance of BuildKit is attested in the same way.
    (commands,) = blocks("signing.md", "Attestations with a signature")
    for old, new in (
        ("release/linux-amd64/sbom.json", "0/linux-amd64/provenance.json"),
        ("spdxjson", "slsaprovenance"),
        ("ghcr.io/octo/app@sha256:7a97…", f"{work.image}@{digest}"),
    ):
        assert old in commands
        commands = commands.replace(old, new)
    assert signer.run("cosign", "signing-config", "create", "--out", "signing-config.json").returncode == 0
    done = signer.run("bash", "-ec", commands)
    assert done.returncode == 0, done.stderr
    payload = json.loads(base64.b64decode(json.loads(done.stdout.splitlines()[-1])["payload"]))
    written = json.loads((work.folder / "attestations/0/linux-amd64/provenance.json").read_text())
    assert payload["subject"][0]["digest"]["sha256"] == digest.removeprefix("sha256:")
    assert payload["predicate"]["buildType"] == written["predicate"]["buildType"]


def test_the_recipes_without_a_key_have_options_of_cosign(signer: Signer) -> None:
    (recipe,) = _steps("Without a key")
    assert recipe["run"] in (ROOT / "examples/cosign.yml").read_text(encoding="utf-8")
    (verify,) = blocks("signing.md", "Without a key")
    for command in (recipe["run"].rpartition("if-empty ")[2], verify):
        words = shlex.split(command)
        known = signer.run(*words[:2], "--help").stdout
        assert words[0] == "cosign"
        for option in (word for word in words if word.startswith("--")):
            assert f"{option}=" in known, option
