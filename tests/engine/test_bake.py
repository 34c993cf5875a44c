"""Real bakes: groups, matrices, inheritance, compose files and several outputs per target."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.conftest import Workplace, fake_docker, lines
from tests.engine.other_end import served_digest, tar_digest

_HCL = """
group "default" { targets = ["web", "api", "files"] }
target "web" {
  tags = ["IMAGE-web:1"]
  output = ["type=image,push=true,id=release", "type=docker,dest=web.tar"]
}
target "base" { tags = ["IMAGE-base:1"] }
target "api" {
  inherits = ["base"]
  name = "api-${v}"
  matrix = { v = ["a", "b"] }
  tags = ["IMAGE-api:${v}"]
  output = [{ type = "image", push = "true", id = "x" }, { type = "oci", dest = "api-${v}.tar" }]
}
target "files" { output = ["out"] }
target "plain" { tags = ["IMAGE-plain:1"] }
target "nothing" { output = ["type=cacheonly"] }
target "broken" { dockerfile-inline = "FROM scratch\\nCOPY missing /" }
"""


@pytest.fixture
def bake(work: Workplace) -> Workplace:
    (work.folder / "docker-bake.hcl").write_text(_HCL.replace("IMAGE", work.image))
    return work


def test_every_exporter_of_every_target_has_its_own_digest(bake: Workplace) -> None:
    step = bake.bake_step(source=".", provenance="false")
    assert step.code == 0, step.log
    assert json.loads(step.outputs["digests"]) == {
        "api-a": {"x": served_digest(f"{bake.image}-api", "a"), "1": tar_digest(bake.folder / "api-a.tar")},
        "api-b": {"x": served_digest(f"{bake.image}-api", "b"), "1": tar_digest(bake.folder / "api-b.tar")},
        "files": {},
        "web": {"release": served_digest(f"{bake.image}-web", "1"), "1": tar_digest(bake.folder / "web.tar")},
    }
    exporters = json.loads(step.outputs["exporters"])
    assert [each["type"] for each in exporters["web"]] == ["image", "docker"]
    assert [each["dest"] for each in exporters["files"]] == ["out"]
    assert json.loads(step.outputs["metadata"]).keys() == exporters.keys()
    results = json.loads(Path(step.outputs["results"]).read_text(encoding="utf-8"))
    assert results["targets"]["web"]["exporters"] == exporters["web"]


def test_push_applies_to_targets_as_buildx_says(bake: Workplace) -> None:
    step = bake.bake_step(source=".", targets="plain,nothing", push="true")
    assert step.code == 0, step.log
    digests = json.loads(step.outputs["digests"])
    assert digests == {"nothing": {}, "plain": {"0": served_digest(f"{bake.image}-plain", "1")}}


def test_the_default_provenance_is_set_on_every_target_and_none_asked_for_is_changed(bake: Workplace) -> None:
    inputs = {"source": ".", "targets": "plain", "set": "plain.output=type=cacheonly", "sbom": "false", "pull": "true"}
    # A builder that is not there is not asked for the definition; its driver is not known to be the engine's own.
    environment = {"INPUTS": json.dumps(inputs), "BUILDX_BUILDER": "nowhere"}
    done = bake.python("-m", "action", "action", "bake", "--dry-run", environment={**bake.environment, **environment})
    arguments = json.loads(done.stdout)
    assert arguments[:3] == ["bake", "--allow", "fs=*"]
    # Outside of a workflow run nothing says that the repository is public.
    default = ["--set", "plain.attest=type=provenance,mode=min,inline-only=true"]
    assert arguments[3:] == ["--set", "plain.output=type=cacheonly", *default, "--sbom", "false", "--pull", "plain"]


def test_a_target_that_fails_fails_the_step_in_buildx_words(bake: Workplace) -> None:
    step = bake.bake_step(source=".", targets="plain,broken", push="true")
    assert step.code == 1
    assert "::error::buildx failed with: ERROR: " in step.log
    assert "broken" not in json.loads(step.outputs["digests"])


def test_an_id_that_is_used_twice_names_the_target(bake: Workplace) -> None:
    (bake.folder / "docker-bake.hcl").write_text(
        'target "default" { output = ["type=oci,dest=a,id=x", "type=oci,dest=b,id=x"] }'
    )
    step = bake.bake_step(source=".")
    assert step.code == 2
    assert "::error::output of bake target default: entries 0 and 1 have the same id 'x'" in step.log


def test_a_compose_file_is_baked(work: Workplace) -> None:
    (work.folder / "compose.yml").write_text(
        lines("services:", "  app:", f"    image: {work.image}:c", "    build: {context: .}")
    )
    step = work.bake_step(source=".", files="compose.yml", push="true")
    assert step.code == 0, step.log
    assert json.loads(step.outputs["digests"]) == {"app": {"0": served_digest(work.image, "c")}}


def test_the_command_prints_a_table_for_each_target(bake: Workplace) -> None:
    done = bake.python("-m", "action", "bake", "--results", "r.json", "--", "--allow=fs=*", "web", "files")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    web = ["release", "image", f"{bake.image}-web:1", served_digest(f"{bake.image}-web", "1"), "record"]
    # Without the number and the unit of a size.
    assert web in [[*row[:4], *row[-1:]] for row in rows]
    assert ["web:"] in rows
    assert bake.python("-m", "action", "validate", "r.json").returncode == 0


def test_a_record_that_is_lost_costs_no_other_target_its_digest(bake: Workplace) -> None:
    metadata = f"{bake.environment['RUNNER_TEMP']}/*/metadata.json"
    ref = f"import json,glob; print(json.load(open(glob.glob('{metadata}')[0]))['web']['buildx.build.ref'])"
    fake_docker(
        bake,
        f'"$REAL" "$@" || exit $?; [[ "$2" = bake && "$*" != *--print* ]] || exit 0\n'
        f'ref=$(python3 -c "{ref}"); "$REAL" buildx history rm "${{ref##*/}}" >&2',
    )
    step = bake.bake_step(source=".", targets="web,api", provenance="false")
    assert step.code == 0, step.log
    digests = json.loads(step.outputs["digests"])
    assert digests["api-a"]["x"] == served_digest(f"{bake.image}-api", "a")
    assert digests["web"] == {"1": tar_digest(bake.folder / "web.tar")}
    assert (
        "::warning::target web: exporter release has no digest: the build record is missing: BuildKit has " in step.log
    )


@pytest.mark.parametrize("image", ["", "type=image,name=IMAGE-{}:1,push=true"])
def test_a_tar_that_two_targets_write_is_evidence_of_neither(work: Workplace, image: str) -> None:
    """A `matrix` or an inherited `output` makes that mistake easy, and buildx accepts it: the last target wins."""
    targets = {
        name: {
            "dockerfile-inline": f"FROM scratch\nCOPY hello.txt /{name}\n",
            "output": [*filter(None, [image.format(name).replace("IMAGE", work.image)]), "type=oci,dest=same.tar"],
            "attest": ["type=provenance,disabled=true"],
        }
        for name in ("one", "two")
    }
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
    step = work.bake_step(source=".", targets="one,two")
    assert step.code == 0, step.log
    digests = json.loads(step.outputs["digests"])
    tar = "1" if image else "0"
    assert tar_digest(work.folder / "same.tar") in {target[tar] for target in digests.values()}
    assert digests["one"][tar] != digests["two"][tar]
    if image:
        assert {name: target["0"] for name, target in digests.items()} == {
            name: served_digest(f"{work.image}-{name}", "1") for name in targets
        }
    assert f"exporters one {tar}, two {tar} all write same.tar: give each output a dest of its own" in step.log
