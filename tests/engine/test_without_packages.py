"""A step on a machine that has none of the action's packages, and no index to install them from."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from tests import documented
from tests.engine.conftest import Step, Workplace, fake_docker, lines
from tests.engine.other_end import served_digest, tar_digest
from tests.github_output import read_github_output
from tests.starting import NO_INDEX, START

MISSING = "::warning::the action's packages cannot be installed: "
WHAT_TO_DO = "run action/start.py install on it once, as docs/reference.md describes"


def _run(work: Workplace, cache: Path, inputs: Mapping[str, str], action: str = "build", **variables: str) -> Step:
    """Run a step as the launcher starts it: in a Python without packages."""
    file = work.folder / f"outputs-{uuid.uuid4().hex}"
    file.touch()
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(START), action],
        cwd=work.folder,
        env={
            **work.environment,
            **NO_INDEX,
            "RUNNER_TOOL_CACHE": str(cache),
            "GITHUB_OUTPUT": str(file),
            "INPUTS": json.dumps({**({"context": "."} if action == "build" else {}), **inputs}),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    return Step(done.returncode, done.stdout + done.stderr, read_github_output(file))


def _warnings(step: Step) -> list[str]:
    return [line for line in step.log.splitlines() if line.startswith("::warning::")]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """An empty tool cache."""
    return tmp_path.with_name(f"{tmp_path.name}-cache")


@pytest.fixture(scope="session")
def filled_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tool cache after the commands of the documentation for a machine with an index."""
    folder, reader = tmp_path_factory.mktemp("filled-cache"), tmp_path_factory.mktemp("reader")
    commands = documented.blocks("reference.md", "Runners without a package index")[0]
    done = documented.run(commands, reader, folder, **documented.released(reader / "released"))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def _two_outputs(work: Workplace) -> dict[str, str]:
    return {
        "outputs": lines(f"type=image,name={work.image}:1,push=true,id=release", "type=oci,dest=image.tar,id=tar"),
        "provenance": "false",
    }


@pytest.mark.parametrize("store", ["work", "classic"])
def test_one_pushed_image_has_its_digest_and_needs_no_packages(
    request: pytest.FixtureRequest, cache: Path, store: str
) -> None:
    work: Workplace = request.getfixturevalue(store)
    inputs = {"push": "true", "tags": f"{work.image}:1", "require-digests": "true"}
    step = _run(work, cache, inputs)
    assert step.code == 0, step.log
    digest = served_digest(work.image, "1")
    assert step.outputs["digest"] == digest
    assert step.digests == {"0": digest}
    assert step.outputs["imageid"] == work.docker("image", "inspect", "--format", "{{.Id}}", f"{work.image}:1")
    assert step.imageids == {"0": step.outputs["imageid"]}
    assert json.loads(step.outputs["refs"]) == [f"{work.image}@{digest}"]
    assert json.loads(step.outputs["metadata"])["containerimage.digest"]
    assert json.loads(Path(step.outputs["results"]).read_text())["digest"] == digest
    assert _warnings(step) == []
    assert not cache.exists()
    # The outputs are those of a step that has the packages.
    again = work.step(**{name.replace("-", "_"): value for name, value in inputs.items()})
    assert set(step.outputs) == set(again.outputs)
    assert {**step.exporters[0], "digest": "", "descriptor": ""}.keys() == again.exporters[0].keys()


def test_digests_that_only_the_record_or_a_tar_gives_are_missing_with_a_warning(work: Workplace, cache: Path) -> None:
    step = _run(work, cache, _two_outputs(work))
    assert step.code == 0, step.log
    assert set(step.digests) <= {"release"}
    assert step.digests in ({}, {"release": served_digest(work.image, "1")})
    assert "containerimage.digest" in step.outputs["metadata"]
    assert Path(step.outputs["results"]).is_file()
    warnings = _warnings(step)
    assert warnings[0].startswith(MISSING)
    assert warnings[0].endswith(WHAT_TO_DO)
    assert sum("cannot be installed" in each for each in warnings) == 1
    assert any(each.startswith("::warning::exporter tar has no digest") for each in warnings)


def test_require_digests_fails_a_step_whose_digests_are_missing(work: Workplace, cache: Path) -> None:
    step = _run(work, cache, {**_two_outputs(work), "require-digests": "true"})
    assert step.code == 1
    assert "::error::require-digests is set, and these exporters have no digest: " in step.log
    assert MISSING in step.log


def test_targets_of_a_bake_with_one_output_each_have_their_digests(work: Workplace, cache: Path) -> None:
    targets = {name: {"context": ".", "args": {"N": name}, "tags": [f"{work.image}:{name}"]} for name in ("web", "api")}
    (work.folder / "docker-bake.json").write_text(
        json.dumps({"group": {"default": {"targets": list(targets)}}, "target": targets})
    )
    step = _run(work, cache, {"source": ".", "push": "true", "require-digests": "true"}, "bake")
    assert step.code == 0, step.log
    assert json.loads(step.outputs["digests"]) == {name: {"0": served_digest(work.image, name)} for name in targets}
    assert _warnings(step) == []


def test_packages_that_were_installed_beforehand_need_no_index(work: Workplace, filled_cache: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in filled_cache.rglob("*")}
    summary = work.folder / "summary.md"
    summary.touch()
    step = _run(work, filled_cache, _two_outputs(work), GITHUB_STEP_SUMMARY=str(summary))
    assert step.code == 0, step.log
    assert step.digests == {"release": served_digest(work.image, "1"), "tar": tar_digest(work.folder / "image.tar")}
    assert _warnings(step) == []
    assert step.digests["tar"] in summary.read_text()
    assert {file: file.stat().st_mtime_ns for file in filled_cache.rglob("*")} == before


def test_a_tool_cache_that_cannot_be_written_costs_no_digest_of_one_image(work: Workplace) -> None:
    # Nobody can make a folder in /proc, root neither.
    summary = work.folder / "summary.md"
    inputs = {"push": "true", "tags": f"{work.image}:1"}
    step = _run(work, Path("/proc/cache"), inputs, GITHUB_STEP_SUMMARY=str(summary))
    assert step.code == 0, step.log
    assert step.outputs["digest"] == served_digest(work.image, "1")
    (warning,) = _warnings(step)
    assert warning.startswith("::warning::/proc/cache/build-digests cannot be written (")
    assert warning.endswith(WHAT_TO_DO)


def test_one_warning_says_that_digests_and_summary_are_missing(work: Workplace, cache: Path) -> None:
    summary = work.folder / "summary.md"
    summary.touch()
    inputs = {"push": "true", "tags": f"{work.image}:1"}
    step = _run(work, cache, inputs, GITHUB_STEP_SUMMARY=str(summary))
    assert step.code == 0, step.log
    assert step.outputs["digest"] == served_digest(work.image, "1")
    (warning,) = _warnings(step)
    assert warning.startswith(MISSING)
    assert "so are summary, comment and annotations" in warning
    assert summary.read_text() == ""


@pytest.mark.parametrize("action", ["build", "bake"])
def test_a_run_that_fails_has_its_error_alone_and_no_warning_about_packages(
    work: Workplace, cache: Path, action: str
) -> None:
    summary = work.folder / "summary.md"
    summary.touch()
    (work.folder / "Dockerfile").write_text("FROM scratch\nCOPY missing.txt /\n")
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": {"web": {}}}))
    inputs = {"source": ".", "targets": "web"} if action == "bake" else {}
    step = _run(work, cache, inputs, action, GITHUB_STEP_SUMMARY=str(summary))
    assert step.code == 1
    assert _warnings(step) == []
    (error,) = [line for line in step.log.splitlines() if line.startswith("::error::")]
    assert "missing.txt" in error
    # The log says why there is no summary, and no annotation does.
    assert "\nthe run is not shown: the action's packages cannot be installed: " in step.log


def test_a_bake_that_fails_warns_if_a_finished_target_may_lack_its_digest(work: Workplace, cache: Path) -> None:
    (work.folder / "wrong.Dockerfile").write_text("FROM scratch\nCOPY --from=done missing.txt /\n")
    targets = {
        "done": {"output": [f"type=image,name={work.image}:1,push=true", "type=oci,dest=a.tar"]},
        "wrong": {"dockerfile": "wrong.Dockerfile", "contexts": {"done": "target:done"}},
    }
    (work.folder / "docker-bake.json").write_text(json.dumps({"target": targets}))
    step = _run(work, cache, {"source": ".", "targets": "done,wrong"}, "bake")
    assert step.code == 1
    assert sum(each.startswith(MISSING) for each in _warnings(step)) == 1


def test_verify_without_packages_fails_with_one_line_and_the_digests_are_there(work: Workplace, cache: Path) -> None:
    step = _run(work, cache, {"push": "true", "tags": f"{work.image}:1", "verify": "true"})
    assert step.code == 1
    (line,) = [line for line in step.log.splitlines() if line.startswith("::error::")]
    assert line.startswith("::error::no digest is verified: the action's packages cannot be installed: ")
    assert step.outputs["digest"] == served_digest(work.image, "1")


_USED = ("models", "retries")


def test_compare_without_packages_is_a_warning_and_nothing_is_known_of_changes(work: Workplace, cache: Path) -> None:
    name = f"{work.image}:1"
    step = _run(work, cache, {"push": "true", "tags": name, "compare": name})
    assert step.code == 0, step.log
    assert step.digests == {"0": served_digest(work.image, "1")}
    assert "changed" not in step.outputs
    (warning,) = _warnings(step)
    assert "compare: nothing is compared: the action's packages cannot be installed" in warning


@pytest.mark.parametrize("present", [*[(name,) for name in _USED], *[{*_USED} - {name} for name in _USED]])
def test_with_some_sets_alone_a_step_still_ends_with_a_message(
    work: Workplace, cache: Path, filled_cache: Path, present: Collection[str]
) -> None:
    for name in present:
        (folder,) = filled_cache.glob(f"build-digests/{name}-*")
        shutil.copytree(folder, cache / "build-digests" / folder.name)
    summary = work.folder / "summary.md"
    summary.touch()
    (work.folder / "Dockerfile").write_text("from scratch\nCOPY hello.txt /hello.txt\nCMD x y\n")
    step = _run(work, cache, {**_two_outputs(work), "verify": "true"}, GITHUB_STEP_SUMMARY=str(summary))
    assert step.code == (0 if {"models", "retries"} <= {*present} else 1), step.log
    served, tar = served_digest(work.image, "1"), tar_digest(work.folder / "image.tar")
    if "models" in present:
        assert step.digests == {"release": served, "tar": tar}
    else:
        assert step.digests in ({}, {"release": served})
    assert "cannot be installed: " in step.log


_LOGGING_DOCKER = """
[ "$2" = build ] || exec "$REAL" "$@"
"$REAL" "$@" 2>&1 | { IFS= read -r line; echo "buildx printed" >> LOG; echo "$line"; cat; } >&2
exit "${PIPESTATUS[0]}"
"""
_LOGGING_UV = """#!/bin/bash
# Ends the wait after a time, so that the order in the log shows a build that waits for packages.
for ((i = 0; i < 400; i++)); do [ -s LOG ] && break; sleep 0.05; done
echo "uv was run" >> LOG
exit 1
"""


def test_buildx_prints_its_first_line_before_an_installation_has_ended(work: Workplace, cache: Path) -> None:
    log = work.folder / "log"
    log.touch()
    fake_docker(work, _LOGGING_DOCKER.replace("LOG", str(log)))
    uv = work.folder.with_name(f"{work.folder.name}-fake") / "uv"
    uv.write_text(_LOGGING_UV.replace("LOG", str(log)))
    uv.chmod(0o755)
    inputs = {"push": "true", "tags": f"{work.image}:1"}
    step = _run(work, cache, inputs, GITHUB_STEP_SUMMARY=str(work.folder / "summary.md"))
    assert step.code == 0, step.log
    assert step.outputs["digest"] == served_digest(work.image, "1")
    printed = log.read_text().splitlines()
    assert printed[0] == "buildx printed"
    assert set(printed[1:]) == {"uv was run"}
