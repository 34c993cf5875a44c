"""The examples of docs/caches.md, each run on one engine and then on another one that has built nothing."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cache_service import CacheService
from tests.engine.conftest import ROOT, Launched, Step, cached_steps
from tests.engine.other_end import served_digest

_TEXT = (ROOT / "docs/caches.md").read_text(encoding="utf-8")
_TARGETS = ("api", "web")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", _TEXT, re.MULTILINE | re.DOTALL)


def _steps() -> list[dict[str, Any]]:
    """Return each step on the page that uses an action of this repository."""
    documents = [yaml.safe_load(block) for block in _blocks("yaml")]
    steps = [step for each in documents if isinstance(each, list) for step in each]
    return [step for step in steps if step.get("uses", "").startswith("build-digests/")]


def _caches(step: Mapping[str, Any]) -> str:
    return str(step["with"].get("cache-to", "bake")).replace(",", " ")


def _inputs(step: Mapping[str, Any], job: Launched, shared: Path) -> dict[str, str]:
    """The step's inputs with the registry of the tests, and a folder that both machines share."""
    text = json.dumps(step["with"]).replace("ghcr.io/octo", f"{job.work.image}")
    inputs: dict[str, Any] = json.loads(text.replace("${{ runner.temp }}", str(shared)))
    return {name.replace("-", "_"): str(text) if text is not True else "true" for name, text in inputs.items()}


def _digests(step: Step) -> dict[str, Any]:
    return dict(json.loads(step.outputs["digests"]))


def test_the_page_has_an_example_of_each_type_that_is_tested() -> None:
    types = {kind for block in (*_blocks("yaml"), *_blocks("hcl")) for kind in re.findall(r"type=(\w+)", block)}
    assert types == {"gha", "inline", "local", "registry"}
    rows = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[a-z0-9`, ]+) \|", _TEXT, re.MULTILINE))))
    assert rows == types | {"s3", "azblob"}


@pytest.mark.parametrize("step", [each for each in _steps() if "/bake@" not in each["uses"]], ids=_caches)
def test_an_example_of_a_build_stores_a_cache_and_finds_it(
    job: Launched, later: Launched, tmp_path: Path, step: dict[str, Any]
) -> None:
    shared = tmp_path.with_name(f"{tmp_path.name}-shared")
    reported: dict[str, str] = {}
    for each, cached in ((job, 0), (later, 3)):
        inputs = _inputs(step, each, shared)
        image = inputs["tags"].rsplit(":", 1)
        if "main" in reported:
            # What the page says of a later job: it reads the cache by the digest that the first build reported.
            inputs["cache_from"] = inputs["cache_from"].removesuffix(":cache") + f"@{reported['main']}"
        done = each.built(**inputs, require_digests="true")
        assert done.outputs["digest"] == served_digest(*image)
        if "id=main" in inputs["cache_to"]:
            reported = json.loads(done.outputs["caches"])
            assert reported == {"main": served_digest(image[0], "cache")}
        assert cached_steps(done) == cached, done.log
        # The step of the example that comes after the build.
        if (shared / "cache-new").exists():
            shutil.rmtree(shared / "cache", ignore_errors=True)
            (shared / "cache-new").rename(shared / "cache")


def test_the_command_after_the_build_moves_the_folder() -> None:
    documents = [yaml.safe_load(block) for block in _blocks("yaml")]
    commands = [step["run"] for each in documents if isinstance(each, list) for step in each if "run" in step]
    (command,) = [each for each in commands if "cache-new" in each]
    assert command == 'rm -rf "$RUNNER_TEMP/cache"\nmv "$RUNNER_TEMP/cache-new" "$RUNNER_TEMP/cache"\n'


@pytest.mark.parametrize("where", ["file", "workflow"])
def test_the_examples_of_a_bake_store_a_cache_for_each_target_and_find_it(
    job: Launched, later: Launched, cache_service: CacheService, where: str
) -> None:
    (definition,) = _blocks("hcl")
    (step,) = [each for each in _steps() if "/bake@" in each["uses"]]
    inputs = {"push": "true"}
    if where == "workflow":
        definition = re.sub(r"^ *cache-(?:from|to) = .*\n", "", definition, flags=re.MULTILINE)
        inputs = {}
    definition = definition.replace("ghcr.io/octo", job.work.image)
    # A Dockerfile of each target, so that no target's layers are those of another.
    for name in _TARGETS:
        definition = definition.replace(f'"{name}" {{\n', f'"{name}" {{\n  dockerfile = "{name}.Dockerfile"\n')
    for each, cached in ((job, 0), (later, 6)):
        for name in _TARGETS:
            (each.work.folder / f"{name}.txt").write_text(f"{name} of {job.work.name}")
            text = (each.work.folder / "Dockerfile").read_text().replace("hello.txt /", f"{name}.txt /")
            (each.work.folder / f"{name}.Dockerfile").write_text(text)
        (each.work.folder / "docker-bake.hcl").write_text(definition)
        done = each.built("bake", **(inputs or _inputs(step, each, each.work.folder)), require_digests="true")
        assert _digests(done) == {name: {"0": served_digest(f"{job.work.image}/{name}", "1")} for name in _TARGETS}
        assert cached_steps(done) == cached, done.log
    assert {key.split("-")[1] for key in cache_service.keys("index-")} == set(_TARGETS)
