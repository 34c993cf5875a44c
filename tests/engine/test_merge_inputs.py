"""Inputs of the merge action, each with a real value whose effect is looked at where it ends up."""

from __future__ import annotations

import json
import shutil

from tests.engine.conftest import Step, Workplace, lines
from tests.engine.other_end import image_manifests, served, served_digest
from tests.github_api import TOKEN, GitHub


def _built(step: Step) -> Step:
    assert step.code == 0, step.log
    return step


def test_each_key_has_a_name_of_its_own(work: Workplace, github: GitHub) -> None:
    outputs = [f"type=image,name={work.image}:{key},push=true,id={key}" for key in ("release", "debug", "other")]
    work.job("amd64", *outputs)
    summary = work.folder / "summary.md"
    work.environment = {**work.environment, "GITHUB_STEP_SUMMARY": str(summary)}
    step = _built(
        work.merge_step(
            tags=lines(f"release={work.image}:1", f"debug={work.image}-debug:1"),
            keys="release,debug",
            builder="default",
            summary="false",
            comment="true",
            github_token=TOKEN,
        )
    )
    assert step.digests == {
        "release": served_digest(work.image, "1"),
        "debug": served_digest(f"{work.image}-debug", "1"),
    }
    assert not summary.exists()
    (comment,) = github.own
    assert step.digests["release"].replace(":", "&#58;") in comment


def test_one_target_of_bakes_is_merged(work: Workplace) -> None:
    for architecture in ("amd64", "arm64"):
        target = {
            name: {
                "platforms": [f"linux/{architecture}"],
                "output": [f"type=image,name={work.image}-{name}:{architecture},push=true,id=release"],
            }
            for name in ("web", "api")
        }
        document = {"group": {"default": {"targets": list(target)}}, "target": target}
        (work.folder / "docker-bake.json").write_text(json.dumps(document))
        step = _built(work.bake_step(source="."))
        folder = work.folder / "results" / architecture
        folder.mkdir(parents=True)
        shutil.copy(step.outputs["results"], folder / "results.json")
    step = _built(work.merge_step(tags=f"{work.image}-web:1", target="web", expect_platforms="linux/amd64,linux/arm64"))
    digest, index = served(f"{work.image}-web", "1")
    assert step.digests == {"release": digest}
    assert sorted(each["platform"]["architecture"] for each in image_manifests(index)) == ["amd64", "arm64"]
