from __future__ import annotations

import pytest

from action.inputs.merge import MergeRequest, merge_request
from action.merging.job_results import JobResults
from action.merging.plan import PlannedImage, plan
from tests.unit.merging.jobs import digest_of, exporter, job

AMD64, ARM64 = {"linux/amd64": "amd64"}, {"linux/arm64": "arm64"}
AMD = job("amd/r.json", exporter(digest="a", platforms=AMD64))
ARM = job("arm/r.json", exporter(digest="b", platforms=ARM64))


def request(*tags: str, expect: str = "", keys: tuple[str, ...] = ()) -> MergeRequest:
    platforms = expect.split(",") if expect else ()
    return merge_request(results=".", tags=tags or ("ghcr.io/octo/app:1",), expect_platforms=platforms, keys=keys)


def planned_images(jobs: tuple[JobResults, ...], merge: MergeRequest) -> tuple[PlannedImage, ...]:
    images, errors = plan(jobs, merge)
    assert errors == ()
    return images


def errors(jobs: tuple[JobResults, ...], merge: MergeRequest | None = None) -> list[str]:
    return [str(error) for error in plan(jobs, merge or request())[1]]


def test_each_jobs_image_is_a_source_by_its_digest() -> None:
    (planned,) = planned_images((AMD, ARM), request())
    assert sorted(planned.references("ghcr.io/octo/app")) == sorted(
        f"ghcr.io/octo/app@{digest_of(owner)}" for owner in ("a", "b")
    )
    assert planned.tags == {"ghcr.io/octo/app": ("ghcr.io/octo/app:1",)}


def test_sources_are_ordered_by_digest_whatever_their_files_are_named() -> None:
    (planned,) = planned_images((AMD, ARM), request())
    (other,) = planned_images((job("z.json", *AMD.results.exporters), job("b.json", *ARM.results.exporters)), request())
    assert planned.references("x") == other.references("x") == tuple(sorted(planned.references("x")))


def test_a_tag_is_for_the_key_that_was_pushed_to_its_repository() -> None:
    one = job("1", exporter("hub", names=("octo/app",)), exporter("ghcr", digest="g"))
    images = planned_images((one,), request("octo/app:1", "ghcr.io/octo/app:1", "docker.io/octo/app:2"))
    assert {each.key: each.tags for each in images} == {
        "hub": {"docker.io/octo/app": ("octo/app:1", "docker.io/octo/app:2")},
        "ghcr": {"ghcr.io/octo/app": ("ghcr.io/octo/app:1",)},
    }


def test_a_single_key_gets_every_tag_and_its_images_come_from_the_same_repository_if_possible() -> None:
    pushed = job("1", exporter(names=("ghcr.io/octo/app", "octo/app:x")))
    (planned,) = planned_images((pushed,), request("octo/app:1", "quay.io/octo/app:1"))
    assert planned.references("docker.io/octo/app") == (f"docker.io/octo/app@{digest_of('image')}",)
    assert planned.references("quay.io/octo/app") == (f"ghcr.io/octo/app@{digest_of('image')}",)


def test_a_tag_may_name_its_key() -> None:
    both = job("1", exporter("small"), exporter("big", digest="b"))
    images = planned_images((both,), request("small=ghcr.io/octo/app:small", "big=ghcr.io/octo/app:big"))
    assert [each.names for each in images] == [("ghcr.io/octo/app:small",), ("ghcr.io/octo/app:big",)]


def test_a_tag_that_fits_two_keys_or_none_is_rejected() -> None:
    both = job("1", exporter("small"), exporter("big", digest="b"))
    ambiguous, foreign, unknown = errors(
        (both,), request("ghcr.io/octo/app:1", "quay.io/x:1", "huge=ghcr.io/octo/app:1")
    )
    assert "the exporters small, big were all pushed to its repository" in ambiguous
    assert "write KEY=ghcr.io/octo/app:1" in ambiguous
    assert "no exporter was pushed to its repository" in foreign
    assert "there is no key 'huge'" in unknown


def test_a_key_without_a_tag_is_rejected() -> None:
    both = job("1", exporter("hub", names=("octo/app",)), exporter("ghcr", digest="g"))
    (error,) = errors((both,), request("octo/app:1"))
    assert error.startswith("tags: no tag is for exporter ghcr, which was pushed to ghcr.io/octo/app")


def test_outputs_that_write_files_are_not_merged() -> None:
    with_files = job("1", exporter(), exporter("files", kind="local", digest=None, push=False, names=()))
    (planned,) = planned_images((with_files,), request())
    assert planned.key == "release"


def test_an_exporter_that_was_not_pushed_is_rejected_unless_keys_exclude_it() -> None:
    beside = job(
        "amd.json", exporter(platforms=AMD64), exporter("tar", kind="oci", push=False, names=(), platforms=AMD64)
    )
    (error,) = errors((beside,))
    assert error.startswith("amd.json: exporter tar (linux/amd64) (oci) was not pushed")
    assert "keys" in error
    assert [each.key for each in planned_images((beside,), request(keys=("release",)))] == ["release"]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (exporter(digest=None), "amd.json: exporter release has no digest"),
        (exporter(names=()), "amd.json: exporter release has no name"),
        (exporter(names=("Not A Name",)), "amd.json: exporter release has 'Not A Name'"),
    ],
)
def test_an_exporter_that_cannot_be_pulled_is_rejected(broken: object, message: str) -> None:
    assert isinstance(broken, type(exporter()))
    (error,) = errors((job("amd.json", broken),))
    assert error.startswith(message)


def test_a_key_twice_in_a_file_is_rejected() -> None:
    (error,) = errors((job("amd.json", exporter(), exporter(digest="b")),))
    assert error.startswith("amd.json: exporter release is in the file twice")


def test_a_key_that_a_job_lacks_is_rejected_with_file_key_and_platform() -> None:
    other = job("arm/r.json", exporter("released", digest="b", platforms=ARM64))
    found = errors((AMD, other))
    assert len(found) == 2
    assert found[0].startswith(
        "arm/r.json (linux/arm64): there is no exporter release, its keys are: released; amd/r.json"
    )
    assert found[1].startswith("amd/r.json (linux/amd64): there is no exporter released")


def test_a_requested_key_that_no_job_has_is_rejected() -> None:
    found = errors((AMD,), request(keys=("relase",)))
    assert found[0].startswith("amd/r.json: there is no exporter relase, its keys are: release; no job has it")


def test_results_without_an_image_are_rejected() -> None:
    (error,) = errors((job("1", exporter(kind="local", digest=None, push=False, names=())),))
    assert error == "the results files hold no exporter that makes an image"


def test_one_platform_with_two_digests_is_rejected_with_files_key_and_platform() -> None:
    again = job("again.json", exporter(digest="c", platforms={"linux/amd64": "other"}))
    (error,) = errors((AMD, again))
    assert error.startswith("exporter release: ")
    for part in ("amd/r.json", "again.json", "linux/amd64", digest_of("amd64"), digest_of("other")):
        assert part in error


def test_spellings_of_one_platform_are_one_platform() -> None:
    again = job("again.json", exporter(digest="c", platforms={"linux/arm64/v8": "other"}))
    (error,) = errors((ARM, again))
    assert "for linux/arm64" in error


def test_one_platform_with_one_digest_in_two_jobs_is_no_conflict() -> None:
    again = job("again.json", exporter(digest="c", platforms=AMD64))
    (planned,) = planned_images((AMD, again), request())
    assert len(planned.sources) == 2


def test_windows_may_have_several_images_of_one_platform() -> None:
    old = job("2019.json", exporter(digest="a", platforms={"windows/amd64": "2019"}))
    new = job("2022.json", exporter(digest="b", platforms={"windows/amd64": "2022"}))
    assert errors((old, new)) == []


def test_the_same_image_from_two_jobs_is_one_source() -> None:
    (planned,) = planned_images((AMD, job("copy.json", *AMD.results.exporters)), request())
    assert len(planned.sources) == 1


def test_missing_and_unexpected_platforms_are_rejected() -> None:
    missing, more = errors((AMD, ARM), request(expect="linux/amd64,linux/s390x"))
    assert missing.startswith("exporter release: linux/s390x is expected, but no results file has it (")
    assert more.startswith("exporter release: arm/r.json has linux/arm64, which is not in expect-platforms")


def test_expected_platforms_are_not_checked_against_results_without_platforms() -> None:
    unsaid = job("arm/r.json", exporter(digest="b"))
    assert errors((AMD, unsaid), request(expect="linux/amd64,linux/arm64")) == []


def test_outputs_without_an_id_in_different_repositories_are_not_merged() -> None:
    one = job("1", exporter("0", names=("ghcr.io/octo/app",)), exporter("1", names=("octo/app",), digest="x"))
    other = job("2", exporter("0", names=("octo/app",), digest="b"), exporter("1", digest="y"))
    found = errors((one, other), request("0=ghcr.io/octo/app:1", "1=octo/app:1"))
    assert len(found) == 2
    assert found[0].startswith("exporter 0 was pushed to ghcr.io/octo/app in 1, but to docker.io/octo/app in 2")
    assert "id=" in found[0]


def test_outputs_with_an_id_may_be_in_a_different_repository_for_each_platform() -> None:
    one = job("1", exporter(names=("ghcr.io/octo/app-amd64",), digest="a"))
    other = job("2", exporter(names=("ghcr.io/octo/app-arm64",), digest="b"))
    (planned,) = planned_images((one, other), request())
    assert {reference.partition("@")[0] for reference in planned.references("ghcr.io/octo/app")} == {
        "ghcr.io/octo/app-amd64",
        "ghcr.io/octo/app-arm64",
    }


def test_two_different_images_cannot_get_one_tag() -> None:
    jobs = (job("1", exporter("a", digest="a"), exporter("b", digest="b")),)
    (error,) = errors(jobs, request("a=octo/x", "b=docker.io/octo/x:latest"))
    assert error == (
        "tags: docker.io/octo/x:latest is for a and for b, which are different images; give each image its own tags"
    )


def test_two_keys_of_the_same_images_may_get_one_tag() -> None:
    jobs = (job("1", exporter("a", digest="same"), exporter("b", digest="same")),)
    assert [each.names for each in planned_images(jobs, request("a=octo/x", "b=octo/x"))] == [("octo/x",), ("octo/x",)]
