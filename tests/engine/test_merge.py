"""Real merges: jobs that each build a platform, a registry or two, and faults that a proxy makes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Step, Workplace, workplace
from tests.engine.other_end import copy_image, image_manifests, served, served_digest
from tests.engine.registry_proxy import RATE_LIMITED, Fault, Proxy, registry_proxy

AMD64, ARM64, RISCV64 = "linux/amd64", "linux/arm64", "linux/riscv64"


@pytest.fixture
def proxy(registry: str) -> Iterator[Proxy]:
    with registry_proxy(registry) as running:
        yield running


Jobs = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory, registry: str) -> Workplace:
    """A workplace whose jobs build each platform once for all tests."""
    return workplace(tmp_path_factory.mktemp("builds"), os.environ, registry)


@pytest.fixture
def jobs(work: Workplace, builds: Workplace) -> Jobs:
    """Run a job for each platform; platform to the index that the registry serves for it.

    An image that was built already is copied to the test's own repository, and so is the job's results file.
    """

    def run(*platforms: str) -> dict[str, dict[str, Any]]:
        indexes = {}
        for platform in platforms:
            name = platform.replace("/", "-")
            made = builds.folder / "results" / name / "results.json"
            if not made.exists():
                builds.job(name, f"type=image,name={builds.image},push=true,id=release", platform=platform)
            text = made.read_text()
            file = work.folder / "results" / name / made.name
            file.parent.mkdir(parents=True)
            file.write_text(text.replace(builds.name, work.name))
            indexes[platform] = copy_image(builds.image, work.image, json.loads(text)["exporters"][0]["digest"])
        return indexes

    return run


def _platforms(index: dict[str, Any]) -> list[str]:
    parts = ("os", "architecture", "variant")
    return ["/".join(entry["platform"].get(part, "") for part in parts).strip("/") for entry in image_manifests(index)]


def _entries(*indexes: dict[str, Any]) -> set[str]:
    return {entry["digest"] for index in indexes for entry in index["manifests"]}


def _errors(step: Step) -> list[str]:
    return re.findall(r"^::error::(.*)$", step.log, re.MULTILINE)


def test_each_jobs_platform_is_in_the_image_with_its_attestations(work: Workplace, jobs: Jobs) -> None:
    indexes = jobs(AMD64, ARM64)
    step = work.merge_step(tags=f"{work.image}:1", expect_platforms=f"{AMD64},{ARM64}")
    assert step.code == 0, step.log
    digest, index = served(work.image, "1")
    assert step.digests == {"release": digest}
    assert step.outputs["digest"] == digest
    assert sorted(_platforms(index)) == [AMD64, ARM64]
    assert _entries(index) == _entries(*indexes.values())
    assert len(index["manifests"]) == 4


def test_the_results_have_every_platform_with_its_digest_and_image_id(work: Workplace, jobs: Jobs) -> None:
    jobs(AMD64, ARM64)
    step = work.merge_step(tags=f"{work.image}:1")
    index = served(work.image, "1")[1]
    expected = {
        platform: (entry["digest"], served(work.image, entry["digest"])[1]["config"]["digest"])
        for platform, entry in zip(_platforms(index), image_manifests(index), strict=True)
    }
    (exporter,) = json.loads(Path(step.outputs["results"]).read_text())["exporters"]
    found = {each["platform"]: (each["digest"], each["imageid"]) for each in exporter["platforms"]}
    assert found == expected
    assert exporter["key"] == exporter["id"] == "release"
    assert exporter["names"] == [f"{work.image}:1"]
    assert (
        exporter["imageid"] == exporter["digest"] == exporter["descriptor"]["digest"] == served_digest(work.image, "1")
    )
    validated = work.python("-m", "action", "validate", step.outputs["results"])
    assert validated.returncode == 0, validated.stdout


def test_metadata_tells_of_the_image_as_a_metadata_file_does(work: Workplace, jobs: Jobs) -> None:
    jobs(AMD64, ARM64)
    step = work.merge_step(tags=f"{work.image}:1\n{work.image}:latest")
    metadata = json.loads(step.outputs["metadata"])
    digest = served_digest(work.image, "1")
    assert metadata["containerimage.digest"] == metadata["containerimage.descriptor"]["digest"] == digest
    assert metadata["image.name"] == f"{work.image}:1,{work.image}:latest"
    file = work.folder / "metadata.json"
    file.write_text(step.outputs["metadata"])
    assert work.python("-m", "action", "validate", "--schema", "metadata", str(file)).returncode == 0


def test_two_keys_of_two_registries_give_two_images_with_all_platforms(work: Workplace, second_registry: str) -> None:
    other = f"{second_registry}/{work.name}-other"
    for platform in (AMD64, ARM64):
        work.job(
            platform.replace("/", "-"),
            f"type=image,name={work.image},push=true,id=one",
            f"type=image,name={other},push=true,id=two",
            "type=local,dest=files,id=files",
            platform=platform,
        )
    step = work.merge_step(tags=f"{other}:1,{work.image}:1,{work.image}:2", expect_platforms=f"{ARM64},{AMD64}")
    assert step.code == 0, step.log
    assert step.digests == {"one": served_digest(work.image, "1"), "two": served_digest(other, "1")}
    assert served_digest(work.image, "2") == served_digest(work.image, "1")
    for image in (work.image, other):
        assert sorted(_platforms(served(image, "1")[1])) == [AMD64, ARM64]
    metadata = json.loads(step.outputs["metadata"])
    listed = {each["id"]: each["data"]["containerimage.digest"] for each in metadata["exporter.responses"]}
    assert listed == step.digests


def test_tags_in_another_registry_take_the_image_there(work: Workplace, jobs: Jobs, second_registry: str) -> None:
    indexes = jobs(AMD64, ARM64)
    other = f"{second_registry}/{work.name}-copy"
    step = work.merge_step(tags=f"{work.image}:1,{other}:1")
    assert step.code == 0, step.log
    assert step.digests == {"release": served_digest(work.image, "1")}
    digest, index = served(other, "1")
    assert digest == served_digest(work.image, "1")
    assert _entries(index) == _entries(*indexes.values())


def test_a_manifest_without_attestations_gets_the_platform_of_its_config(work: Workplace) -> None:
    for platform in (AMD64, ARM64):
        name = platform.replace("/", "-")
        # The tar makes it a build of several images, in whose results the platforms are not known.
        work.job(
            name,
            f"type=image,name={work.image},push=true,id=release",
            f"type=docker,dest={name}.tar,id=tar",
            platform=platform,
            provenance="false",
        )
    step = work.merge_step(tags=f"{work.image}:1", keys="release", expect_platforms=f"{AMD64}\n{ARM64}")
    assert step.code == 0, step.log
    index = served(work.image, "1")[1]
    assert sorted(_platforms(index)) == [AMD64, ARM64]
    assert len(index["manifests"]) == 2


def test_a_job_may_bring_several_platforms_and_one_job_may_be_all(work: Workplace, jobs: Jobs) -> None:
    jobs(f"{AMD64},{ARM64}")
    before = served(work.image, "latest")
    step = work.merge_step(tags=f"{work.image}:1", expect_platforms=f"{AMD64},linux/arm64/v8")
    assert step.code == 0, step.log
    assert (step.digests["release"], served(work.image, "1")) == (before[0], before)


def test_annotations_are_the_indexs(work: Workplace, jobs: Jobs) -> None:
    jobs(AMD64, ARM64)
    wanted = "org.opencontainers.image.title=a title, with a comma\nmanifest,index:a.b/c=d=e\nindex:x=y"
    step = work.merge_step(tags=f"{work.image}:1", annotations=wanted)
    assert step.code == 0, step.log
    assert served(work.image, "1")[1]["annotations"] == {
        "org.opencontainers.image.title": "a title, with a comma",
        "a.b/c": "d=e",
        "x": "y",
    }


def test_annotations_that_dockers_media_types_cannot_hold_are_refused_before_anything_is_pushed(
    work: Workplace,
) -> None:
    output = f"type=image,name={work.image},push=true,id=release,oci-mediatypes=false"
    work.job("one", output, provenance="false")
    step = work.merge_step(tags=f"{work.image}:1", annotations="a=b")
    assert step.code == 1
    (error,) = _errors(step)
    assert error.startswith("exporter release: the index has no annotation a=b")
    assert "oci-mediatypes=true" in error
    _is_not_served(work, "1")


def test_the_merged_digest_does_not_depend_on_the_names_of_files(work: Workplace, jobs: Jobs) -> None:
    jobs(AMD64, ARM64)
    first = work.merge_step(tags=f"{work.image}:1")
    (work.folder / "results" / "linux-amd64").rename(work.folder / "results" / "z")
    second = work.merge_step(tags=f"{work.image}:2")
    assert first.digests == second.digests == {"release": served_digest(work.image, "1")}


def test_two_jobs_with_one_platform_and_different_digests_are_refused(work: Workplace, jobs: Jobs) -> None:
    jobs(AMD64)
    (work.folder / "hello.txt").write_text("another")
    work.job("again", f"type=image,name={work.image},push=true,id=release")
    step = work.merge_step(tags=f"{work.image}:1")
    assert step.code == 1
    (error,) = _errors(step)
    assert error.startswith("exporter release: ")
    assert all(part in error for part in ("again/results.json", "linux-amd64/results.json", "for linux/amd64"))
    assert step.digests == {}
    _is_not_served(work, "1")


def test_a_job_that_ran_twice_with_the_same_result_counts_once(work: Workplace, jobs: Jobs) -> None:
    jobs(AMD64)
    file = work.folder / "results" / "linux-amd64" / "results.json"
    (work.folder / "results" / "copy.json").write_text(file.read_text())
    step = work.merge_step(tags=f"{work.image}:1", expect_platforms=AMD64)
    assert step.code == 0, step.log
    assert len(served(work.image, "1")[1]["manifests"]) == 2


def test_a_key_that_a_job_lacks_is_refused_with_its_file_and_platform(work: Workplace, jobs: Jobs) -> None:
    jobs(AMD64)
    work.job("other", f"type=image,name={work.image},push=true,id=released", platform=ARM64)
    step = work.merge_step(tags=f"{work.image}:1")
    assert step.code == 1
    assert len(_errors(step)) == 2
    assert any(
        error.startswith("other/results.json (linux/arm64): there is no exporter release, its keys are: released")
        for error in _errors(step)
    )


def test_a_platform_that_is_missing_or_too_many_is_refused(work: Workplace, jobs: Jobs) -> None:
    jobs(AMD64, ARM64)
    step = work.merge_step(tags=f"{work.image}:1", expect_platforms=f"{AMD64},{RISCV64}")
    assert step.code == 1
    missing, more = _errors(step)
    assert missing.startswith("exporter release: linux/riscv64 is expected, but no results file has it")
    assert more.startswith("exporter release: linux-arm64/results.json has linux/arm64, which is not in")
    _is_not_served(work, "1")


def test_an_image_that_the_registry_no_longer_has_is_refused_at_once(work: Workplace, jobs: Jobs) -> None:
    jobs(AMD64)
    file = work.folder / "results" / "linux-amd64" / "results.json"
    gone = "sha256:" + "0" * 64
    text = file.read_text()
    file.write_text(text.replace(json.loads(text)["digest"], gone))
    step = work.merge_step(tags=f"{work.image}:1")
    assert step.code == 1
    (error,) = _errors(step)
    advice = "check the name, and whether the image was deleted there"
    assert error == f"linux-amd64/results.json: exporter release: {work.image}@{gone}: not found; {advice}"
    assert "trying again" not in step.log


def test_a_registry_that_is_busy_or_breaks_off_is_asked_again(work: Workplace, jobs: Jobs, proxy: Proxy) -> None:
    jobs(AMD64, ARM64)
    _through(work, proxy)
    # containerd itself asks a busy registry six times in a row.
    proxy.faults = [
        Fault("GET", "/manifests/", 429, times=6),
        Fault("GET", "/manifests/", "reset", times=2),
        Fault("GET", "/manifests/", 502, times=1),
        Fault("PUT", "/manifests/1$", 503, times=6),
    ]
    step = work.merge_step(tags=f"{proxy.address}/{work.name}:1", retries="6", expect_platforms=f"{AMD64},{ARM64}")
    assert step.code == 0, step.log
    assert step.digests == {"release": served_digest(work.image, "1")}
    assert proxy.faulted == 15
    assert "trying again in" in step.log


def test_a_registry_that_limits_the_rate_with_a_403_is_asked_again(work: Workplace, jobs: Jobs, proxy: Proxy) -> None:
    jobs(AMD64)
    _through(work, proxy)
    proxy.faults = [
        Fault("GET", "/manifests/", 403, times=1, body=RATE_LIMITED),
        Fault("PUT", "/manifests/1$", 403, times=1, body=RATE_LIMITED),
    ]
    step = work.merge_step(tags=f"{proxy.address}/{work.name}:1", retries="2")
    assert step.code == 0, step.log
    assert proxy.faulted == 2
    assert step.digests == {"release": served_digest(work.image, "1")}


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_connection_that_breaks_once_is_no_image_that_is_not_there(
    work: Workplace, jobs: Jobs, proxy: Proxy, method: str
) -> None:
    jobs(AMD64)
    _through(work, proxy)
    proxy.faults = [Fault(method, "/manifests/", "reset", times=1)]
    step = work.merge_step(tags=f"{proxy.address}/{work.name}:1")
    assert step.code == 0, step.log
    assert proxy.faulted == 1


def test_a_registry_that_keeps_failing_is_asked_a_bounded_number_of_times(
    work: Workplace, jobs: Jobs, proxy: Proxy
) -> None:
    jobs(AMD64)
    _through(work, proxy)
    proxy.faults = [Fault(".*", "/manifests/", 500)]
    step = work.merge_step(tags=f"{proxy.address}/{work.name}:1", retries="2")
    assert step.code == 1
    assert len(re.findall(r"500 Internal Server Error; trying again in .* s \((\d) of 2\)", step.log)) == 2
    (error,) = _errors(step)
    assert "500 Internal Server Error" in error
    assert step.digests == {}


@pytest.mark.parametrize("status", [401, 403])
def test_what_a_registry_forbids_is_not_asked_again(work: Workplace, jobs: Jobs, proxy: Proxy, status: int) -> None:
    jobs(AMD64)
    _through(work, proxy)
    proxy.faults = [Fault(".*", "/manifests/", status)]
    step = work.merge_step(tags=f"{proxy.address}/{work.name}:1")
    assert step.code == 1
    (error,) = _errors(step)
    assert f": {status} " in error
    assert "docker/login-action" in error
    assert "trying again" not in step.log


def test_a_push_that_is_forbidden_costs_other_keys_nothing(work: Workplace, proxy: Proxy) -> None:
    file = work.job(
        "amd64",
        f"type=image,name={work.image},push=true,id=one",
        f"type=image,name={work.image}-two,push=true,id=two",
    )
    file.write_text(file.read_text().replace(f"{work.image}-two", f"{proxy.address}/{work.name}-two"))
    proxy.faults = [Fault("PUT", "/manifests/", 403)]
    step = work.merge_step(tags=f"{proxy.address}/{work.name}-two:1,{work.image}:1")
    assert step.code == 1
    (error,) = _errors(step)
    assert error.startswith("exporter two: ")
    assert step.digests == {"one": served_digest(work.image, "1")}
    assert [each["digest"] for each in step.exporters] == [served_digest(work.image, "1"), None]


def test_a_registry_that_serves_something_else_for_a_digest_is_refused(
    work: Workplace, jobs: Jobs, proxy: Proxy
) -> None:
    jobs(AMD64)
    _through(work, proxy)
    proxy.faults = [Fault("GET", "/manifests/sha256:", "tamper")]
    step = work.merge_step(tags=f"{proxy.address}/{work.name}:1")
    assert step.code == 1
    (error,) = _errors(step)
    digest = served_digest(work.image, "latest")
    where = "linux-amd64/results.json: exporter release"
    assert error.startswith(f"{where}: {proxy.address}/{work.name}@{digest}: the registry serves sha256:")
    assert f"and not {digest}" in error
    _is_not_served(work, "1")


def test_a_registry_that_serves_something_else_after_the_push_is_refused(
    work: Workplace, jobs: Jobs, proxy: Proxy
) -> None:
    jobs(AMD64, ARM64)
    _through(work, proxy)
    merged = work.merge_step(tags=f"{proxy.address}/{work.name}:2")
    assert merged.code == 0
    # The index itself is asked for by its digest, which nothing asked for before the push.
    proxy.faults = [Fault("GET", f"/manifests/{merged.digests['release']}", "tamper")]
    step = work.merge_step(tags=f"{proxy.address}/{work.name}:1")
    assert step.code == 1
    (error,) = _errors(step)
    assert f"and not {merged.digests['release']}" in error
    assert step.digests == {}
    assert step.outputs.get("digest", "") == ""


def test_the_commands_of_a_dry_run_are_those_that_do_it(work: Workplace, jobs: Jobs) -> None:
    jobs(AMD64, ARM64)
    done = work.python("-m", "action", "merge", "results", "-t", f"{work.image}:1", "--dry-run")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    _is_not_served(work, "1")
    work.docker("buildx", *json.loads(line))
    step = work.merge_step(tags=f"{work.image}:2")
    assert step.digests == {"release": served_digest(work.image, "1")}


def test_the_summary_has_a_row_for_the_merged_image(work: Workplace, jobs: Jobs) -> None:
    jobs(AMD64, ARM64)
    summary = work.folder / "summary.md"
    work.environment = {**work.environment, "GITHUB_STEP_SUMMARY": str(summary)}
    step = work.merge_step(tags=f"{work.image}:1")
    text = summary.read_text()
    digest = served_digest(work.image, "1")
    assert text.startswith("### ✅ Merge\n")
    assert f"{work.image.partition('/')[2]}</code>\n\n```text\n{digest}\n```" in text.replace("<wbr>", "")
    assert "<code>linux/amd64</code>" in text
    assert "<code>linux/arm64</code>" in text
    assert json.loads(step.outputs["refs"]) == [f"{work.image}@{digest}"]
    assert Path(step.outputs["checksums"]).read_text() == f"{digest.removeprefix('sha256:')}  {work.image}\n"


def test_the_command_prints_a_table_and_writes_results(work: Workplace, jobs: Jobs) -> None:
    jobs(AMD64, ARM64)
    arguments = (
        "results",
        "-t",
        f"{work.image}:1",
        "--expect-platforms",
        f"{AMD64},{ARM64}",
        "--results",
        "merged.json",
    )
    done = work.python("-m", "action", "merge", *arguments)
    assert done.returncode == 0, done.stderr
    digest = served_digest(work.image, "1")
    assert digest in done.stdout
    assert json.loads((work.folder / "merged.json").read_text())["digest"] == digest


def test_images_that_share_a_layer_are_copied_to_another_registry_every_time(
    work: Workplace, jobs: Jobs, second_registry: str
) -> None:
    jobs(AMD64, ARM64, RISCV64)
    for number in range(2):
        other = f"{second_registry}/{work.name}-copy-{number}"
        step = work.merge_step(tags=f"{other}:1")
        assert step.code == 0, step.log
        assert step.digests == {"release": served_digest(other, "1")}


def _through(work: Workplace, proxy: Proxy) -> None:
    """Rewrite the jobs' results as if they had pushed through the proxy: the images are the same."""
    for file in (work.folder / "results").rglob("*.json"):
        file.write_text(file.read_text().replace(f"{work.registry}/", f"{proxy.address}/"))


def _is_not_served(work: Workplace, tag: str) -> None:
    with pytest.raises(AssertionError, match="MANIFEST_UNKNOWN"):
        served(work.image, tag)
